//! Single requests: old object, new object, and what the webhook makes of them.

use ippool_webhook::admission::Endpoint;
use ippool_webhook::policy::Policy;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::address::{address_in, base, entries, range_of};
use crate::manifests::{any_entries, any_network, any_policy, any_range};
use crate::networks::Network;
use crate::sequences::runner;
use crate::store::{Store, Writer};
use testkit::review::{PERSON, ROBOT, WHEREABOUTS, ask_under, causes, patch, review};

const CASES: u32 = 1_000;

/// Two objects of one pool: the second a change of the first, of its range, its entries or both.
fn any_pair() -> impl Strategy<Value = (&'static Network, Value, Value)> {
    any_network().prop_flat_map(|network| {
        let range = || any_range(network, &json!({}));
        let specs = (range(), any_entries(), range(), any_entries(), 0..4u8);
        specs.prop_map(move |(range, held, other_range, others, change)| {
            let old = network.manifest(&json!({ "range": range, "allocations": held }));
            let mut new = old.clone();
            if change != 0 {
                new["spec"]["range"] = json!(other_range);
            }
            match change {
                1 => json_patch::merge(&mut new["spec"]["allocations"], &others),
                2 => new["spec"]["allocations"] = others,
                _ => {}
            }
            (network, decorated(&old), decorated(&new))
        })
    })
}

/// Fields that no rule speaks of.
fn decorated(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["labels"] = json!({ "team": "infra" });
    object["spec"]["enable_l3"] = json!(true);
    object["status"] = json!({ "n": 1.5e300, "list": [null, "\u{7f}"] });
    object
}

fn any_request() -> impl Strategy<Value = (Value, Policy)> {
    let user = prop::sample::select(&[PERSON, ROBOT, WHEREABOUTS][..]);
    (any_pair(), user, any::<bool>(), any_policy()).prop_map(|((_, old, new), user, create, policy)| {
        let request = if create {
            review("CREATE", user, &new, &Value::Null)
        } else {
            review("UPDATE", user, &new, &old)
        };
        (request, serde_json::from_value(policy).unwrap())
    })
}

fn holds<T: std::fmt::Debug>(
    strategy: &impl Strategy<Value = T>,
    test: impl Fn(T) -> Result<(), TestCaseError>,
) {
    runner(CASES).run(strategy, test).unwrap_or_else(|error| panic!("{error}"));
}

/// The object after `mutate`.
fn after(policy: &Policy, request: &Value) -> Value {
    let mut object = request["request"]["object"].clone();
    if let Some(patch) = patch(&ask_under(policy, Endpoint::Mutate, request)) {
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

#[test]
fn a_patch_is_empty_or_one_replace_of_the_range() {
    holds(&any_request(), |(request, policy)| {
        let Some(patch) = patch(&ask_under(&policy, Endpoint::Mutate, &request)) else { return Ok(()) };
        let operations = serde_json::to_value(&patch).unwrap();
        let value = operations[0]["value"].clone();
        prop_assert_eq!(operations, json!([{ "op": "replace", "path": "/spec/range", "value": value }]));
        prop_assert!(value.is_string());
        Ok(())
    });
}

#[test]
fn everything_but_the_range_survives_normalizing_byte_for_byte() {
    holds(&any_request(), |(request, policy)| {
        let before = &request["request"]["object"];
        let mut after = after(&policy, &request);
        after["spec"]["range"] = before["spec"]["range"].clone();
        prop_assert_eq!(after.to_string(), before.to_string());
        Ok(())
    });
}

#[test]
fn normalizing_an_object_with_entries_keeps_the_stored_base() {
    holds(&any_request(), |(request, policy)| {
        let (before, old) = (&request["request"]["object"], &request["request"]["oldObject"]);
        let after = after(&policy, &request);
        if after != *before && entries(before).count() > 0 {
            let written = base(range_of(before).trim());
            prop_assert!(base(range_of(&after)) == written || base(range_of(&after)) == base(range_of(old)));
        }
        Ok(())
    });
}

#[test]
fn a_second_pass_over_a_normalized_object_makes_no_patch() {
    holds(&any_request(), |(request, policy)| {
        let mut again = request.clone();
        again["request"]["object"] = after(&policy, &request);
        prop_assert_eq!(patch(&ask_under(&policy, Endpoint::Mutate, &again)), None);
        Ok(())
    });
}

#[test]
fn no_patch_is_made_where_normalizing_is_switched_off() {
    let policy: Policy = serde_json::from_value(json!({ "normalize": false })).unwrap();
    holds(&any_request(), |(request, _)| {
        prop_assert_eq!(patch(&ask_under(&policy, Endpoint::Mutate, &request)), None);
        Ok(())
    });
}

/// In warn mode as well: nothing could undo it.
#[test]
fn a_key_that_an_update_leaves_alone_keeps_its_address() {
    holds(&(any_pair(), any_policy()), |((network, old, new), policy)| {
        let mut store = Store::holding(&policy, &old);
        let outcome = store.write(Writer { user: PERSON, manager: "kubectl-edit" }, &new);
        let readable = base(range_of(&old)).is_some() && base(range_of(&new)).is_some();
        if !outcome.is_accepted() || !readable || network.is_repaired(&old, &new) {
            return Ok(());
        }
        let stored = store.object.unwrap();
        for (key, entry) in entries(&old).filter(|it| entries(&stored).any(|other| other == *it)) {
            let (before, after) = (address_in(&old, key), address_in(&stored, key));
            // The same entry may have been written at the offset of the old address.
            let rewritten =
                entries(&stored).any(|(key, it)| it == entry && address_in(&stored, key) == before);
            prop_assert!(
                before == after || rewritten,
                "{}: {:?} became {:?} in {}",
                key,
                before,
                after,
                stored
            );
        }
        Ok(())
    });
}

#[test]
fn an_update_by_a_trusted_writer_is_neither_patched_nor_denied() {
    holds(&(any_pair(), any_policy()), |((_, old, new), policy)| {
        let policy: Policy = serde_json::from_value(policy).unwrap();
        let request = review("UPDATE", WHEREABOUTS, &new, &old);
        prop_assert_eq!(patch(&ask_under(&policy, Endpoint::Mutate, &request)), None);
        prop_assert_eq!(causes(&ask_under(&policy, Endpoint::Validate, &request)), Vec::<String>::new());
        Ok(())
    });
}

#[test]
fn an_update_that_only_removes_entries_or_edits_metadata_is_never_denied() {
    holds(&(any_pair(), any_policy(), any::<[bool; 4]>()), |((_, old, _), policy, kept)| {
        let policy: Policy = serde_json::from_value(policy).unwrap();
        let mut new = old.clone();
        new["metadata"]["labels"]["team"] = json!("network");
        let entries = new["spec"]["allocations"].as_object_mut().unwrap();
        let removed: Vec<String> =
            entries.keys().zip(kept).filter(|(_, kept)| !kept).map(|(it, _)| it.clone()).collect();
        entries.retain(|key, _| !removed.contains(key));
        for user in [PERSON, ROBOT, WHEREABOUTS] {
            let request = review("UPDATE", user, &new, &old);
            let response = ask_under(&policy, Endpoint::Validate, &request);
            prop_assert_eq!(&response["allowed"], &json!(true), "{:?}", causes(&response));
        }
        Ok(())
    });
}
