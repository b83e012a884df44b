//! Findings in JSON.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::diagnostic::{Diagnostic, Place};

pub fn write(report: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// An entry of `findings`.
impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { finding, object, place, .. } = self;
        let mut entry = serializer.serialize_struct("Finding", 9)?;
        if let Some(Place { file, document, excerpt }) = place {
            entry.serialize_field("file", &**file)?;
            entry.serialize_field("document", document)?;
            entry.serialize_field("line", &excerpt.line)?;
        }
        entry.serialize_field("rule", finding.rule.id)?;
        entry.serialize_field("name", finding.rule.name)?;
        entry.serialize_field("severity", &finding.severity)?;
        entry.serialize_field("path", &finding.path.to_string())?;
        entry.serialize_field("message", &finding.message())?;
        entry.serialize_field("object", object)?;
        entry.end()
    }
}
