//! In warn mode nothing is denied but what would move stored entries: how such a move could hide.

use serde_json::{Value, json};

use crate::networks::NETWORKS;
use crate::store::{Outcome, Store, Writer};
use testkit::review::PERSON;

const EDITOR: Writer = Writer { user: PERSON, manager: "kubectl-edit" };

fn pool(range: &str, owners: &[(&str, &str)]) -> Value {
    let entry =
        |(key, owner): &(&str, &str)| ((*key).to_owned(), json!({ "id": owner, "podref": "infra/dns" }));
    let entries: serde_json::Map<_, _> = owners.iter().map(entry).collect();
    NETWORKS[0].manifest(&json!({ "range": range, "allocations": entries }))
}

#[track_caller]
fn moves_nothing(policy: &Value, old: &Value, new: &Value) {
    let mut store = Store::holding(policy, old);
    let outcome = store.write(EDITOR, new);
    let Outcome::Refused(causes) = &outcome else { panic!("{outcome:?}") };
    assert!(causes.iter().any(|it| it.ends_with("[IPP301]")), "{causes:?}");
    assert_eq!(store.spec(), old["spec"]);
}

fn warn() -> Value {
    json!({ "enforcement": "warn" })
}

#[test]
fn an_entry_that_leaves_a_narrower_range_is_not_moved_in_warn_mode() {
    moves_nothing(&warn(), &pool("10.9.8.224/28", &[("5", "a")]), &pool("10.9.8.228/30", &[("5", "a")]));
    moves_nothing(&warn(), &pool("10.9.8.225/28", &[("4", "a")]), &pool("10.9.8.224/30", &[("4", "a")]));
}

/// The key of a pod is given to the owner of the next address, whose entry was at that address before.
#[test]
fn an_entry_overwritten_under_its_key_is_not_moved_in_warn_mode() {
    let old = pool("10.9.8.224/28", &[("1", "pod"), ("2", "dns")]);
    moves_nothing(&warn(), &old, &pool("10.9.8.225/28", &[("1", "dns")]));
}

/// Reservations are often alike; that does not make a range without its keys a repair.
#[test]
fn a_range_repaired_without_its_keys_is_denied_if_owners_are_alike() {
    let old = pool("10.9.8.225/28", &[("1", "dns"), ("2", "dns"), ("3", "dns")]);
    let new = pool("10.9.8.224/28", &[("1", "dns"), ("2", "dns"), ("3", "dns")]);
    for policy in [json!({}), warn()] {
        moves_nothing(&policy, &old, &new);
    }
}

/// What nobody can read stands for no address, and nothing would hold the next range to the old one.
#[test]
fn an_unreadable_range_over_stored_entries_is_denied() {
    let old = pool("10.9.8.224/28", &[("1", "pod")]);
    let as_written = json!({ "enforcement": "warn", "normalize": false });
    for range in [" 10.9.8.225/28", " 10.9.8.240/28", "10.9.8.224/33", "10.9.8.224"] {
        moves_nothing(&as_written, &old, &pool(range, &[("1", "pod")]));
    }
}
