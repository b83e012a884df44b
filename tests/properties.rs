//! What holds for every pool and every request, tried on generated ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::kinds::ippool::{Pool, Range, read_offset};
use ippool_webhook::policy::Policy;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use testkit::review::{PERSON, ROBOT, UID, WHEREABOUTS, ask, causes, mutated, patch, pool, review, warnings};

/// Ranges as people write them: canonical, not canonical, with host bits, and wrong.
fn any_range() -> impl Strategy<Value = Value> {
    let ipv4 = (any::<[u8; 4]>(), 0..=32u8).prop_map(|([a, b, c, d], p)| format!("{a}.{b}.{c}.{d}/{p}"));
    let small = (any::<u8>(), 24..=32u8).prop_map(|(d, p)| format!("10.0.0.{d}/{p}"));
    let ipv6 = (any::<u16>(), any::<u64>(), 0..=128u8).prop_map(|(a, b, p)| {
        let address = std::net::Ipv6Addr::from((0xfd00_u128 << 112) | (u128::from(a) << 64) | u128::from(b));
        format!("{address}/{p}")
    });
    let mapped = (any::<u8>(), 80..=128u8).prop_map(|(d, p)| format!("::ffff:10.0.0.{d}/{p}"));
    let non_canonical = prop_oneof![
        Just(" 10.0.6.0/24 ".to_owned()),
        Just("10.0.7.0/024".to_owned()),
        Just("2001:DB8:0:0::7/64".to_owned()),
        Just("10.0.0.1-10.0.0.9/24".to_owned()),
        Just("010.0.0.0/24".to_owned()),
        Just("10.0.0.1".to_owned()),
        ".{0,20}",
    ];
    let text =
        prop_oneof![2 => small, 2 => ipv4, 2 => ipv6, 1 => mapped, 2 => non_canonical].prop_map(Value::from);
    prop_oneof![20 => text, 1 => Just(Value::Null), 1 => Just(json!(10)), 1 => Just(json!([]))]
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0..300u32).prop_map(|n| n.to_string()),
        2 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<u128>().prop_map(|n| n.to_string()),
        2 => (0..20u32).prop_map(|n| format!("+{n}")),
        2 => (0..20u32).prop_map(|n| format!("00{n}")),
        1 => Just("-0".to_owned()),
        1 => "[a-z0-9.\n\"\\\\]{0,12}",
    ]
}

fn any_text() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => "[a-z0-9]{1,8}".prop_map(Value::from),
        6 => "[a-z]{1,6}/[a-z0-9]{1,9}".prop_map(Value::from),
        2 => any::<String>().prop_map(Value::from),
        1 => Just(json!("")),
        1 => Just(Value::Null),
        1 => any::<i32>().prop_map(Value::from),
    ]
}

fn any_allocation() -> impl Strategy<Value = Value> {
    let fields = (any_text(), any_text(), any_text(), any::<f64>(), 0..16u8);
    let object = fields.prop_map(|(id, podref, ifname, extra, present)| {
        let all = [("id", id), ("podref", podref), ("ifname", ifname), ("extra", json!({ "x": extra }))];
        let kept = all.into_iter().enumerate().filter(|(bit, _)| present & (1 << bit) != 0);
        Value::Object(kept.map(|(_, (key, value))| (key.to_owned(), value)).collect())
    });
    prop_oneof![20 => object, 1 => any_text(), 1 => Just(json!([1]))]
}

fn any_allocations() -> impl Strategy<Value = Value> {
    let map = prop::collection::btree_map(any_key(), any_allocation(), 0..16)
        .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>()));
    prop_oneof![20 => map, 1 => Just(Value::Null), 1 => Just(json!([])), 1 => Just(json!("x"))]
}

fn any_pool() -> impl Strategy<Value = Value> {
    (any_range(), any_allocations(), any::<bool>()).prop_map(|(range, allocations, extra)| {
        let mut object = pool(&json!({ "range": range, "allocations": allocations }));
        if extra {
            object["spec"]["enable_l3"] = json!(true);
            object["status"] = json!({ "n": 1.5e300, "list": [null, "\u{7f}"] });
            object["metadata"]["labels"] = json!({ "a": "b" });
        }
        object
    })
}

fn any_operation() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("CREATE"), Just("UPDATE"), Just("DELETE"), Just("CONNECT")]
}

fn any_user() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(PERSON), Just(ROBOT), Just(WHEREABOUTS)]
}

/// What whereabouts reads: every readable key with its address, and its entry.
fn addresses(object: &Value) -> Option<Vec<(Option<IpAddr>, String)>> {
    // Whitespace around a range is the one thing whereabouts cannot read and normalizing repairs.
    let range = Range::parse(object["spec"]["range"].as_str()?.trim()).ok()?;
    let entries = object["spec"]["allocations"].as_object().cloned().unwrap_or_default();
    let address = |key: &str| read_offset(key).ok().and_then(|offset| range.address_at(offset));
    let mut all: Vec<_> = entries.iter().map(|(key, entry)| (address(key), entry.to_string())).collect();
    all.sort();
    Some(all)
}

/// The object less what normalizing may touch.
fn untouchable(object: &Value) -> Value {
    let mut rest = object.clone();
    rest["spec"]["range"] = Value::Null;
    rest["spec"]["allocations"] = Value::Null;
    rest
}

/// Keeps the allocations whose number has its bit set.
fn keep(object: &Value, mask: u16) -> Value {
    let mut reduced = object.clone();
    if let Some(entries) = reduced["spec"]["allocations"].as_object_mut() {
        let kept = std::mem::take(entries).into_iter().enumerate();
        *entries = kept.filter(|(n, _)| mask & (1 << (n % 16)) != 0).map(|(_, entry)| entry).collect();
    }
    reduced
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_range_holds_the_offsets_of_the_addresses_inside_and_knows_its_edges(
        range in any_range(),
        offset in prop_oneof![0..300i64, any::<i64>(), Just(i64::from(u32::MAX)), Just(i64::from(u32::MAX) - 1)],
        beyond in -1..=1i64,
    ) {
        let range = range.as_str().and_then(|text| Range::parse(text).ok());
        prop_assume!(range.is_some());
        let range = range.unwrap();
        for offset in [Some(offset), range.last_offset().and_then(|last| last.checked_add(beyond))] {
            let Some(offset) = offset else { continue };
            let address = range.address_at(offset);
            prop_assert_eq!(range.holds(offset), address.is_some_and(|it| range.contains(it)), "{}", offset);
            prop_assert_eq!(range.edge_at(offset), address.and_then(|it| range.edge(it)), "{}", offset);
        }
    }

    #[test]
    fn normalizing_keeps_every_address_and_touches_nothing_else(object in any_pool()) {
        let after = mutated(&review("CREATE", PERSON, &object, &Value::Null));
        prop_assert_eq!(addresses(&after), addresses(&object));
        prop_assert_eq!(untouchable(&after), untouchable(&object));
    }

    #[test]
    fn a_second_pass_over_a_normalized_pool_is_a_no_op(object in any_pool()) {
        let once = mutated(&review("CREATE", PERSON, &object, &Value::Null));
        let response = ask(Endpoint::Mutate, &review("CREATE", PERSON, &once, &Value::Null));
        prop_assert_eq!(patch(&response), None);
    }

    #[test]
    fn what_was_normalized_is_not_found_again(object in any_pool()) {
        let request = review("CREATE", PERSON, &object, &Value::Null);
        if patch(&ask(Endpoint::Mutate, &request)).is_some() {
            let after = mutated(&request).to_string();
            let after = Pool::parse(&after).unwrap();
            let findings = ippool_webhook::lint::<ippool_webhook::kinds::ippool::IpPool>(&after, &Policy::default());
            let left: Vec<_> = findings.iter().filter(|it| it.rule.normalized).map(ToString::to_string).collect();
            prop_assert_eq!(left, Vec::<String>::new());
        }
    }

    #[test]
    fn a_review_that_changes_nothing_is_never_denied(object in any_pool(), user in any_user()) {
        let mut labelled = object.clone();
        labelled["metadata"]["annotations"] = json!({ "note": "x" });
        for new in [&object, &labelled] {
            let response = ask(Endpoint::Validate, &review("UPDATE", user, new, &object));
            prop_assert_eq!(causes(&response), Vec::<String>::new());
            prop_assert_eq!(&response["allowed"], &json!(true));
        }
    }

    #[test]
    fn a_removal_is_never_denied(object in any_pool(), mask: u16, user in any_user()) {
        let reduced = keep(&object, mask);
        let response = ask(Endpoint::Validate, &review("UPDATE", user, &reduced, &object));
        prop_assert_eq!(causes(&response), Vec::<String>::new());
        prop_assert_eq!(&response["allowed"], &json!(true));
    }

    #[test]
    fn a_patch_is_empty_or_one_replacement_of_the_range(
        old in any_pool(), new in any_pool(), operation in any_operation(), user in any_user(),
    ) {
        let Some(patch) = patch(&ask(Endpoint::Mutate, &review(operation, user, &new, &old))) else { return Ok(()) };
        let patch = serde_json::to_value(patch).unwrap();
        let range = patch[0]["value"].as_str().unwrap();
        prop_assert_eq!(&patch, &json!([{ "op": "replace", "path": "/spec/range", "value": range }]));
        let canonical = Range::parse(range).unwrap();
        prop_assert_eq!(canonical.network().to_string(), range);
    }

    #[test]
    fn a_removal_that_reaches_the_mutating_webhook_is_not_denied_after_it(object in any_pool(), mask: u16) {
        let reduced = mutated(&review("UPDATE", PERSON, &keep(&object, mask), &object));
        let response = ask(Endpoint::Validate, &review("UPDATE", PERSON, &reduced, &object));
        prop_assert_eq!(causes(&response), Vec::<String>::new());
    }

    #[test]
    fn an_entry_that_stays_under_its_key_keeps_its_stored_address(old in any_pool(), range in any_range(), mask: u16) {
        let mut new = keep(&old, mask);
        if range.is_string() && mask % 3 != 0 {
            new["spec"]["range"] = range;
        }
        let stored = mutated(&review("UPDATE", PERSON, &new, &old));
        let response = ask(Endpoint::Validate, &review("UPDATE", PERSON, &stored, &old));
        let found = response["auditAnnotations"]["rules"].as_str().unwrap_or_default().contains("IPP301");
        let (Some(before), Some(after)) = (addresses(&old), addresses(&stored)) else { return Ok(()) };
        let readable = old["spec"]["range"].as_str().is_some_and(|it| Range::parse(it).is_ok());
        if response["allowed"] == json!(true) && !found && readable {
            for entry in after.iter().filter(|(address, _)| address.is_some()) {
                prop_assert!(before.contains(entry), "{:?} is new in {}", entry, stored);
            }
        }
    }

    #[test]
    fn one_more_good_allocation_is_never_denied_for_what_was_there(object in any_pool()) {
        let Some(range) = object["spec"]["range"].as_str().and_then(|it| Range::parse(it).ok()) else { return Ok(()) };
        let free = (1..100).find(|n| object["spec"]["allocations"].get(n.to_string()).is_none()).unwrap();
        let fits = range.address_at(free).is_some_and(|it| range.contains(it) && range.edge(it).is_none());
        let taken = |key: &String| read_offset(key) == Ok(free);
        let entries = object["spec"]["allocations"].as_object();
        prop_assume!(fits && entries.is_some_and(|it| !it.keys().any(taken)));
        let mut more = object.clone();
        more["spec"]["allocations"][free.to_string()] = json!({ "id": "a", "podref": "default/new", "ifname": "net9" });
        let more = mutated(&review("UPDATE", PERSON, &more, &object));
        let response = ask(Endpoint::Validate, &review("UPDATE", PERSON, &more, &object));
        prop_assert_eq!(causes(&response), Vec::<String>::new());
    }

    #[test]
    fn an_update_by_a_trusted_writer_is_never_denied_or_patched(old in any_pool(), new in any_pool()) {
        let request = review("UPDATE", WHEREABOUTS, &new, &old);
        prop_assert_eq!(&ask(Endpoint::Validate, &request)["allowed"], &json!(true));
        prop_assert_eq!(patch(&ask(Endpoint::Mutate, &request)), None);
    }

    #[test]
    fn enforcement_of_warnings_denies_nothing_but_a_moved_entry(old in any_pool(), new in any_pool(), operation in any_operation()) {
        let policy: Policy = serde_json::from_value(json!({ "enforcement": "warn" })).unwrap();
        let request = review(operation, PERSON, &new, &old);
        let response = testkit::review::ask_under(&policy, Endpoint::Validate, &request);
        let denied_by = response["auditAnnotations"].get("denied-by");
        prop_assert!(response["allowed"] == json!(true) || denied_by == Some(&json!("IPP301")), "{}", response);
    }

    #[test]
    fn the_same_request_gets_the_same_bytes(old in any_pool(), new in any_pool(), operation in any_operation(), user in any_user()) {
        let body = review(operation, user, &new, &old).to_string();
        for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
            let bytes = || respond(endpoint, body.as_bytes(), &Policy::default()).unwrap().body;
            prop_assert_eq!(bytes(), bytes());
        }
    }

    #[test]
    fn every_response_is_one_that_the_apiserver_accepts(old in any_pool(), new in any_pool(), operation in any_operation(), user in any_user()) {
        let request = review(operation, user, &new, &old);
        let validated = ask(Endpoint::Validate, &request);
        prop_assert!(validated.get("patch").is_none() && validated.get("patchType").is_none());
        let mutated = ask(Endpoint::Mutate, &request);
        prop_assert_eq!(&mutated["allowed"], &json!(true), "mutate never refuses");
        prop_assert_eq!(mutated.get("patch").is_some(), mutated.get("patchType").is_some());
        for response in [&validated, &mutated] {
            prop_assert!(warnings(response).len() <= 21);
            for warning in warnings(response) {
                prop_assert!(!warning.chars().any(char::is_control), "{}", warning);
                prop_assert!(warning.chars().count() <= 256, "{}", warning);
            }
        }
        if validated["allowed"] == json!(false) {
            let code = if user == PERSON { 422 } else { 403 };
            prop_assert_eq!(&validated["status"]["code"], &json!(code));
            prop_assert!(causes(&validated).len() <= 21 && !causes(&validated).is_empty());
            let message = validated["status"]["message"].as_str().unwrap().to_owned();
            prop_assert!(causes(&validated).iter().all(|cause| message.contains(cause.as_str())), "{}", message);
        }
    }

    #[test]
    fn any_object_gets_a_response_with_the_uid(object in any_json(), old in any_json(), operation in any_operation()) {
        for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
            let response = ask(endpoint, &review(operation, PERSON, &object, &old));
            prop_assert_eq!(&response["uid"], &json!(UID));
        }
    }

    #[test]
    fn bytes_that_are_not_a_review_are_malformed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(respond(Endpoint::Validate, &bytes, &Policy::default()).is_err());
    }
}

/// Any JSON value, with the names of real fields among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("metadata".to_owned()),
        Just("spec".to_owned()),
        Just("range".to_owned()),
        Just("allocations".to_owned()),
        Just("1".to_owned()),
        Just("podref".to_owned()),
        ".{0,6}",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map: BTreeMap<_, _>| Value::Object(map.into_iter().collect())),
        ]
    })
}
