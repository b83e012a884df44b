//! Guarantee 4: admission never writes, moves or removes an entry.

use ippool_webhook::admission::Endpoint;
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};
use testkit::review::{
    PERSON, allowed, ask_under, causes, changed, created, denied, holding, review, updated,
};

#[test]
fn a_manifest_with_host_bits_can_be_applied_again_and_moves_nothing() {
    let stored = holding("10.0.0.0/24", &["6", "9"]);
    let manifest = holding("10.0.0.5/24", &["6", "9"]);
    let (after, response) = updated(&stored, &manifest);
    assert_eq!(after["spec"], stored["spec"], "the offsets count from the stored range");
    assert_eq!(allowed(&response), [""; 0]);
}

#[test]
fn host_bits_beside_entries_are_denied_with_the_offsets_to_write() {
    let manifest = holding("192.168.2.225/28", &["1", "14", "99", "one"]);
    let (after, response) = created("192.168.2.224-28", &manifest);
    assert_eq!(after["spec"], manifest["spec"], "nothing is stored that was not written");
    let text = "spec.range: Invalid value: \"192.168.2.225/28\": must be \"192.168.2.224/28\", \
                from which offsets count: \"1\" becomes \"2\" (192.168.2.226), \
                \"14\" becomes \"15\" (192.168.2.239) [IPP104]";
    assert!(causes(&response).contains(&text.to_owned()), "{:?}", causes(&response));
}

#[test]
fn host_bits_beside_nothing_that_has_an_offset_to_write_name_none() {
    let response = created("192.168.2.224-28", &holding("192.168.2.225/28", &["99", "one"])).1;
    let text = "must be \"192.168.2.224/28\", from which offsets count [IPP104]";
    assert!(causes(&response).last().unwrap().ends_with(text), "{:?}", causes(&response));
}

#[test]
fn a_number_counted_from_host_bits_says_from_where_it_counts() {
    let causes = causes(&created("10.0.0.0-24", &holding("10.0.0.5/24", &["01", "254", "10.0.0.9"])).1);
    let said = [
        ": must be written 1, counted from 10.0.0.5 (10.0.0.6) [IPP203]",
        ": must be at most 250, the last offset in 10.0.0.0/24, counted from 10.0.0.5 (10.0.1.3) [IPP206]",
        ": must be an offset: 10.0.0.9 is offset 4, counted from 10.0.0.5 [IPP202]",
        "\"01\" becomes \"6\" (10.0.0.6) [IPP104]",
    ];
    assert_eq!(causes.len(), said.len());
    assert!(causes.iter().zip(said).all(|(cause, said)| cause.ends_with(said)), "{causes:?}");
}

#[test]
fn at_most_twenty_offsets_to_write_are_named_and_five_in_a_warning() {
    let offsets: Vec<_> = (1..=23).map(|n| n.to_string()).collect();
    let offsets: Vec<_> = offsets.iter().map(String::as_str).collect();
    let manifest = holding("10.0.0.5/24", &offsets);
    let cause = &causes(&created("10.0.0.0-24", &manifest).1)[0];
    assert!(cause.ends_with("\"20\" becomes \"25\" (10.0.0.25) and 3 more [IPP104]"), "{cause}");
    let policy: Policy = serde_json::from_value(json!({ "rules": { "IPP104": "warn" } })).unwrap();
    let mut named = manifest;
    named["metadata"]["name"] = json!("10.0.0.0-24");
    let request = review("CREATE", PERSON, &named, &Value::Null);
    let warning = &allowed(&ask_under(&policy, Endpoint::Validate, &request))[0];
    assert!(warning.ends_with("\"5\" becomes \"10\" (10.0.0.10) and 18 more [IPP104]"), "{warning}");
}

#[test]
fn an_offset_that_cannot_be_written_is_said_to_be_past_the_last() {
    let response = created("fd00---8", &holding("fd00:8000::/8", &["1"])).1;
    let text =
        "from which offsets count: \"1\" (fd00:8000::1) is past the last offset that whereabouts reads";
    assert!(causes(&response)[0].contains(text), "{:?}", causes(&response));
}

#[test]
fn host_bits_added_beside_new_entries_name_the_stored_range() {
    let stored = holding("10.0.0.0/24", &["6"]);
    let more = changed(&stored, "10.0.0.5/24", &["6", "9"]);
    let (after, response) = updated(&stored, &more);
    assert_eq!(after["spec"], more["spec"], "nobody can say from where the offsets count");
    let host_bits = "spec.range: Invalid value: \"10.0.0.5/24\": must be \"10.0.0.0/24\", \
                     from which offsets count: \"9\" becomes \"14\" (10.0.0.14)";
    let moves = "spec.range: Invalid value: \"10.0.0.5/24\": field is immutable: must be \"10.0.0.0/24\", \
                 or allocations move: 10.0.0.6 becomes 10.0.0.11";
    denied(&response, &[("IPP104", host_bits), ("IPP301", moves)]);
}

#[test]
fn an_empty_pool_takes_host_bits_as_its_network_however_large() {
    for (stored, range) in [("10.0.0.0/24", "10.0.0.5/24"), ("fd80::/10", "fd80:e200:7600::97ad/10")] {
        let (after, response) = updated(&holding(stored, &[]), &holding(range, &[]));
        assert_eq!(after["spec"]["range"], stored);
        assert_eq!(allowed(&response), [""; 0]);
        let (after, response) = created(&stored.replace([':', '/'], "-"), &holding(range, &[]));
        assert_eq!(after["spec"]["range"], stored);
        assert_eq!(response["allowed"], true);
    }
}

#[test]
fn host_bits_that_a_request_brings_in_are_its_own() {
    let policy: Policy = serde_json::from_value(json!({ "normalize": false })).unwrap();
    for (old, new) in [("10.0.0.0/24", "10.0.0.5/24"), ("10.0.0.5/24", "10.0.0.9/24")] {
        let old = holding(old, &[]);
        let request = review("UPDATE", PERSON, &changed(&old, new, &[]), &old);
        let response = ask_under(&policy, Endpoint::Validate, &request);
        let start = format!("spec.range: Invalid value: \"{new}\": must be \"10.0.0.0/24\"");
        denied(&response, &[("IPP104", &start)]);
    }
}

#[test]
fn a_stored_pool_with_host_bits_is_worked_with_and_never_renumbered() {
    let stored = holding("10.53.0.7/24", &["1", "8", "9"]);
    for offsets in [&["1", "8"][..], &["1", "8", "9", "20"]] {
        let new = changed(&stored, "10.53.0.7/24", offsets);
        let (after, response) = updated(&stored, &new);
        assert_eq!(after, new);
        let said = "spec.range: must be \"10.53.0.0/24\", with every offset rewritten; \
                    `check --diff` shows how [IPP104, preexisting]";
        assert_eq!(allowed(&response), [said]);
    }
}
