//! Findings in JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::diagnostic::Diagnostic;
use crate::finding::Severity;

/// A diagnostic as an entry of `findings`.
#[derive(Serialize)]
pub struct Finding<'d> {
    file: &'d str,
    document: usize,
    line: usize,
    rule: &'static str,
    name: &'static str,
    severity: Severity,
    path: String,
    message: String,
    object: Object<'d>,
}

#[derive(Serialize)]
struct Object<'d> {
    namespace: &'d str,
    name: &'d str,
}

pub fn write(report: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

impl<'d> From<&'d Diagnostic> for Finding<'d> {
    fn from(diagnostic: &'d Diagnostic) -> Self {
        let Diagnostic { finding, namespace, name, file, document, excerpt } = diagnostic;
        Self {
            file,
            document: *document,
            line: excerpt.line,
            rule: finding.rule.id,
            name: finding.rule.name,
            severity: finding.severity,
            path: finding.path.to_string(),
            message: finding.message(),
            object: Object { namespace, name },
        }
    }
}
