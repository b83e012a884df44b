//! The four laws and normalizing, on cases a person can follow. The same laws over generated pools are in
//! `properties.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod common;

use common::review::{
    PERSON, ROBOT, WHEREABOUTS, ask, ask_under, causes, mutated, patch, pool, review, warnings,
};
use ippool_webhook::admission::Endpoint;
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};

/// A pool of `range` with good entries at `offsets`.
fn holding(range: &str, offsets: &[&str]) -> Value {
    let entries = offsets.iter().map(|it| ((*it).to_owned(), json!({ "id": "a", "podref": "default/a" })));
    pool(&json!({ "range": range, "allocations": Value::Object(entries.collect()) }))
}

/// What comes of an update by a person: normalized, then judged.
fn updated(old: &Value, new: &Value) -> (Value, Value) {
    let stored = mutated(&review("UPDATE", PERSON, new, old));
    let response = ask(Endpoint::Validate, &review("UPDATE", PERSON, &stored, old));
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
fn host_bits_brought_in_beside_another_change_are_refused_and_not_shifted() {
    let (stored, more) = (holding("10.0.0.0/24", &["6"]), holding("10.0.0.5/24", &["6", "9"]));
    let (after, response) = updated(&stored, &more);
    assert_eq!(after["spec"], more["spec"], "nobody can say from where the offsets count");
    refused(
        &response,
        &[
            (
                "IPP104",
                "spec.range: Invalid value: \"10.0.0.5/24\": must be the network address: 10.0.0.0/24",
            ),
            (
                "IPP301",
                "spec.range: Invalid value: \"10.0.0.5/24\": field is immutable: 2 allocations count from 10.0.0.0",
            ),
        ],
    );
}

#[test]
fn an_emptied_pool_may_take_any_range_and_is_normalized() {
    let (after, response) = updated(&holding("10.0.0.0/24", &[]), &holding("10.0.0.5/24", &["1"]));
    assert_eq!(after["spec"]["range"], "10.0.0.0/24");
    assert!(after["spec"]["allocations"].get("6").is_some(), "{after}");
    assert_eq!(allowed(&response), [""; 0]);
}

#[test]
fn host_bits_are_never_taken_for_stored_before() {
    let policy: Policy = serde_json::from_value(json!({ "normalize": false })).unwrap();
    for (old, new) in [("10.0.0.0/24", "10.0.0.5/24"), ("10.0.0.5/24", "10.0.0.9/24")] {
        let request = review("UPDATE", PERSON, &holding(new, &[]), &holding(old, &[]));
        let response = ask_under(&policy, Endpoint::Validate, &request);
        let start = format!("spec.range: Invalid value: \"{new}\": must be the network address");
        refused(&response, &[("IPP104", &start)]);
    }
    let unreadable = ["1", "one"];
    let (old, new) = (holding("10.0.0.0/24", &unreadable), holding("10.0.0.5/24", &unreadable));
    let response = ask(Endpoint::Validate, &review("UPDATE", PERSON, &new, &old));
    assert_eq!(response["auditAnnotations"]["denied-by"], "IPP104,IPP301");
}

#[test]
fn a_pool_with_host_bits_stored_before_is_repaired_by_any_change_of_a_person() {
    let (old, more) = (holding("10.0.0.5/24", &["1", "2"]), holding("10.0.0.5/24", &["1", "2", "3"]));
    let (after, response) = updated(&old, &more);
    assert_eq!(after["spec"], holding("10.0.0.0/24", &["6", "7", "8"])["spec"]);
    assert_eq!(allowed(&response), [""; 0]);
}

#[test]
fn host_bits_taken_away_by_hand_are_let_through_with_the_offset_to_add() {
    let (old, new) = (holding("10.0.0.5/24", &["1", "2"]), holding("10.0.0.0/24", &["1", "2"]));
    let (after, response) = updated(&old, &new);
    assert_eq!(after, new);
    let said = "spec.range: Invalid value: \"10.0.0.0/24\": 2 allocations count from 10.0.0.5; add 5 to keep the addresses [IPP301]";
    assert_eq!(allowed(&response), [said]);
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
fn a_range_moves_only_under_no_allocations() {
    let (here, there) = (holding("10.0.0.0/24", &["1"]), holding("10.9.0.0/24", &["1"]));
    let start =
        "spec.range: Invalid value: \"10.9.0.0/24\": field is immutable: 1 allocation counts from 10.0.0.0";
    refused(&updated(&here, &there).1, &[("IPP301", start)]);
    refused(&updated(&holding("10.0.0.0/24", &[]), &there).1, &[("IPP301", start)]);
    let (empty_here, empty_there) = (holding("10.0.0.0/24", &[]), holding("10.9.0.0/24", &[]));
    assert_eq!(allowed(&updated(&empty_here, &empty_there).1), [""; 0]);
}

#[test]
fn blanks_around_a_stored_range_do_not_open_it_to_a_move() {
    let response = updated(&holding("10.0.1.5/24 ", &["1"]), &holding("10.0.0.0/24", &["1"])).1;
    assert_eq!(response["auditAnnotations"]["denied-by"], "IPP301");
}

#[test]
fn a_range_that_cannot_be_read_may_be_repaired_under_its_allocations() {
    for broken in ["10.0.0.0/33", "foo", "", "010.0.0.0/24"] {
        let response = updated(&holding(broken, &["5"]), &holding("10.0.0.0/24", &["5"])).1;
        assert_eq!(allowed(&response), [""; 0], "{broken}");
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
        assert!(warned.iter().all(|it| it.contains("stored before")), "{warned:?}");
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
fn a_value_that_was_wrong_before_and_is_wrong_otherwise_now_is_refused() {
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
    let response =
        ask(Endpoint::Validate, &review("CREATE", PERSON, &holding("10.0.0.0/24", &offsets), &Value::Null));
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

#[test]
fn what_trust_spares_is_counted_and_warned_of() {
    let (old, new) = (holding("10.0.0.0/24", &[]), holding("10.0.0.0/24", &["300"]));
    let body = review("UPDATE", WHEREABOUTS, &new, &old).to_string();
    let answer =
        ippool_webhook::admission::answer(Endpoint::Validate, body.as_bytes(), &Policy::default()).unwrap();
    assert!(answer.summary.trusted);
    assert_eq!(answer.summary.spared, 1);
    assert_eq!(answer.summary.outcome.as_str(), "warned");
}

#[test]
fn a_plan_is_held_back_where_an_address_could_move() {
    let held_back = [
        ("an unreadable key", holding("10.0.0.5/24", &["1", "one"])),
        ("two keys that are one", holding("10.0.0.5/24", &["1", "01"])),
        ("a key below the base", holding("10.0.0.5/24", &["-1"])),
        ("a key past the family", holding("10.0.0.5/24", &["4294967294"])),
        ("a shift past 2^63-1", holding("fd00::ffff:ffff:ffff:ffff/64", &["1"])),
        ("a key that a shift would push past 2^63-1", holding("fd00::5/64", &["9223372036854775807"])),
        ("a mapped range with no address inside", holding("::ffff:10.0.0.5/90", &["1"])),
    ];
    for (why, object) in held_back {
        let response = ask(Endpoint::Mutate, &review("CREATE", PERSON, &object, &Value::Null));
        assert_eq!(patch(&response), None, "{why}");
    }
}

#[test]
fn keys_that_change_places_move_all_at_once() {
    let mut object = holding("10.0.0.5/24", &["5", "10", "15"]);
    for key in ["5", "10", "15"] {
        object["spec"]["allocations"][key]["podref"] = json!(format!("default/was-{key}"));
    }
    let after = mutated(&review("CREATE", PERSON, &object, &Value::Null));
    for (key, was) in [("10", "5"), ("15", "10"), ("20", "15")] {
        assert_eq!(after["spec"]["allocations"][key]["podref"], format!("default/was-{was}"));
    }
}

#[test]
fn unknown_fields_survive_byte_for_byte() {
    let body = review("CREATE", PERSON, &holding("10.0.0.5/24", &[]), &Value::Null).to_string();
    let entry =
        r#"{"id":"a","podref":"d/a","big":12345678901234567890123,"float":1.10,"e":1E+2,"s":"\u00e9\/"}"#;
    let body = body.replace(r#""allocations":{}"#, &format!(r#""allocations":{{"1":{entry}}}"#));
    let answer =
        ippool_webhook::admission::answer(Endpoint::Mutate, body.as_bytes(), &Policy::default()).unwrap();
    let response: Value = serde_json::from_slice(&answer.body).unwrap();
    let patch = response["response"]["patch"].as_str().unwrap();
    use base64::Engine as _;
    let patch = base64::engine::general_purpose::STANDARD.decode(patch).unwrap();
    let patch = String::from_utf8(patch).unwrap();
    assert!(patch.contains(&format!(r#"{{"6":{entry}}}"#)), "{patch}");
}

#[test]
fn the_usual_slips_in_a_range_are_named_with_what_would_be_right() {
    let slips = [
        ("10.0.0.1", "with a prefix length after the address, for example 10.0.0.0/24"),
        ("10.0.0.0/33", "with a prefix length from 0 to 32 for IPv4"),
        ("fd00::/-1", "with a prefix length from 0 to 128 for IPv6"),
        ("10.0.0.0/255.255.254.0", "with a prefix length in place of the netmask: 10.0.0.0/23"),
        ("010.0.0.5/24", "without leading zeros: 10.0.0.5/24, if that is meant"),
        (" 10.0.0.5/24\t", "without blanks around it: 10.0.0.5/24"),
        (
            "10.0.0.9-10.0.0.20/24",
            "not start-end: 10.0.0.0/24 here, range_start and range_end in the network",
        ),
        ("fd00::1%eth0/64", "without a zone"),
        ("10.0.0.0/24,10.0.1.0/24", "one network alone: each has a pool of its own"),
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
fn a_policy_with_a_mistake_is_refused_and_says_which() {
    let mistake = |policy: Value| serde_json::from_value::<Policy>(policy).unwrap_err().to_string();
    assert!(mistake(json!({ "rules": { "IPP999": "deny" } })).contains("no rule is called \"IPP999\""));
    assert!(mistake(json!({ "rules": { "IPP206": "error" } })).contains("unknown variant `error`"));
    assert!(
        mistake(json!({ "rules": { "IPP206": "warn", "offset-out-of-range": "off" } })).contains("twice")
    );
    assert!(mistake(json!({ "trustedWriters": ["*"] })).contains("would trust everyone"));
    assert!(mistake(json!({ "trusted": [] })).contains("unknown field `trusted`"));
}
