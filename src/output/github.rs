//! Workflow commands, which GitHub shows at the lines of a pull request.

use std::io::{self, Write};

use super::diagnostic::{Diagnostic, Notification, errors, level};

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
    let Diagnostic { finding, file, excerpt, .. } = diagnostic;
    let (rule, level, file) = (finding.rule, level(finding.severity), property(file));
    let title = property(&format!("{} {}", rule.id, rule.name));
    let message = data(&format!("{}: {}", diagnostic.object(), diagnostic.sentence()));
    writeln!(
        out,
        "::{level} file={file},line={},col={},title={title}::{message}",
        excerpt.line, excerpt.column
    )
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
