//! The files of the Helm chart agree with the program and with each other. `cluster/helm.rs` renders and installs it.

use std::collections::BTreeSet;

use ippool_webhook::finding::Denies;
use ippool_webhook::kinds;
use serde_json::Value;

use super::{object, text};

fn schema() -> Value {
    serde_json::from_str(&text("chart/values.schema.json")).unwrap()
}

/// The names that the pattern `^(a|b)$` matches.
fn alternatives(pattern: &str) -> BTreeSet<&str> {
    pattern.trim_start_matches("^(").trim_end_matches(")$").split('|').collect()
}

#[test]
fn the_chart_is_of_this_release() {
    let chart = object("chart/Chart.yaml");
    for version in ["version", "appVersion"] {
        assert_eq!(chart[version], env!("CARGO_PKG_VERSION"), "{version}");
    }
}

#[test]
fn the_schema_knows_each_rule_and_which_never_denies() {
    let schema = schema();
    let rules = schema.pointer("/properties/policy/properties/rules/patternProperties").unwrap();
    let patterns = rules.as_object().unwrap();
    assert_eq!(patterns.len(), 2);
    for (severity, never) in [("severity", false), ("severityThatNeverDenies", true)] {
        let reference = format!("#/definitions/{severity}");
        let (pattern, _) = patterns.iter().find(|(_, it)| it["$ref"] == reference.as_str()).unwrap();
        let of_kind = kinds::rules().filter(|it| matches!(it.denies, Denies::Never(_)) == never);
        let wanted: BTreeSet<_> = of_kind.flat_map(|it| [it.id, it.name]).collect();
        assert_eq!(alternatives(pattern), wanted, "{severity}");
    }
}

/// The paths of the values with their comments; a map that is not empty is its fields.
fn paths(at: &str, value: &Value) -> BTreeSet<String> {
    match value.as_object().filter(|fields| !fields.is_empty()) {
        None => BTreeSet::from([at.to_owned()]),
        Some(fields) => fields.iter().flat_map(|(key, it)| paths(&format!("{at}/{key}"), it)).collect(),
    }
}

#[test]
fn the_schema_has_exactly_the_values_of_the_chart() {
    let (schema, values) = (schema(), object("chart/values.yaml"));
    let at = |path: &str| schema.pointer(&path.replace('/', "/properties/")).cloned().unwrap_or_default();
    for path in paths("", &values) {
        // What is below these are quantities, by the name of a resource.
        let known = path.contains("/resources/") || at(&path).is_object();
        assert!(known, "{path} is not in the schema");
    }
    let mut known: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().collect();
    known.remove(&"global".to_owned());
    assert_eq!(values.as_object().unwrap().keys().collect::<BTreeSet<_>>(), known);
    for section in ["image", "certificates", "policy", "clientCertificates", "ports", "audit", "monitoring"] {
        let known = at(&format!("/{section}"));
        assert_eq!(known["additionalProperties"], false, "{section}");
        let known: BTreeSet<_> = known["properties"].as_object().unwrap().keys().collect();
        assert_eq!(values[section].as_object().unwrap().keys().collect::<BTreeSet<_>>(), known, "{section}");
    }
}
