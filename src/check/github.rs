//! Findings as workflow commands, which GitHub shows beside the lines of a pull request.

use std::io::{self, Write};

use super::source::Trouble;
use super::{Located, Outcome};

/// Writes one command for each finding and each file that could not be checked.
pub fn write(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    outcome.findings.iter().try_for_each(|finding| write_finding(finding, out))?;
    outcome.errors().try_for_each(|trouble| write_trouble(trouble, out))
}

fn write_finding(finding: &Located, out: &mut impl Write) -> io::Result<()> {
    let level = finding.level();
    let file = property(&finding.file);
    let (line, column) = (finding.snippet.line, finding.snippet.column);
    let title = property(&format!("{} {}", finding.rule.id, finding.rule.name));
    let message = data(&format!("{}: {}", finding.object(), finding.sentence()));
    writeln!(out, "::{level} file={file},line={line},col={column},title={title}::{message}")
}

fn write_trouble(trouble: &Trouble, out: &mut impl Write) -> io::Result<()> {
    let line = trouble.line.map(|line| format!(",line={line}")).unwrap_or_default();
    let file = property(&trouble.file);
    writeln!(out, "::error file={file}{line},title=not checked::{}", data(&trouble.to_string()))
}

/// What ends a command has to be escaped in its message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// And in a property, what ends the property too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
