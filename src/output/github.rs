//! Workflow commands, which GitHub shows at the lines of a pull request.

use std::io::{self, Write};

use super::diagnostic::{Diagnostic, Notification, Place, errors, level};

/// Writes one command for each diagnostic and each error.
pub fn write(
    diagnostics: &[Diagnostic],
    notifications: &[Notification],
    out: &mut impl Write,
) -> io::Result<()> {
    diagnostics.iter().try_for_each(|it| write_diagnostic(it, out))?;
    errors(notifications).try_for_each(|it| write_error(it, out))
}

fn write_diagnostic(diagnostic: &Diagnostic, out: &mut impl Write) -> io::Result<()> {
    let Diagnostic { finding, place, .. } = diagnostic;
    let (rule, level) = (finding.rule, level(finding.severity));
    let title = property(&format!("{} {}", rule.id, rule.name));
    let message = data(&format!("{}: {}", diagnostic.object(), diagnostic.sentence()));
    let at = place.as_ref().map(|Place { file, excerpt, .. }| {
        format!("file={},line={},col={},", property(file), excerpt.line, excerpt.column)
    });
    writeln!(out, "::{level} {}title={title}::{message}", at.unwrap_or_default())
}

fn write_error(error: &Notification, out: &mut impl Write) -> io::Result<()> {
    let line = error.line.map(|line| format!(",line={line}")).unwrap_or_default();
    let file = property(&error.file);
    writeln!(out, "::error file={file}{line},title=not checked::{}", data(&error.to_string()))
}

/// Escapes what would end a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes what would end a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
