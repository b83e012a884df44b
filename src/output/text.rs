//! Text for people, laid out as rustc and ruff do.
//!
//! The excerpt is drawn here. The crate `annotate-snippets` counts the column from the start of its source, so it would need
//! the whole line, and a line of JSON may be megabytes long; with the column given apart it draws a stray line.

use std::collections::HashSet;
use std::io::{self, Write};

use owo_colors::{OwoColorize, Style};

use super::diagnostic::{Diagnostic, Notification, Place, level};
use crate::finding::Severity;
use crate::text::printable;

const FRAME: Style = Style::new().bright_blue().bold();

pub fn write(diagnostics: &[Diagnostic], out: &mut impl Write) -> io::Result<()> {
    let mut explained = HashSet::new();
    diagnostics.iter().try_for_each(|diagnostic| {
        // The page of a rule is referred to only once.
        write_diagnostic(diagnostic, explained.insert(diagnostic.finding.rule.id), out)
    })
}

fn write_diagnostic(diagnostic: &Diagnostic, explain: bool, out: &mut impl Write) -> io::Result<()> {
    let finding = &diagnostic.finding;
    let (style, id, equals) = (style(finding.severity), finding.rule.id, "=".style(FRAME));
    let headline = format!("{}[{id}]", level(finding.severity));
    writeln!(out, "{}{}", headline.style(style), format_args!(": {}", finding.rule.name).bold())?;
    let margin = match &diagnostic.place {
        Some(place) => write_place(place, &diagnostic.object(), style, out)?,
        None => {
            writeln!(out, " {} {} {}", "-->".style(FRAME), diagnostic.kind, diagnostic.object())?;
            " ".to_owned()
        }
    };
    writeln!(out, "{margin} {equals} {}", diagnostic.sentence())?;
    if explain {
        let help = format!("`ippool-webhook rules {id}` says why it matters and how to repair it");
        writeln!(out, "{margin} {equals} {}: {help}", "help".bold())?;
    }
    writeln!(out)
}

/// Writes where in a file a finding is, with the line; returns the margin left of it.
fn write_place(place: &Place, object: &str, style: Style, out: &mut impl Write) -> io::Result<String> {
    let Place { file, excerpt, .. } = place;
    let (line, column, indent) = (excerpt.line.to_string(), excerpt.column, " ".repeat(excerpt.indent));
    let (margin, carets) = (" ".repeat(line.len()), "^".repeat(excerpt.width));
    let (bar, file) = ("|".style(FRAME), printable(file));
    writeln!(out, "{margin}{} {file}:{line}:{column} ({object})", "-->".style(FRAME))?;
    writeln!(out, "{margin} {bar}")?;
    writeln!(out, "{} {bar} {}", line.style(FRAME), excerpt.text.trim_end())?;
    writeln!(out, "{margin} {bar} {indent}{}", carets.style(style))?;
    writeln!(out, "{margin} {bar}")?;
    Ok(margin)
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
