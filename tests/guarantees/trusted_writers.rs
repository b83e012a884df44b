//! Guarantee 2: an UPDATE by a trusted writer is never denied.

use ippool_webhook::admission::Endpoint;
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};
use testkit::review::{PERSON, ROBOT, WHEREABOUTS, ask, ask_under, changed, holding, patch, record, review};

#[test]
fn what_trust_allows_is_counted_and_warned_of() {
    let (empty, bad) = (holding("10.0.0.0/24", &[]), holding("10.0.0.0/24", &["300"]));
    let worse = holding("10.0.0.0/24", &["300", "400"]);
    let trusted = record(WHEREABOUTS, &bad, &empty);
    assert!(trusted.trusted);
    assert_eq!((trusted.would_deny, trusted.outcome.as_str()), (1, "warned"));
    // What is preexisting would not deny either.
    assert_eq!(record(WHEREABOUTS, &worse, &bad).would_deny, 1);
    assert_eq!(record(WHEREABOUTS, &bad, &worse).would_deny, 0);
    assert_eq!(record(PERSON, &worse, &bad).would_deny, 0);
}

#[test]
fn only_an_untrusted_service_account_can_write_as_an_untrusted_plugin() {
    let empty = holding("10.0.0.0/24", &[]);
    let mut one = holding("10.0.0.0/24", &["1"]);
    one["spec"]["allocations"]["1"]["id"] = json!("3b0f5a1c".repeat(8));
    assert!(record(ROBOT, &one, &empty).untrusted_plugin_write);
    assert!(!record(ROBOT, &holding("10.0.0.0/24", &["1", "2"]), &empty).untrusted_plugin_write);
    assert!(!record(WHEREABOUTS, &one, &empty).untrusted_plugin_write);
    assert!(!record(PERSON, &one, &empty).untrusted_plugin_write);
}

#[test]
fn an_update_by_a_trusted_writer_is_not_normalized() {
    let stored = holding("10.0.0.5/24", &[]);
    let new = changed(&stored, "10.0.0.0/024", &[]);
    let patched =
        |username| patch(&ask(Endpoint::Mutate, &review("UPDATE", username, &new, &stored))).is_some();
    assert_eq!([PERSON, ROBOT, WHEREABOUTS].map(patched), [true, true, false]);
}

#[test]
fn a_warning_says_that_it_would_be_denied_only_where_it_would_be() {
    let warn: Policy = serde_json::from_value(json!({ "enforcement": "warn" })).unwrap();
    let (empty, bad) = (holding("10.0.0.0/24", &[]), holding("10.0.0.0/24", &["300"]));
    let says_so = |policy: &Policy, username, new: &Value, old: &Value| {
        let response = ask_under(policy, Endpoint::Validate, &review("UPDATE", username, new, old));
        let warnings = response["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1, "{response}");
        warnings[0].as_str().unwrap().starts_with("would be denied: ")
    };
    assert!(says_so(&warn, PERSON, &bad, &empty));
    // Neither what is preexisting nor what a trusted writer does would be denied.
    assert!(!says_so(&warn, PERSON, &bad, &bad));
    assert!(!says_so(&warn, WHEREABOUTS, &bad, &empty));
    assert!(!says_so(&Policy::default(), WHEREABOUTS, &bad, &empty));
}
