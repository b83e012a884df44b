//! Findings in JSON.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::diagnostic::{Diagnostic, ObjectName};
use crate::finding::Severity;

pub fn write(report: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// An entry of `findings`.
#[derive(Serialize)]
struct Finding<'d> {
    file: &'d str,
    document: usize,
    line: usize,
    rule: &'static str,
    name: &'static str,
    severity: Severity,
    path: String,
    message: String,
    object: &'d ObjectName,
}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { finding, object, file, document, excerpt } = self;
        let entry = Finding {
            file,
            document: *document,
            line: excerpt.line,
            rule: finding.rule.id,
            name: finding.rule.name,
            severity: finding.severity,
            path: finding.path.to_string(),
            message: finding.message(),
            object,
        };
        entry.serialize(serializer)
    }
}
