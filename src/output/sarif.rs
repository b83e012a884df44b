//! SARIF 2.1.0, the format that code scanning services read.
//!
//! Most objects are written with `json!`. The crate `serde-sarif` has a type for each of its objects, but brings ten crates and a
//! schema generator for the twenty properties used here.

use std::collections::HashMap;
use std::io::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, Notification, ObjectName, Place, errors, level};
use super::json;
use crate::finding::RuleInfo;
use crate::kinds;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// All but the unreserved characters of RFC 3986 and the separator of paths.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The log, without its results in memory: an audit can have a million.
#[derive(Serialize)]
struct Log<'l> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    runs: [Run<'l>; 1],
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'l> {
    column_kind: &'static str,
    invocations: Value,
    results: Results<'l>,
    tool: Value,
}

struct Results<'l>(&'l [Diagnostic]);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let indices: HashMap<_, _> = kinds::rules().enumerate().map(|(at, rule)| (rule.id, at)).collect();
        serializer.collect_seq(self.0.iter().map(|it| result(it, &indices)))
    }
}

/// Writes a log; `notes` are what else there is to say about the run.
pub fn write(
    diagnostics: &[Diagnostic],
    notifications: &[Notification],
    notes: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    let errors: Vec<_> = errors(notifications).map(notification).collect();
    let is_successful = errors.is_empty();
    let notes = notes.iter().map(|note| json!({ "level": "note", "message": { "text": note } }));
    let notifications: Vec<_> = errors.into_iter().chain(notes).collect();
    let run = Run {
        column_kind: "unicodeCodePoints",
        invocations: json!([{
            "executionSuccessful": is_successful,
            "toolExecutionNotifications": notifications,
        }]),
        results: Results(diagnostics),
        tool: json!({ "driver": driver() }),
    };
    json::write(&Log { schema: SCHEMA, runs: [run], version: "2.1.0" }, out)
}

fn driver() -> Value {
    json!({
        "name": env!("CARGO_PKG_NAME"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": kinds::rules().map(descriptor).collect::<Vec<_>>(),
    })
}

/// A rule as a `reportingDescriptor`.
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

fn result(diagnostic: &Diagnostic, indices: &HashMap<&str, usize>) -> Value {
    let Diagnostic { finding, kind, object: ObjectName { namespace, name }, place } = diagnostic;
    let id = finding.rule.id;
    let field = format!("{namespace}/{name}/{}", finding.path);
    // GitHub rejects a log with a result that is in no file, so an object of a cluster counts as one.
    let of_object = || {
        json!({
            "artifactLocation": { "uri": uri(&format!("{kind}/{namespace}/{name}")) },
            "region": { "startLine": 1 },
        })
    };
    let location = json!({
        "physicalLocation": place.as_ref().map_or_else(of_object, physical_location),
        "logicalLocations": [{ "kind": "object", "fullyQualifiedName": field }],
    });
    json!({
        "ruleId": id,
        "ruleIndex": indices.get(id),
        "level": level(finding.severity),
        "message": { "text": diagnostic.sentence() },
        // Stays the same when the line moves.
        "partialFingerprints": { "object/v1": format!("{id}/{field}") },
        "locations": [location],
    })
}

fn physical_location(Place { file, excerpt, .. }: &Place) -> Value {
    json!({
        "artifactLocation": { "uri": uri(file) },
        "region": {
            "startLine": excerpt.line,
            "startColumn": excerpt.column,
            "endColumn": excerpt.column + excerpt.width,
        },
    })
}

fn notification(error: &Notification) -> Value {
    let mut location = json!({ "artifactLocation": { "uri": uri(&error.file) } });
    if let Some(line) = error.line {
        location["region"] = json!({ "startLine": line });
    }
    json!({
        "level": "error",
        "message": { "text": error.to_string() },
        "locations": [{ "physicalLocation": location }],
    })
}

/// A path as a URI reference; a relative path stays relative.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(path, ESCAPED))
}
