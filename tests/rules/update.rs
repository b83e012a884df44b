//! IPP3xx: a range that changes under its entries, and entries that an update removes or gives to another owner.

use ippool_webhook::admission::Endpoint;
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};
use testkit::review::{
    PERSON, WHEREABOUTS, allowed, ask, ask_under, causes, changed, denied, holding, pool, review, updated,
};

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
    denied(&updated(&stored, &new).1, &[("IPP301", moves)]);
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
    denied(&updated(&stored, &wider).1, &[("IPP401", start)]);
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
    denied(&ask_under(&warn, Endpoint::Validate, &request), &[("IPP301", moves)]);
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
        denied(&ask_under(&warn, Endpoint::Validate, &request), &[("IPP301", &start)]);
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
    denied(&ask_under(&warn, Endpoint::Validate, &request), &[("IPP301", moves)]);
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
    denied(&ask_under(&warn, Endpoint::Validate, &request), &[("IPP301", moves)]);
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
    denied(&updated(&stored, &new).1, &[("IPP301", start)]);
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
    denied(&updated(&stored, &new).1, &[("IPP301", start)]);
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
    denied(
        &updated(&stored, &changed(&stored, "10.9.0.0/24", &["1"])).1,
        &[("IPP401", name), ("IPP301", moves)],
    );
    let empty = holding("10.0.0.0/24", &[]);
    for range in ["10.9.0.0/24", "fd00::/64"] {
        denied(&updated(&empty, &changed(&empty, range, &[])).1, &[("IPP401", name)]);
    }
}

#[test]
fn an_entry_of_another_network_answers_for_its_offset() {
    let stored = holding("10.0.0.5/24", &["300"]);
    let response = updated(&stored, &changed(&stored, "10.9.0.0/24", &["305"])).1;
    let (name, moves) = ("metadata.name: Invalid value: ", "spec.range: Invalid value: ");
    let far = "spec.allocations[305]: Invalid value: \"305\": must be at most 255";
    denied(&response, &[("IPP401", name), ("IPP206", far), ("IPP301", moves)]);
}

#[test]
fn a_broken_range_repaired_with_host_bits_is_denied() {
    let stored = holding("10.0.0.0/33", &["5"]);
    let response = updated(&stored, &changed(&stored, "10.0.0.5/24", &["5"])).1;
    let text =
        "spec.range: Invalid value: \"10.0.0.5/24\": must be \"10.0.0.0/24\", from which offsets count";
    denied(&response, &[("IPP104", text)]);
}

#[test]
fn an_entry_that_is_kept_and_changed_counts_as_kept() {
    let stored = holding("10.0.0.0/24", &["1", "2"]);
    let mut new = changed(&stored, "10.0.0.0/33", &["1", "2"]);
    new["spec"]["allocations"]["2"]["id"] = json!("b");
    let not_cidr = "spec.range: Invalid value: \"10.0.0.0/33\": must be a valid CIDR value";
    let moves = "spec.range: Invalid value: \"10.0.0.0/33\": field is immutable: must be \"10.0.0.0/24\"";
    denied(&updated(&stored, &new).1, &[("IPP102", not_cidr), ("IPP301", moves)]);
}

#[test]
fn of_two_keys_of_one_offset_each_is_compared_with_itself() {
    let mut stored = holding("10.0.0.0/24", &["01", "1"]);
    stored["spec"]["allocations"]["1"]["podref"] = json!("default/b");
    let mut new = stored.clone();
    new["spec"]["allocations"]["01"]["podref"] = json!("default/c");
    let said = "spec.allocations[01].podref: replaces \"default/a\", which may still use the address (10.0.0.1) [IPP303]";
    let warned = allowed(&updated(&stored, &new).1);
    assert!(warned.contains(&said.to_owned()), "{warned:?}");
}
