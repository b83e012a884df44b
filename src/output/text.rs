//! Text for people, laid out as rustc and ruff do.
//!
//! The excerpt is drawn here. The crate `annotate-snippets` would need the whole line to find the column, and a line of JSON
//! may be megabytes long.

use std::collections::HashSet;
use std::io::{self, Write};

use owo_colors::{OwoColorize, Style};

use super::diagnostic::{Diagnostic, Notification, level};
use crate::report::Severity;
use crate::text::printable;

const FRAME: Style = Style::new().bright_blue().bold();

pub fn write(diagnostics: &[Diagnostic], out: &mut impl Write) -> io::Result<()> {
    let mut explained = HashSet::new();
    for diagnostic in diagnostics {
        write_diagnostic(diagnostic, out)?;
        // The page of a rule is referred to only once.
        if explained.insert(diagnostic.finding.rule.id) {
            write_help(diagnostic, out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_diagnostic(diagnostic: &Diagnostic, out: &mut impl Write) -> io::Result<()> {
    let (finding, excerpt) = (&diagnostic.finding, &diagnostic.location.excerpt);
    let style = style(finding.severity);
    let (margin, indent) = (margin(diagnostic), " ".repeat(excerpt.indent));
    let carets = "^".repeat(excerpt.width);
    let headline = format!("{}[{}]", level(finding.severity), finding.rule.id);
    let (bar, file) = ("|".style(FRAME), printable(&diagnostic.location.file));
    let (line, column) = (excerpt.line, excerpt.column);

    writeln!(out, "{}{}", headline.style(style), format_args!(": {}", finding.rule.name).bold())?;
    writeln!(out, "{margin}{} {file}:{line}:{column} ({})", "-->".style(FRAME), diagnostic.object())?;
    writeln!(out, "{margin} {bar}")?;
    writeln!(out, "{} {bar} {}", line.style(FRAME), excerpt.text.trim_end())?;
    writeln!(out, "{margin} {bar} {indent}{}", carets.style(style))?;
    writeln!(out, "{margin} {bar}")?;
    writeln!(out, "{margin} {} {}", "=".style(FRAME), diagnostic.sentence())
}

fn write_help(diagnostic: &Diagnostic, out: &mut impl Write) -> io::Result<()> {
    let (margin, id) = (margin(diagnostic), diagnostic.finding.rule.id);
    let (equals, help) = ("=".style(FRAME), "help".bold());
    writeln!(
        out,
        "{margin} {equals} {help}: `ippool-webhook rules {id}` says why it matters and how to repair it"
    )
}

/// As wide as the number of the line.
fn margin(diagnostic: &Diagnostic) -> String {
    " ".repeat(diagnostic.location.excerpt.line.to_string().len())
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Deny => Style::new().red().bold(),
        Severity::Warn | Severity::Off => Style::new().yellow().bold(),
    }
}

pub fn write_diff(diff: &str, out: &mut impl Write) -> io::Result<()> {
    for line in diff.split_inclusive('\n') {
        match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => write!(out, "{}", line.bold())?,
            [b'@', ..] => write!(out, "{}", line.cyan())?,
            [b'+', ..] => write!(out, "{}", line.green())?,
            [b'-', ..] => write!(out, "{}", line.red())?,
            _ => write!(out, "{line}")?,
        }
    }
    writeln!(out)
}

pub fn write_notifications(notifications: &[Notification], out: &mut impl Write) -> io::Result<()> {
    for notification in notifications {
        if notification.is_error {
            writeln!(out, "{} {notification}", "error:".style(style(Severity::Deny)))?;
        } else {
            writeln!(out, "{} {notification}", "note:".bold())?;
        }
    }
    Ok(())
}
