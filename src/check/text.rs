//! Findings for a person, in the shape of rustc's and ruff's.

use std::collections::HashSet;
use std::io::{self, Write};

use owo_colors::{OwoColorize, Style};

use super::source::Trouble;
use super::{Located, Outcome};
use crate::finding::Severity;
use crate::text::printable;

/// What the frame around the source is drawn in.
const FRAME: Style = Style::new().bright_blue().bold();

/// Writes the findings and the differences.
pub fn write(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let mut explained = HashSet::new();
    for finding in &outcome.findings {
        write_finding(finding, out)?;
        if explained.insert(finding.rule.id) {
            write_help(finding, out)?;
        }
        writeln!(out)?;
    }
    outcome.diffs.iter().filter(|diff| !diff.is_empty()).try_for_each(|diff| {
        write_diff(diff, out)?;
        writeln!(out)
    })
}

fn write_finding(finding: &Located, out: &mut impl Write) -> io::Result<()> {
    let style = style(finding.severity);
    let snippet = &finding.snippet;
    let number = snippet.line.to_string();
    let margin = margin(finding);
    let indent = " ".repeat(snippet.indent);
    let carets = "^".repeat(snippet.width);
    let headline = format!("{}[{}]", finding.level(), finding.rule.id);
    let (bar, place) =
        ("|".style(FRAME), format!("{}:{}:{}", printable(&finding.file), number, snippet.column));

    writeln!(out, "{}{}", headline.style(style), format_args!(": {}", finding.rule.name).bold())?;
    writeln!(out, "{margin}{} {place} ({})", "-->".style(FRAME), finding.object())?;
    writeln!(out, "{margin} {bar}")?;
    writeln!(out, "{} {bar} {}", number.style(FRAME), snippet.text.trim_end())?;
    writeln!(out, "{margin} {bar} {indent}{}", carets.style(style))?;
    writeln!(out, "{margin} {bar}")?;
    writeln!(out, "{margin} {} {}", "=".style(FRAME), finding.sentence())
}

/// Where to read on; once for each rule.
fn write_help(finding: &Located, out: &mut impl Write) -> io::Result<()> {
    let (margin, id) = (margin(finding), finding.rule.id);
    let (equals, help) = ("=".style(FRAME), "help".bold());
    writeln!(
        out,
        "{margin} {equals} {help}: `ippool-webhook rules {id}` says why it matters and how to repair it"
    )
}

/// As wide as the number of the line.
fn margin(finding: &Located) -> String {
    " ".repeat(finding.snippet.line.to_string().len())
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Deny => Style::new().red().bold(),
        Severity::Warn | Severity::Off => Style::new().yellow().bold(),
    }
}

fn write_diff(diff: &str, out: &mut impl Write) -> io::Result<()> {
    for line in diff.split_inclusive('\n') {
        match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => write!(out, "{}", line.bold())?,
            [b'@', ..] => write!(out, "{}", line.cyan())?,
            [b'+', ..] => write!(out, "{}", line.green())?,
            [b'-', ..] => write!(out, "{}", line.red())?,
            _ => write!(out, "{line}")?,
        }
    }
    Ok(())
}

/// Writes what could not be done and what is worth saying.
pub fn write_troubles(troubles: &[Trouble], out: &mut impl Write) -> io::Result<()> {
    for trouble in troubles {
        if trouble.is_error {
            writeln!(out, "{} {trouble}", "error:".style(style(Severity::Deny)))?;
        } else {
            writeln!(out, "{} {trouble}", "note:".bold())?;
        }
    }
    Ok(())
}

/// Writes the last line: what was looked at and what came of it.
pub fn write_summary(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let objects = format!("{} in {}", count(outcome.objects, "IPPool"), count(outcome.files, "file"));
    let skipped = match outcome.skipped {
        0 => String::new(),
        1 => " (1 object of another kind skipped)".to_owned(),
        skipped => format!(" ({skipped} objects of other kinds skipped)"),
    };
    let verdict = match (outcome.count(Severity::Deny), outcome.count(Severity::Warn)) {
        (0, 0) => "no findings".to_owned(),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    let failed = match outcome.errors().count() {
        0 => String::new(),
        failures => format!("; {} could not be done, see above", count(failures, "thing")),
    };
    writeln!(out, "checked {objects}{skipped}: {verdict}{failed}")
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
