//! Every recorded review has a stated outcome: allowed, patched to what, refused by which rules and in
//! which words. `tests/fixtures/outcomes.json` states them; `make outcomes` writes it anew, to
//! be read before it is committed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ippool_webhook::admission::{Endpoint, Outcome, respond};
use ippool_webhook::policy::Policy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use testkit::review::{causes, patch, warnings};

const OUTCOMES: &str = "tests/fixtures/outcomes.json";

/// What the apiserver hears.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct Stated {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<Value>,
}

fn recorded() -> Vec<(String, PathBuf)> {
    let directory = Path::new("tests/fixtures/reviews");
    let mut all: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    all.sort();
    all
}

/// The webhook a recorded review was sent to.
fn endpoint(name: &str) -> Endpoint {
    if name.ends_with("-mutate") { Endpoint::Mutate } else { Endpoint::Validate }
}

fn stated() -> BTreeMap<String, Stated> {
    serde_json::from_str(&std::fs::read_to_string(OUTCOMES).unwrap()).unwrap()
}

fn heard(response: &Value) -> Stated {
    Stated {
        allowed: response["allowed"].as_bool().unwrap(),
        code: response["status"]["code"].as_u64(),
        causes: causes(response),
        warnings: warnings(response),
        patch: patch(response).map(|patch| serde_json::to_value(patch).unwrap()),
        audit_annotations: response.get("auditAnnotations").cloned(),
    }
}

fn answered(name: &str, path: &Path) -> Stated {
    let body = std::fs::read(path).unwrap();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let answer = respond(endpoint(name), &body, &Policy::default()).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["response"]["uid"], review["request"]["uid"], "{name}");
    heard(&answer["response"])
}

#[test]
fn every_recorded_review_has_its_stated_outcome() {
    let all: BTreeMap<_, _> =
        recorded().iter().map(|(name, path)| (name.clone(), answered(name, path))).collect();
    if std::env::var_os("UPDATE_OUTCOMES").is_some() {
        std::fs::write(OUTCOMES, serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
    }
    let stated = stated();
    assert_eq!(stated.len(), 78);
    for (name, outcome) in &all {
        assert_eq!(Some(outcome), stated.get(name), "{name}");
    }
    assert_eq!(all.len(), stated.len());
}

#[test]
fn nothing_that_whereabouts_wrote_is_denied() {
    let own: Vec<_> = recorded().into_iter().filter(|(name, _)| name.starts_with("whereabouts-")).collect();
    assert_eq!(own.len(), 19);
    for (name, path) in own {
        let body = std::fs::read(path).unwrap();
        for endpoint in [Endpoint::Validate, Endpoint::Mutate] {
            let answer = respond(endpoint, &body, &Policy::default()).unwrap();
            assert!(matches!(answer.record.outcome, Outcome::Allowed | Outcome::Warned), "{name}");
        }
    }
}

#[test]
fn each_recorded_review_is_answered_by_both_endpoints() {
    for (name, path) in recorded() {
        let other = match endpoint(&name) {
            Endpoint::Mutate => Endpoint::Validate,
            Endpoint::Validate => Endpoint::Mutate,
        };
        let answer = respond(other, &std::fs::read(path).unwrap(), &Policy::default()).unwrap();
        let refused = answer.record.outcome == Outcome::Denied;
        assert!(other == Endpoint::Validate || !refused, "{name}: /mutate never refuses");
    }
}

/// What was sent only to the mutating webhook, because the schema of the CRD refuses it right after; the
/// rules refuse the same where that schema is missing or loosened.
#[test]
fn what_the_schema_of_the_crd_rejects_the_rules_deny_too() {
    let expected = [
        (
            "create-integer-range-mutate",
            "IPP101",
            "spec.range: Invalid value: \"number\": must be the network",
        ),
        ("create-no-range-mutate", "IPP101", "spec.range: Required value: must be the network"),
        ("create-null-range-mutate", "IPP101", "spec.range: Required value: must be the network"),
        (
            "create-list-allocations-mutate",
            "IPP201",
            "spec.allocations: Invalid value: \"array\": must be an object",
        ),
        ("create-no-allocations-mutate", "IPP201", "spec.allocations: Required value: must be an object"),
        ("create-null-allocations-mutate", "IPP201", "spec.allocations: Required value: must be an object"),
        ("create-no-id-mutate", "IPP209", "spec.allocations[1].id: Required value: must be the id"),
        (
            "create-no-podref-mutate",
            "IPP209",
            "spec.allocations[1].podref: Required value: must be namespace/name",
        ),
    ];
    for (name, rule, start) in expected {
        let body = std::fs::read(format!("tests/fixtures/reviews/{name}.json")).unwrap();
        let answer = respond(Endpoint::Validate, &body, &Policy::default()).unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let causes = causes(&answer["response"]);
        assert_eq!(causes.len(), 1, "{name}: {causes:?}");
        assert!(
            causes[0].starts_with(start) && causes[0].ends_with(&format!("[{rule}]")),
            "{name}: {causes:?}"
        );
        assert_eq!(answer["response"]["auditAnnotations"]["denied-by"], rule, "{name}");
    }
}

/// The same over real TLS, on one kept connection as the apiserver uses it.
#[cfg(feature = "serve")]
#[tokio::test]
async fn every_recorded_review_has_its_stated_outcome_over_tls() {
    let (running, stated) = (testkit::server::Running::start().await, stated());
    let mut caller = running.caller().await;
    for (name, path) in recorded() {
        let body = std::fs::read_to_string(path).unwrap();
        let url = format!("/{}?timeout=10s", endpoint(&name).as_str());
        let reply = caller.post(&url, &body).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text);
        let (asked, answered): (Value, _) = (serde_json::from_str(&body).unwrap(), reply.json());
        assert_eq!(answered["response"]["uid"], asked["request"]["uid"], "{name}");
        assert_eq!(Some(&heard(&answered["response"])), stated.get(&name), "{name}");
    }
}
