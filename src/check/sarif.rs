//! Findings as SARIF 2.1.0, the form that code scanning takes in.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::source::Trouble;
use super::{Located, Outcome};
use crate::finding::{RuleInfo, Severity};
use crate::kinds;

/// Where the format is defined.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Writes one log with one run.
pub fn write(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let indices: HashMap<_, _> = kinds::rules().enumerate().map(|(at, rule)| (rule.id, at)).collect();
    let results: Vec<_> = outcome.findings.iter().map(|finding| result(finding, &indices)).collect();
    let failures: Vec<_> = outcome.errors().map(notification).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver() },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": failures.is_empty(),
                "toolExecutionNotifications": failures,
            }],
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn driver() -> Value {
    json!({
        "name": env!("CARGO_PKG_NAME"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": kinds::rules().map(descriptor).collect::<Vec<_>>(),
    })
}

/// A rule as SARIF's `reportingDescriptor`.
fn descriptor(rule: &'static RuleInfo) -> Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": { "text": rule.summary },
        "help": {
            "text": format!("Run `{} rules {}` for the page of this rule.", env!("CARGO_PKG_NAME"), rule.id),
            "markdown": rule.page,
        },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "tags": ["whereabouts", "ippool"] },
    })
}

fn result(finding: &Located, indices: &HashMap<&str, usize>) -> Value {
    let snippet = &finding.snippet;
    json!({
        "ruleId": finding.rule.id,
        "ruleIndex": indices.get(finding.rule.id),
        "level": level(finding.severity),
        "message": { "text": finding.sentence() },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&finding.file) },
                "region": {
                    "startLine": snippet.line,
                    "startColumn": snippet.column,
                    "endColumn": snippet.column + snippet.width,
                },
            },
            "logicalLocations": [{
                "kind": "object",
                "fullyQualifiedName": format!("{}/{}/{}", finding.namespace, finding.name, finding.path),
            }],
        }],
        // The line may move; the defect stays the same one.
        "partialFingerprints": {
            "object/v1": format!("{}/{}/{}/{}", finding.rule.id, finding.namespace, finding.name, finding.path),
        },
    })
}

fn notification(trouble: &Trouble) -> Value {
    let mut place = json!({ "artifactLocation": { "uri": uri(&trouble.file) } });
    if let Some(line) = trouble.line {
        place["region"] = json!({ "startLine": line });
    }
    json!({
        "level": "error",
        "message": { "text": trouble.to_string() },
        "locations": [{ "physicalLocation": place }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "error",
        Severity::Warn => "warning",
        Severity::Off => "none",
    }
}

/// A path as a URI reference: relative stays relative, what is not allowed is percent-encoded.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let encoded: String = path
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("{scheme}{encoded}")
}
