//! IPP6xx: the deletion of a pool in use.

use ippool_webhook::admission::Endpoint;
use serde_json::{Value, json};
use testkit::review::{PERSON, allowed, ask, holding, review};

/// The warnings about the deletion of a pool with these entries: the key and the podref of each.
fn deleted(entries: &[(&str, &str)]) -> Vec<String> {
    let keys: Vec<_> = entries.iter().map(|(key, _)| *key).collect();
    let mut pool = holding("10.0.0.0/24", &keys);
    for (key, podref) in entries {
        pool["spec"]["allocations"][*key]["podref"] = json!(podref);
    }
    allowed(&ask(Endpoint::Validate, &review("DELETE", PERSON, &Value::Null, &pool)))
}

#[test]
fn the_first_three_owners_of_a_deleted_pool_are_named() {
    let entries = [("10", "a/ten"), ("2", "a/two"), ("3", ""), ("one", "a/one")];
    let said = |start: &str, owners: &str| [format!("spec.allocations: {start} in use: {owners} [IPP601]")];
    assert_eq!(deleted(&entries[..1]), said("1 allocation is", "a/ten at 10.0.0.10"));
    let three = "a/two at 10.0.0.2, (no podref) at 10.0.0.3, a/ten at 10.0.0.10";
    assert_eq!(deleted(&entries[..3]), said("3 allocations are", three));
    assert_eq!(deleted(&entries), said("4 allocations are", &format!("{three}, …")));
    let unreadable = "a/two at 10.0.0.2, a/ten at 10.0.0.10, a/one";
    assert_eq!(deleted(&[entries[3], entries[0], entries[1]]), said("3 allocations are", unreadable));
    assert_eq!(deleted(&[]), [""; 0]);
}
