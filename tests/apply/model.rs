//! The model itself does what apiserver, kubectl and Helm are known to do.

use serde_json::{Value, json};

use crate::clients::{Client, Release};
use crate::networks::NETWORKS;
use crate::owners;
use crate::store::{Outcome, Store};
use crate::three_way::{three_way, two_way};

fn entry(id: &str) -> Value {
    json!({ "id": id, "podref": "" })
}

fn manifest(entries: &Value) -> Value {
    NETWORKS[0].manifest(&json!({ "range": NETWORKS[0].canonical, "allocations": entries }))
}

/// Whatever the rules say is switched off by leaving the warnings unread.
fn store() -> Store {
    Store::new(&json!({ "enforcement": "warn" }))
}

#[test]
fn a_three_way_merge_deletes_only_what_was_applied_before() {
    let last = json!({ "a": { "1": 1, "2": 2 }, "b": {} });
    let live = json!({ "a": { "1": 1, "2": 2, "3": 3 }, "b": { "x": 1 } });
    let new = json!({ "a": { "2": 7 }, "b": {} });
    assert_eq!(three_way(&last, &live, &new), json!({ "a": { "1": null, "2": 7 } }));
    assert_eq!(three_way(&new, &live, &new), json!({ "a": { "2": 7 } }));
    assert_eq!(three_way(&Value::Null, &json!({}), &new), new);
}

#[test]
fn a_two_way_merge_looks_at_nothing_live() {
    let patch = two_way(&json!({ "a": { "1": 1 }, "b": 2 }), &json!({ "a": { "2": 2 }, "b": 2 }));
    assert_eq!(Value::Object(patch), json!({ "a": { "1": null, "2": 2 } }));
}

#[test]
fn a_manifest_owns_its_keys_and_the_fields_below_them() {
    let paths = owners::fields(&json!({ "range": "x", "allocations": { "1": entry("a") } }));
    let paths: Vec<_> = paths.iter().map(|it| it.join(".")).collect();
    assert_eq!(paths, ["allocations.1", "allocations.1.id", "allocations.1.podref", "range"]);
    let empty = owners::fields(&json!({ "range": "x", "allocations": {} }));
    assert_eq!(empty.iter().map(|it| it.join(".")).collect::<Vec<_>>(), ["allocations", "range"]);
}

#[test]
fn server_side_apply_conflicts_where_another_manager_wrote_the_field() {
    let (mut store, mut release) = (store(), Release::default());
    let mut send = |client: Client, it: &Value| client.send(&mut store, &mut release, it);
    assert!(send(Client::Helm, &manifest(&json!({ "1": entry("helm") }))).is_accepted());
    let mine = manifest(&json!({ "1": entry("mine"), "2": entry("mine") }));
    let field = ["allocations", "1", "id"].map(str::to_owned).to_vec();
    assert_eq!(send(Client::ServerSide, &mine), Outcome::Conflict([field].into()));
    assert!(matches!(send(Client::Forced, &mine), Outcome::Stored(_)));
    assert_eq!(send(Client::ServerSide, &mine), Outcome::Unchanged);
}

#[test]
fn server_side_apply_removes_only_what_no_other_manager_owns() {
    let (mut store, mut release) = (store(), Release::default());
    let both = manifest(&json!({ "1": entry("a"), "2": entry("a") }));
    assert!(Client::ServerSide.send(&mut store, &mut release, &both).is_accepted());
    let mut others = both.clone();
    others["spec"]["allocations"]["3"] = entry("other");
    assert!(Client::Replace.send(&mut store, &mut release, &others).is_accepted());
    let one = manifest(&json!({ "1": entry("a") }));
    assert!(Client::ServerSide.send(&mut store, &mut release, &one).is_accepted());
    assert_eq!(store.spec()["allocations"], json!({ "1": entry("a"), "3": entry("other") }));
}

#[test]
fn server_side_apply_takes_over_from_client_side_apply() {
    let (mut store, mut release) = (store(), Release::default());
    let both = manifest(&json!({ "1": entry("a"), "2": entry("a") }));
    let one = manifest(&json!({ "1": entry("b") }));
    assert!(Client::Apply.send(&mut store, &mut release, &both).is_accepted());
    assert!(Client::ServerSide.send(&mut store, &mut release, &one).is_accepted());
    assert_eq!(store.spec()["allocations"], json!({ "1": entry("b") }));
}

#[test]
fn the_schema_asks_for_the_fields_it_requires_and_drops_nulls() {
    let (mut store, mut release) = (store(), Release::default());
    let mut bare = manifest(&json!({ "1": { "id": "a", "podref": null } }));
    bare["spec"]["range"] = Value::Null;
    let outcome = Client::Apply.send(&mut store, &mut release, &bare);
    let missing = ["spec.range: Required value", "spec.allocations.1.podref: Required value"];
    assert_eq!(outcome, Outcome::Refused(missing.map(str::to_owned).to_vec()));
}
