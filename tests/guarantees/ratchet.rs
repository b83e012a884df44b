//! Guarantee 1, the ratchet: a request answers only for what it brings in.

use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};
use testkit::review::{PERSON, allowed, causes, changed, denied, holding, review, updated};

#[test]
fn a_respelled_range_keeps_its_entries_whatever_the_name() {
    for name in ["fd00-5---64", "fd00-6---64"] {
        let mut stored = holding("FD00:5::/64", &["1"]);
        stored["metadata"]["name"] = json!(name);
        let (after, response) = updated(&stored, &changed(&stored, "fd00:5::/64", &["1"]));
        assert_eq!(after["spec"]["range"], "fd00:5::/64");
        assert_eq!(allowed(&response), [""; 0]);
    }
}

#[test]
fn a_key_that_a_request_brings_in_is_the_one_that_collides() {
    let stored = holding("10.0.0.0/24", &["1"]);
    for key in ["01", "+1"] {
        let response = updated(&stored, &changed(&stored, "10.0.0.0/24", &["1", key])).1;
        let path = format!("spec.allocations[{key}]: ");
        let spelled = format!("{path}Invalid value: \"{key}\": must be written 1 (10.0.0.1)");
        let collides = format!("{path}Duplicate value: \"{key}\": is read as 1, like the key 1 (10.0.0.1)");
        denied(&response, &[("IPP203", &spelled), ("IPP204", &collides)]);
    }
    let stored = holding("10.0.0.0/24", &["01"]);
    let response = updated(&stored, &changed(&stored, "10.0.0.0/24", &["1", "01"])).1;
    denied(
        &response,
        &[("IPP204", "spec.allocations[1]: Duplicate value: \"1\": is read as 1, like the key 01")],
    );
}

#[test]
fn a_terminating_pool_is_checked_like_any_other() {
    let mut stored = holding("10.0.0.0/24", &["1"]);
    stored["metadata"]["deletionTimestamp"] = json!("2026-11-22T16:10:33Z");
    let response = updated(&stored, &changed(&stored, "10.0.0.0/24", &["1", "300"])).1;
    denied(&response, &[("IPP206", "spec.allocations[300]: Invalid value: \"300\": must be at most 255")]);
}

#[test]
fn a_policy_cannot_deny_what_is_never_denied() {
    for (rule, why) in [
        ("IPP302", "IPP302 can be warn or off, not deny: a removal of allocations is never denied"),
        ("pool-in-use-deleted", "IPP601 can be warn or off, not deny: a DELETE is never denied"),
    ] {
        let error = serde_json::from_value::<Policy>(json!({ "rules": { rule: "deny" } })).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
}

#[test]
fn a_range_that_cannot_be_read_may_be_repaired_under_its_allocations() {
    for broken in ["10.0.0.0/33", "foo", "", "010.0.0.0/24"] {
        let mut stored = holding(broken, &["5", "300"]);
        stored["metadata"]["name"] = json!("10.0.0.0-24");
        let response = updated(&stored, &holding("10.0.0.0/24", &["5", "300"])).1;
        let far = "spec.allocations[300]: must be at most 255, the last offset in 10.0.0.0/24 (10.0.1.44) \
                   [IPP206, preexisting]";
        assert_eq!(allowed(&response), [far], "{broken}");
    }
}

#[test]
fn a_mapped_range_in_which_nothing_could_be_may_be_repaired() {
    for repaired in ["10.0.0.0/24", "::ffff:10.0.0.0/120"] {
        let response = updated(&holding("::ffff:10.0.0.0/24", &["5"]), &holding(repaired, &["5"])).1;
        assert_eq!(response["allowed"], true, "{repaired}: {:?}", causes(&response));
    }
}

#[test]
fn one_defect_of_several_may_be_repaired_at_a_time() {
    let old = holding("10.0.0.0/24", &["-1", "300", "one", "1", "01"]);
    for offsets in
        [&["300", "one", "1", "01"][..], &["-1", "44", "one", "1", "01"], &["-1", "300", "3", "1", "01"]]
    {
        let (_, response) = updated(&old, &holding("10.0.0.0/24", offsets));
        let warned = allowed(&response);
        assert!(warned.iter().all(|it| it.contains("preexisting")), "{warned:?}");
    }
}

#[test]
fn addresses_renamed_to_their_offsets_are_not_dropped() {
    let addresses: Vec<_> = (1..13).map(|n| format!("10.0.0.{n}")).collect();
    let offsets: Vec<_> = (1..13).map(|n| n.to_string()).collect();
    let refs = |all: &'static [String]| all.iter().map(String::as_str).collect::<Vec<_>>();
    let old = holding("10.0.0.0/24", &refs(addresses.leak()));
    let new = holding("10.0.0.0/24", &refs(offsets.leak()));
    assert_eq!(allowed(&updated(&old, &new).1), [""; 0]);
}

#[test]
fn a_wrong_value_replaced_by_another_wrong_value_is_denied() {
    let mut old = holding("10.0.0.0/24", &["1"]);
    old["spec"]["allocations"]["1"]["podref"] = json!("nonamespace");
    let mut new = old.clone();
    new["spec"]["allocations"]["1"]["podref"] = json!("a/b/c");
    let start = "spec.allocations[1].podref: Invalid value: \"a/b/c\": must be namespace/name of the pod";
    denied(&updated(&old, &new).1, &[("IPP210", start)]);
}

/// An update of a pool of these entries by a person, under a policy that denies an owner twice.
fn reordered(old: &str, new: &str) -> Value {
    let policy: Policy = serde_json::from_value(json!({ "rules": { "IPP213": "deny" } })).unwrap();
    let pool = |entries: &str| format!(r#"{{"spec":{{"range":"10.0.0.0/24","allocations":{{{entries}}}}}}}"#);
    let body = review("UPDATE", PERSON, &json!("new"), &json!("old")).to_string();
    let body = body.replace(r#""new""#, &pool(new)).replace(r#""old""#, &pool(old));
    let response = respond(Endpoint::Validate, body.as_bytes(), &policy).unwrap();
    serde_json::from_slice::<Value>(&response.body).unwrap()["response"].clone()
}

#[test]
fn entries_that_only_change_their_order_are_never_denied() {
    let [one, two, padded] = ["1", "2", "02"]
        .map(|key| format!(r#""{key}":{{"id":"{key}","ifname":"eth0","podref":"default/a"}}"#));
    let twice = "spec.allocations[1].podref: already holds spec.allocations[2] with the same ifname (10.0.0.1) \
                 [IPP213]";
    assert_eq!(allowed(&reordered(&format!("{one},{two}"), &format!("{two},{one}"))), [twice]);
    let response = reordered(&format!("{one},{two},{padded}"), &format!("{padded},{two},{one}"));
    assert!(allowed(&response).contains(&twice.replace("[2]", "[02]")), "{response}");
    let response = reordered(&one, &format!("{two},{one}"));
    denied(
        &response,
        &[("IPP213", "spec.allocations[1].podref: Duplicate value: \"default/a\": already holds")],
    );
}
