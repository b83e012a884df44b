//! The four laws and normalizing, on cases a person can follow. The same laws over generated pools are in
//! `properties.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use ippool_webhook::admission::{Endpoint, ReviewRecord, respond};
use ippool_webhook::kinds::ippool::{IpPool, Pool};
use ippool_webhook::kinds::{FileEdit, Kind as _};
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};
use testkit::review::{
    PERSON, ROBOT, WHEREABOUTS, ask, ask_under, causes, mutated, patch, pool, review, warnings,
};

/// A pool of `range` with good entries at `offsets`.
fn holding(range: &str, offsets: &[&str]) -> Value {
    let entries = offsets.iter().map(|it| ((*it).to_owned(), json!({ "id": "a", "podref": "default/a" })));
    pool(&json!({ "range": range, "allocations": Value::Object(entries.collect()) }))
}

/// `old` with another spec.
fn changed(old: &Value, range: &str, offsets: &[&str]) -> Value {
    let mut new = old.clone();
    new["spec"] = holding(range, offsets)["spec"].clone();
    new
}

/// What comes of an update by a person: normalized, then judged.
fn updated(old: &Value, new: &Value) -> (Value, Value) {
    let mut new = new.clone();
    new["metadata"]["name"] = old["metadata"]["name"].clone();
    let stored = mutated(&review("UPDATE", PERSON, &new, old));
    let response = ask(Endpoint::Validate, &review("UPDATE", PERSON, &stored, old));
    (stored, response)
}

/// What comes of the creation of a pool of this name by a person: normalized, then judged.
fn created(name: &str, object: &Value) -> (Value, Value) {
    let mut new = object.clone();
    new["metadata"]["name"] = json!(name);
    let stored = mutated(&review("CREATE", PERSON, &new, &Value::Null));
    let response = ask(Endpoint::Validate, &review("CREATE", PERSON, &stored, &Value::Null));
    (stored, response)
}

/// Asserts that each cause has the rule it is paired with, in this order.
#[track_caller]
fn refused(response: &Value, expected: &[(&str, &str)]) {
    assert_eq!(response["allowed"], false, "{response}");
    let causes = causes(response);
    assert_eq!(causes.len(), expected.len(), "{causes:?}");
    for (cause, (rule, start)) in causes.iter().zip(expected) {
        assert!(cause.starts_with(start) && cause.ends_with(&format!("[{rule}]")), "{cause}");
    }
}

#[track_caller]
fn allowed(response: &Value) -> Vec<String> {
    assert_eq!(response["allowed"], true, "{:?}", causes(response));
    warnings(response)
}

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
    refused(&response, &[("IPP104", host_bits), ("IPP301", moves)]);
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
        refused(&response, &[("IPP104", &start)]);
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

#[test]
fn a_repair_of_host_bits_with_every_key_is_allowed_and_silent() {
    let stored = holding("10.53.0.7/24", &["1", "8", "9", "300"]);
    let repaired = changed(&stored, "10.53.0.0/24", &["8", "15", "16", "307"]);
    let (after, response) = updated(&stored, &repaired);
    assert_eq!(after, repaired);
    let said = "spec.allocations[307]: must be at most 255, the last offset in 10.53.0.0/24 (10.53.1.51) \
                [IPP206, preexisting]";
    assert_eq!(allowed(&response), [said]);
}

#[test]
fn a_repair_of_host_bits_without_the_keys_says_which_to_write() {
    let mut stored = holding("10.53.0.7/24", &["1", "8"]);
    stored["spec"]["allocations"]["8"]["podref"] = json!("default/b");
    let mut new = stored.clone();
    new["spec"]["range"] = json!("10.53.0.0/24");
    let moves = "spec.range: Invalid value: \"10.53.0.0/24\": field is immutable, unless every offset is \
                 rewritten in the same request: \"1\" becomes \"8\" (10.53.0.8), \"8\" becomes \"15\" (10.53.0.15)";
    refused(&updated(&stored, &new).1, &[("IPP301", moves)]);
}

#[test]
fn an_entry_whose_key_another_takes_is_among_the_offsets_to_write() {
    let stored = holding("10.53.0.7/24", &["1", "8"]);
    let mut new = changed(&stored, "10.53.0.0/24", &["1"]);
    new["spec"]["allocations"]["8"] = json!({ "id": "b", "podref": "default/b" });
    let response = updated(&stored, &new).1;
    let both = "\"1\" becomes \"8\" (10.53.0.8), \"8\" becomes \"15\" (10.53.0.15) [IPP301]";
    assert!(causes(&response)[0].ends_with(both), "{:?}", causes(&response));
}

#[test]
fn a_repair_of_host_bits_with_a_wrong_key_is_allowed_with_the_addresses() {
    let mut stored = holding("10.53.0.7/24", &["1", "8"]);
    stored["spec"]["allocations"]["8"]["podref"] = json!("default/b");
    let entries = stored["spec"]["allocations"].clone();
    let mut new = stored.clone();
    new["spec"] =
        json!({ "range": "10.53.0.0/24", "allocations": { "7": entries["1"], "15": entries["8"] } });
    let said = "spec.range: allocations change their address: 10.53.0.8 becomes 10.53.0.7 [IPP301]";
    assert_eq!(allowed(&updated(&stored, &new).1), [said]);
}

#[test]
fn a_moved_pool_goes_back_to_its_name_with_the_addresses_listed() {
    let mut stored = holding("10.0.9.0/24", &["1", "2"]);
    stored["metadata"]["name"] = json!("10.0.0.0-24");
    let back = changed(&stored, "10.0.0.0/24", &["1", "2"]);
    let said = "spec.range: allocations change their address: \
                10.0.9.1 becomes 10.0.0.1, 10.0.9.2 becomes 10.0.0.2 [IPP301]";
    assert!(allowed(&updated(&stored, &back).1).contains(&said.to_owned()));
}

#[test]
fn a_wider_range_with_the_same_base_is_denied_by_the_name() {
    let stored = holding("192.168.42.0/28", &["1"]);
    let wider = changed(&stored, "192.168.42.0/24", &["1"]);
    let start = "metadata.name: Invalid value: \"192.168.42.0-28\": must stay the pool of 192.168.42.0/28: \
                 a network is widened or moved in its network attachment definition";
    refused(&updated(&stored, &wider).1, &[("IPP401", start)]);
}

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
fn a_name_with_another_spelling_is_denied_with_the_right_one() {
    for (name, range, right) in [
        ("192.168.2.225-28", "192.168.2.224/28", "192.168.2.224-28"),
        ("2001-db8-0-0---64", "2001:db8::/64", "2001-db8---64"),
        ("blue-2001-db8-0-0---64", "2001:db8::/64", "blue-2001-db8---64"),
    ] {
        let start =
            format!("metadata.name: Invalid value: \"{name}\": must be {right}, or whereabouts never");
        refused(&created(name, &holding(range, &[])).1, &[("IPP401", &start)]);
    }
}

#[test]
fn a_name_with_host_bits_is_whereabouts_own_after_a_prefix() {
    for name in ["blue-10.0.0.5-24", "node-1-10.0.0.5-24", "10.0.0.0-24", "blue-node-1-10.0.0.0-24"] {
        assert_eq!(allowed(&created(name, &holding("10.0.0.0/24", &[])).1), [""; 0], "{name}");
    }
    assert_eq!(allowed(&created("blue-fd00--5-64", &holding("fd00::/64", &[])).1), [""; 0]);
}

#[test]
fn a_key_that_a_request_brings_in_is_the_one_that_collides() {
    let stored = holding("10.0.0.0/24", &["1"]);
    for key in ["01", "+1"] {
        let response = updated(&stored, &changed(&stored, "10.0.0.0/24", &["1", key])).1;
        let path = format!("spec.allocations[{key}]: ");
        let spelled = format!("{path}Invalid value: \"{key}\": must be written 1 (10.0.0.1)");
        let collides = format!("{path}Duplicate value: \"{key}\": is read as 1, like the key 1 (10.0.0.1)");
        refused(&response, &[("IPP203", &spelled), ("IPP204", &collides)]);
    }
    let stored = holding("10.0.0.0/24", &["01"]);
    let response = updated(&stored, &changed(&stored, "10.0.0.0/24", &["1", "01"])).1;
    refused(
        &response,
        &[("IPP204", "spec.allocations[1]: Duplicate value: \"1\": is read as 1, like the key 01")],
    );
}

#[test]
fn enforcement_of_warnings_denies_nothing_but_a_move_of_stored_entries() {
    let warn: Policy = serde_json::from_value(json!({ "enforcement": "warn" })).unwrap();
    let by_name = json!({ "enforcement": "warn", "rules": { "range-changed": "warn" } });
    let by_name: Policy = serde_json::from_value(by_name).unwrap();
    let stored = holding("192.168.2.224/28", &["1", "2"]);
    let request = review("UPDATE", PERSON, &changed(&stored, "192.168.2.225/28", &["1", "2", "3"]), &stored);
    let moves =
        "spec.range: Invalid value: \"192.168.2.225/28\": field is immutable: must be \"192.168.2.224/28\"";
    refused(&ask_under(&warn, Endpoint::Validate, &request), &[("IPP301", moves)]);
    assert_eq!(ask_under(&by_name, Endpoint::Validate, &request)["allowed"], true);
    let trusted = review("UPDATE", WHEREABOUTS, &request["request"]["object"], &stored);
    assert_eq!(ask_under(&warn, Endpoint::Validate, &trusted)["allowed"], true);
}

#[test]
fn a_range_under_allocations_may_not_become_one_that_cannot_be_read() {
    let warn: Policy = serde_json::from_value(json!({ "enforcement": "warn", "normalize": false })).unwrap();
    let stored = holding("10.0.0.0/24", &["1"]);
    for range in ["10.0.0.0/33", " 10.0.0.0/24", ""] {
        let request = review("UPDATE", PERSON, &changed(&stored, range, &["1"]), &stored);
        let start =
            format!("spec.range: Invalid value: \"{range}\": field is immutable: must be \"10.0.0.0/24\"");
        refused(&ask_under(&warn, Endpoint::Validate, &request), &[("IPP301", &start)]);
    }
    let empty = holding("10.0.0.0/24", &[]);
    let request = review("UPDATE", PERSON, &changed(&empty, "10.0.0.0/33", &[]), &empty);
    assert_eq!(ask_under(&warn, Endpoint::Validate, &request)["allowed"], true);
}

#[test]
fn an_entry_that_moves_out_of_the_range_has_moved() {
    let warn: Policy = serde_json::from_value(json!({ "enforcement": "warn" })).unwrap();
    let stored = holding("10.0.0.224/28", &["5"]);
    let request = review("UPDATE", PERSON, &changed(&stored, "10.0.0.228/30", &["5"]), &stored);
    let moves = "spec.range: Invalid value: \"10.0.0.228/30\": field is immutable: must be \"10.0.0.224/28\", \
                 or allocations move: 10.0.0.229 becomes 10.0.0.233";
    refused(&ask_under(&warn, Endpoint::Validate, &request), &[("IPP301", moves)]);
}

#[test]
fn an_entry_replaced_under_its_key_while_the_base_changes_has_moved() {
    let warn: Policy = serde_json::from_value(json!({ "enforcement": "warn" })).unwrap();
    let reserved = json!({ "id": "reserved", "podref": "" });
    let mut stored = holding("10.0.0.224/28", &["1"]);
    stored["spec"]["allocations"]["2"] = reserved.clone();
    let mut new = stored.clone();
    new["spec"] = json!({ "range": "10.0.0.225/28", "allocations": { "1": reserved } });
    let request = review("UPDATE", PERSON, &new, &stored);
    let moves = "spec.range: Invalid value: \"10.0.0.225/28\": field is immutable: must be \"10.0.0.224/28\", \
                 or allocations move: 10.0.0.225 becomes 10.0.0.226";
    refused(&ask_under(&warn, Endpoint::Validate, &request), &[("IPP301", moves)]);
}

#[test]
fn reservations_alike_that_were_left_under_their_keys_have_moved() {
    let reserved = json!({ "id": "reserved", "podref": "" });
    let mut stored = holding("10.0.0.225/28", &[]);
    stored["metadata"]["name"] = json!("10.0.0.224-28");
    stored["spec"]["allocations"] = json!({ "0": reserved, "1": reserved });
    let mut new = stored.clone();
    new["spec"]["range"] = json!("10.0.0.224/28");
    let start = "spec.range: Invalid value: \"10.0.0.224/28\": field is immutable, unless every offset is rewritten \
                 in the same request: \"1\" becomes \"2\" (10.0.0.226)";
    refused(&updated(&stored, &new).1, &[("IPP301", start)]);
}

#[test]
fn an_entry_left_alone_has_moved_also_beside_one_like_it() {
    let reserved = json!({ "id": "reserved", "podref": "" });
    let mut stored = holding("10.0.0.224/28", &[]);
    stored["spec"]["allocations"] = json!({ "7": reserved });
    let mut new = stored.clone();
    new["spec"] = json!({ "range": "10.0.0.225/28", "allocations": { "6": reserved, "7": reserved } });
    let moved = "spec.range: Invalid value: \"10.0.0.225/28\": field is immutable: must be \"10.0.0.224/28\", \
                 or allocations move: 10.0.0.231 becomes 10.0.0.232";
    let causes = causes(&updated(&stored, &new).1);
    assert!(causes.iter().any(|cause| cause.starts_with(moved)), "{causes:?}");
}

#[test]
fn an_entry_left_alone_in_a_repair_has_moved_beside_one_like_it() {
    let mut stored = holding("10.9.8.225/28", &[]);
    stored["metadata"]["name"] = json!("10.9.8.224-28");
    let entry = json!({ "id": "reserved", "ifname": "eth0", "podref": "infra/dns" });
    stored["spec"]["allocations"] = json!({ "5": entry });
    let mut new = stored.clone();
    let like_it = json!({ "id": "reserved", "podref": "infra/dns" });
    new["spec"] = json!({ "range": "10.9.8.224/28", "allocations": { "5": entry, "6": like_it } });
    let start = "spec.range: Invalid value: \"10.9.8.224/28\": field is immutable, unless every offset is rewritten \
                 in the same request: \"5\" becomes \"6\" (10.9.8.230)";
    refused(&updated(&stored, &new).1, &[("IPP301", start)]);
    // Every offset rewritten, where one of two that are the same takes the key of the other.
    stored["spec"]["allocations"] = json!({ "5": entry, "6": entry });
    new["spec"]["allocations"] = json!({ "6": entry, "7": entry });
    assert_eq!(causes(&updated(&stored, &new).1), [""; 0]);
}

#[test]
fn a_repair_of_host_bits_may_remove_an_entry_on_the_way() {
    let mut stored = holding("10.53.0.7/24", &["1", "8"]);
    stored["spec"]["allocations"]["8"]["podref"] = json!("default/b");
    let mut new = stored.clone();
    let first = stored["spec"]["allocations"]["1"].clone();
    new["spec"] = json!({ "range": "10.53.0.0/24", "allocations": { "8": first } });
    assert_eq!(allowed(&updated(&stored, &new).1), [""; 0]);
}

#[test]
fn all_of_several_allocations_or_most_of_many_are_not_dropped_in_silence() {
    let many: Vec<_> = (1..=12).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for (before, after, removed) in
        [(2, 0, Some(2)), (5, 0, Some(5)), (5, 1, None), (1, 0, None), (12, 5, Some(7)), (12, 6, None)]
    {
        let stored = holding("10.0.0.0/24", &many[..before]);
        let warned = allowed(&updated(&stored, &changed(&stored, "10.0.0.0/24", &many[..after])).1);
        let said = removed.map(|removed| {
            format!(
                "spec.allocations: removes {removed} of {before} allocations; \
                 addresses in use are handed out again [IPP302]"
            )
        });
        assert_eq!(warned, said.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_owner_that_keeps_its_claim_is_not_replaced() {
    let owned = |podref: &str, claim: Value| {
        let mut pool = holding("10.0.0.0/24", &["1"]);
        pool["spec"]["allocations"]["1"] = json!({ "id": "a", "podref": podref, "ipamclaimref": claim });
        pool
    };
    let said = "spec.allocations[1].podref: Invalid value: \"default/b\": \
                replaces \"default/a\", which may still use the address (10.0.0.1) [IPP303]";
    let warned = |before: Value, after: Value| {
        allowed(&updated(&owned("default/a", before), &owned("default/b", after)).1)
    };
    assert_eq!(warned(json!("default/vm"), json!("default/vm")), [""; 0]);
    for (before, after) in [
        (json!("default/vm"), json!("default/other")),
        (json!("default/vm"), Value::Null),
        (Value::Null, Value::Null),
        (json!(""), json!("")),
    ] {
        assert_eq!(warned(before, after).len(), 1);
    }
    let short = said.replace("Invalid value: \"default/b\": ", "");
    assert_eq!(warned(Value::Null, Value::Null), [short]);
}

#[test]
fn a_terminating_pool_is_checked_like_any_other() {
    let mut stored = holding("10.0.0.0/24", &["1"]);
    stored["metadata"]["deletionTimestamp"] = json!("2026-11-22T16:10:33Z");
    let response = updated(&stored, &changed(&stored, "10.0.0.0/24", &["1", "300"])).1;
    refused(&response, &[("IPP206", "spec.allocations[300]: Invalid value: \"300\": must be at most 255")]);
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
fn reservations_without_owner_that_moved_along_are_not_left_behind() {
    let reserved = |range: &str, offsets: std::ops::Range<u32>| {
        let entry = json!({ "id": "x", "podref": "" });
        let entries = offsets.map(|offset| (offset.to_string(), entry.clone()));
        pool(&json!({ "range": range, "allocations": Value::Object(entries.collect()) }))
    };
    let (old, new) = (reserved("10.0.0.5/24", 1..12), reserved("10.0.0.0/24", 6..17));
    let response = ask(Endpoint::Validate, &review("UPDATE", PERSON, &new, &old));
    let warned = allowed(&response);
    assert!(warned.iter().all(|it| it.contains("IPP211")), "{warned:?}");
}

#[test]
fn a_range_that_moves_contradicts_the_name_with_and_without_allocations() {
    let name = "metadata.name: Invalid value: \"10.0.0.0-24\": must stay the pool of 10.0.0.0/24";
    let moves = "spec.range: Invalid value: \"10.9.0.0/24\": field is immutable: must be \"10.0.0.0/24\"";
    let stored = holding("10.0.0.0/24", &["1"]);
    refused(
        &updated(&stored, &changed(&stored, "10.9.0.0/24", &["1"])).1,
        &[("IPP401", name), ("IPP301", moves)],
    );
    let empty = holding("10.0.0.0/24", &[]);
    for range in ["10.9.0.0/24", "fd00::/64"] {
        refused(&updated(&empty, &changed(&empty, range, &[])).1, &[("IPP401", name)]);
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
    refused(&updated(&old, &new).1, &[("IPP210", start)]);
}

#[test]
fn the_code_fits_the_caller_and_the_text_is_the_same() {
    let bad = holding("10.0.0.0/33", &[]);
    let ask_as = |user| ask(Endpoint::Validate, &review("CREATE", user, &bad, &Value::Null));
    let (person, robot, whereabouts) = (ask_as(PERSON), ask_as(ROBOT), ask_as(WHEREABOUTS));
    assert_eq!((&person["status"]["code"], &person["status"]["reason"]), (&json!(422), &json!("Invalid")));
    for service_account in [robot, whereabouts] {
        let status = &service_account["status"];
        assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
        assert_eq!(status["message"], person["status"]["message"]);
        assert_eq!(status["details"], person["status"]["details"]);
    }
}

#[test]
fn causes_are_sorted_by_number_and_the_rest_is_counted() {
    let offsets: Vec<_> =
        (300..330).map(|n| n.to_string()).chain(["1000".to_owned(), "-5".to_owned()]).collect();
    let offsets: Vec<_> = offsets.iter().map(String::as_str).collect();
    let new = holding("10.0.0.0/24", &offsets);
    let response = ask(Endpoint::Validate, &review("CREATE", PERSON, &new, &Value::Null));
    let counted = record(PERSON, &new, &holding("10.0.0.0/24", &[])).findings;
    let counted: Vec<_> = counted.iter().map(|it| (it.rule.id, it.findings)).collect();
    assert_eq!(counted, [("IPP205", 1), ("IPP206", 31)]);
    let causes = causes(&response);
    assert_eq!(causes.len(), 21);
    assert!(causes[0].starts_with("spec.allocations[-5]: "), "{}", causes[0]);
    assert_eq!(
        causes[1],
        "spec.allocations[300]: Invalid value: \"300\": must be at most 255, the last offset in 10.0.0.0/24 (10.0.1.44) [IPP206]"
    );
    assert!(causes[19].starts_with("spec.allocations[318]: "), "{}", causes[19]);
    assert_eq!(causes[20], "spec: Too many: 12 more findings are left out here");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "IPPool.whereabouts.cni.cncf.io \"10.0.0.0-24\" is invalid: [spec.allocations[-5]: "
        )
    );
}

/// What is logged and counted of an update by `username`.
fn record(username: &str, new: &Value, old: &Value) -> ReviewRecord {
    let body = review("UPDATE", username, new, old).to_string();
    respond(Endpoint::Validate, body.as_bytes(), &Policy::default()).unwrap().record
}

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
fn a_pool_in_a_file_is_not_rewritten_where_an_address_could_move() {
    for (why, object) in [
        ("an unreadable key", holding("10.0.0.5/24", &["1", "one"])),
        ("two keys that are one", holding("10.0.0.5/24", &["1", "01"])),
        ("a key below the base", holding("10.0.0.5/24", &["-1"])),
        ("a key past the family", holding("10.0.0.5/24", &["4294967294"])),
        ("a shift past 2^63-1", holding("fd00::ffff:ffff:ffff:ffff/64", &["1"])),
        ("a key that a shift would push past 2^63-1", holding("fd00::5/64", &["9223372036854775807"])),
        ("a mapped range with no address inside", holding("::ffff:10.0.0.5/90", &["1"])),
    ] {
        assert_eq!(IpPool::file_edits(&Pool::parse(&object.to_string()).unwrap()), [], "{why}");
    }
}

#[test]
fn a_pool_in_a_file_is_rewritten_with_its_offsets() {
    let edits = |object: Value| IpPool::file_edits(&Pool::parse(&object.to_string()).unwrap());
    let range = || FileEdit { path: ["spec", "range"], key: None, text: "10.0.0.0/24".to_owned() };
    let key = |key: &str, text: &str| FileEdit {
        path: ["spec", "allocations"],
        key: Some(key.to_owned()),
        text: text.to_owned(),
    };
    let rewritten = edits(holding(" 10.0.0.5/24", &["5", "010"]));
    assert_eq!(rewritten.iter().find(|it| it.key.is_none()), Some(&range()));
    assert!(rewritten.contains(&key("5", "10")) && rewritten.contains(&key("010", "15")), "{rewritten:?}");
    assert_eq!(edits(holding("10.0.0.0/24", &["007"])), [key("007", "7")]);
    assert_eq!(edits(holding("10.0.0.0/024", &["one"])), [range()]);
}

#[test]
fn a_common_mistake_in_a_range_is_named_with_what_would_be_right() {
    let slips = [
        ("10.0.0.1", "with a prefix length after the address, for example 10.0.0.0/24"),
        ("10.0.0.0/33", "with a prefix length from 0 to 32 for IPv4"),
        ("fd00::/-1", "with a prefix length from 0 to 128 for IPv6"),
        ("10.0.0.0/255.255.254.0", "with a prefix length in place of the netmask: 10.0.0.0/23"),
        ("010.0.0.5/24", "without leading zeros: 10.0.0.5/24, if that is meant"),
        (" 10.0.0.5/24\t", "without whitespace around it: 10.0.0.5/24"),
        (
            "10.0.0.9-10.0.0.20/24",
            "not start-end: 10.0.0.0/24 here, range_start and range_end in the network",
        ),
        ("fd00::1%eth0/64", "without a zone"),
        ("10.0.0.0/24,10.0.1.0/24", "one network only: each has a pool of its own"),
        ("10.0.0.0/24/", "for example 10.0.0.0/24 or fd00:1::/64"),
        ("a network", "for example 10.0.0.0/24 or fd00:1::/64"),
    ];
    for (range, right) in slips {
        let response = ask(Endpoint::Validate, &review("CREATE", PERSON, &holding(range, &[]), &Value::Null));
        let said = causes(&response);
        assert_eq!(said.len(), 1, "{range}: {said:?}");
        assert!(said[0].ends_with(&format!("must be a valid CIDR value, {right} [IPP102]")), "{said:?}");
    }
}

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
    refused(
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
