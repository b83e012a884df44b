//! What an administrator may set.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ippool_webhook::admission::Endpoint;
use ippool_webhook::policy::{Policy, TRUSTED_WRITERS};
use serde_json::{Value, json};
use testkit::review::{PERSON, ask_under, denied, holding, patch, review, warnings};

#[test]
fn normalizing_can_be_switched_off_and_rules_set() {
    let policy: Policy = serde_json::from_value(json!({
        "normalize": false,
        "rules": { "IPP104": "warn", "owner-twice": "deny", "IPP401": "off" },
    }))
    .unwrap();
    let mut object = holding("10.0.0.5/24", &["1", "2"]);
    object["metadata"]["name"] = json!("elsewhere");
    for key in ["1", "2"] {
        object["spec"]["allocations"][key]["ifname"] = json!("net1");
    }
    let request = review("CREATE", PERSON, &object, &Value::Null);
    assert_eq!(patch(&ask_under(&policy, Endpoint::Mutate, &request)), None);
    let response = ask_under(&policy, Endpoint::Validate, &request);
    denied(
        &response,
        &[("IPP213", "spec.allocations[2].podref: Duplicate value: \"default/a\": already holds")],
    );
    assert_eq!(warnings(&response).len(), 1);
    assert!(warnings(&response)[0].ends_with("[IPP104]"));
}

#[test]
fn a_policy_with_a_mistake_is_rejected_and_says_which() {
    let mistake = |policy: Value| serde_json::from_value::<Policy>(policy).unwrap_err().to_string();
    assert!(mistake(json!({ "rules": { "IPP999": "deny" } })).contains("no rule is called \"IPP999\""));
    assert!(mistake(json!({ "rules": { "IPP206": "error" } })).contains("unknown variant `error`"));
    assert!(
        mistake(json!({ "rules": { "IPP206": "warn", "offset-out-of-range": "off" } })).contains("twice")
    );
    assert!(mistake(json!({ "trustedWriters": ["*"] })).contains("would trust everyone"));
    assert!(mistake(json!({ "trusted": [] })).contains("unknown field `trusted`"));
}

#[test]
fn the_trusted_writers_are_listed_as_written() {
    let listed: Vec<_> = Policy::default().trusted_writers().collect();
    assert_eq!(listed, TRUSTED_WRITERS);
}
