//! Findings as one JSON object.

use std::io::{self, Write};

use serde::Serialize;

use super::{Located, Outcome};
use crate::finding::Severity;

#[derive(Serialize)]
struct Report<'o> {
    files: usize,
    objects: usize,
    findings: Vec<Finding<'o>>,
}

#[derive(Serialize)]
struct Finding<'o> {
    file: &'o str,
    document: usize,
    line: usize,
    rule: &'static str,
    name: &'static str,
    severity: Severity,
    path: &'o str,
    message: &'o str,
    object: Object<'o>,
}

#[derive(Serialize)]
struct Object<'o> {
    namespace: &'o str,
    name: &'o str,
}

/// Writes one object with the counts and every finding.
pub fn write(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let findings = outcome.findings.iter().map(Finding::from).collect();
    let report = Report { files: outcome.files, objects: outcome.objects, findings };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

impl<'o> From<&'o Located> for Finding<'o> {
    fn from(finding: &'o Located) -> Self {
        Self {
            file: &finding.file,
            document: finding.document,
            line: finding.snippet.line,
            rule: finding.rule.id,
            name: finding.rule.name,
            severity: finding.severity,
            path: &finding.path,
            message: &finding.message,
            object: Object { namespace: &finding.namespace, name: &finding.name },
        }
    }
}
