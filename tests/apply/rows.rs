//! Everyday operations, step by step, with the object that is stored at the end of each.

use serde_json::{Map, Value, json};

use crate::address::{address, address_in};
use crate::clients::Client::{self, Apply, Forced, Helm, ServerSide};
use crate::clients::Release;
use crate::plugin::Plugin;
use crate::store::{Outcome, Store, Writer};
use testkit::review::PERSON;

const CLIENTS: [Client; 4] = [Apply, ServerSide, Forced, Helm];
const EDITOR: Writer = Writer { user: PERSON, manager: "kubectl-edit" };

fn manifest(name: &str, range: &str, keys: &[&str]) -> Value {
    // An entry is known by its address, whatever range its key counts from.
    let id = |key: &str| address(range, key).map_or_else(String::new, |it| format!("{it:x}"));
    let entry = |key: &&str| ((*key).to_owned(), json!({ "id": id(key), "podref": "infra/gateway" }));
    json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": name, "namespace": "kube-system" },
        "spec": { "range": range, "allocations": keys.iter().map(entry).collect::<Map<_, _>>() },
    })
}

/// A pool of a reserved gateway, as it was before anybody heard of offsets.
fn gateway(range: &str, keys: &[&str]) -> Value {
    manifest("192.168.2.224-28", range, keys)
}

fn deny() -> Value {
    json!({})
}

fn warn() -> Value {
    json!({ "enforcement": "warn" })
}

/// The one cause of a refusal that this rule has.
#[track_caller]
fn cause(outcome: &Outcome, rule: &str) -> String {
    let Outcome::Refused(causes) = outcome else { panic!("{outcome:?}") };
    let mut of_rule = causes.iter().filter(|it| it.ends_with(&format!("[{rule}]")));
    let found = of_rule.next().unwrap_or_else(|| panic!("{rule} is missing: {causes:?}"));
    assert_eq!(of_rule.next(), None);
    found.clone()
}

/// The keys of the stored pool, in the order of their numbers.
fn keys(store: &Store) -> Vec<i64> {
    let spec = store.spec();
    let mut keys: Vec<i64> =
        spec["allocations"].as_object().unwrap().keys().map(|it| it.parse().unwrap()).collect();
    keys.sort_unstable();
    keys
}

/// Sends a manifest again beside the pods that came since, and expects that nothing changes.
#[track_caller]
fn changes_nothing(client: Client, store: &mut Store, release: &mut Release, manifest: &Value) {
    let (object, owners) = (store.object.clone(), store.owners.clone());
    assert_eq!(client.send(store, release, manifest), Outcome::Unchanged, "{client:?}");
    assert_eq!((&store.object, &store.owners), (&object, &owners), "{client:?}");
}

#[test]
fn row_1_host_bits_beside_entries_are_denied_with_what_to_write() {
    for client in CLIENTS {
        let (mut store, mut release, mut plugin) =
            (Store::new(&deny()), Release::default(), Plugin::default());
        let refused = client.send(&mut store, &mut release, &gateway("192.168.2.225/28", &["1"]));
        let advice =
            "must be \"192.168.2.224/28\", from which offsets count: \"1\" becomes \"2\" (192.168.2.226)";
        assert!(cause(&refused, "IPP104").contains(advice), "{refused:?}");
        assert_eq!(store.object, None);
        let corrected = gateway("192.168.2.224/28", &["2"]);
        assert!(matches!(client.send(&mut store, &mut release, &corrected), Outcome::Stored(_)));
        for _ in 0..3 {
            plugin.add(&mut store, &gateway("192.168.2.224/28", &[]));
            changes_nothing(client, &mut store, &mut release, &corrected);
        }
        assert_eq!(store.spec()["range"], "192.168.2.224/28");
        assert_eq!(keys(&store), [1, 2, 3, 4]);
    }
}

#[test]
fn row_1_host_bits_beside_entries_are_denied_beside_live_pods_too() {
    for client in [Apply, Forced] {
        let (mut store, mut release, mut plugin) =
            (Store::new(&deny()), Release::default(), Plugin::default());
        plugin.add(&mut store, &gateway("192.168.2.224/28", &[]));
        let before = store.object.clone();
        let refused = client.send(&mut store, &mut release, &gateway("192.168.2.225/28", &["1"]));
        assert!(cause(&refused, "IPP104").contains("\"1\" becomes \"2\" (192.168.2.226)"), "{refused:?}");
        assert_eq!(store.object, before);
    }
}

#[test]
fn row_2_warn_mode_stores_a_new_pool_with_host_bits_as_written() {
    for client in CLIENTS {
        let (mut store, mut release, mut plugin) =
            (Store::new(&warn()), Release::default(), Plugin::default());
        let written = gateway("192.168.2.225/28", &["1"]);
        let outcome = client.send(&mut store, &mut release, &written);
        let Outcome::Stored(warnings) = outcome else { panic!("{outcome:?}") };
        assert!(
            warnings.iter().any(|it| it.contains("192.168.2.224/28") && it.contains("\"2\"")),
            "{warnings:?}"
        );
        assert_eq!(store.spec(), written["spec"]);
        plugin.add(&mut store, &written);
        changes_nothing(client, &mut store, &mut release, &written);
        assert_eq!((&store.spec()["range"], keys(&store)), (&json!("192.168.2.225/28"), vec![0, 1]));
    }
}

#[test]
fn row_2_warn_mode_denies_a_move_of_stored_entries() {
    for (client, pods) in [(Apply, 1), (Apply, 3), (Forced, 1), (Forced, 3)] {
        let (mut store, mut release, mut plugin) =
            (Store::new(&warn()), Release::default(), Plugin::default());
        let stored = gateway("192.168.2.224/28", &["2"]);
        assert!(client.send(&mut store, &mut release, &stored).is_accepted());
        for _ in 0..pods {
            plugin.add(&mut store, &stored);
        }
        let before = store.object.clone();
        let refused = client.send(&mut store, &mut release, &gateway("192.168.2.225/28", &["1"]));
        cause(&refused, "IPP301");
        assert_eq!(store.object, before);
    }
}

/// A patch that removes one key of an old pool, and the next that removes another.
#[test]
fn row_3_two_patches_on_an_old_pool_remove_the_entries_they_name() {
    for policy in [deny(), warn()] {
        let old = manifest("10.53.0.0-24", "10.53.0.7/24", &["1", "8", "9"]);
        let mut store = Store::holding(&policy, &old);
        for key in ["9", "8"] {
            let mut new = store.object.clone().unwrap();
            new["spec"]["allocations"].as_object_mut().unwrap().remove(key).unwrap();
            assert!(matches!(store.write(EDITOR, &new), Outcome::Stored(_)));
        }
        assert_eq!(store.spec(), manifest("", "10.53.0.7/24", &["1"])["spec"]);
        assert_eq!(store.calls.get("mutate"), None, "the text of the range stays");
    }
}

#[test]
fn row_4_an_empty_manifest_with_host_bits_applies_beside_pods_every_time() {
    for (client, policy) in CLIENTS.into_iter().flat_map(|it| [(it, deny()), (it, warn())]) {
        let (mut store, mut release, mut plugin) =
            (Store::new(&policy), Release::default(), Plugin::default());
        let written = gateway("192.168.2.225/28", &[]);
        assert!(matches!(client.send(&mut store, &mut release, &written), Outcome::Stored(_)));
        for pods in 1..=3 {
            plugin.add(&mut store, &written);
            changes_nothing(client, &mut store, &mut release, &written);
            assert_eq!(store.generation(), 1 + pods);
        }
        assert_eq!((&store.spec()["range"], keys(&store)), (&json!("192.168.2.224/28"), vec![1, 2, 3]));
    }
}

#[test]
fn row_4_an_empty_manifest_with_host_bits_applies_to_an_existing_pool() {
    for client in [Apply, Forced] {
        let (mut store, mut release, mut plugin) =
            (Store::new(&deny()), Release::default(), Plugin::default());
        plugin.add(&mut store, &gateway("192.168.2.224/28", &[]));
        let (spec, generation) = (store.spec(), store.generation());
        let written = gateway("192.168.2.225/28", &[]);
        assert!(client.send(&mut store, &mut release, &written).is_accepted());
        changes_nothing(client, &mut store, &mut release, &written);
        assert_eq!((store.spec(), store.generation()), (spec, generation));
    }
}

#[test]
fn row_5_a_key_that_is_not_canonical_is_denied_the_first_time() {
    for client in CLIENTS {
        let (mut store, mut release) = (Store::new(&deny()), Release::default());
        let refused = client.send(&mut store, &mut release, &gateway("192.168.2.224/28", &["007"]));
        let cause = cause(&refused, "IPP203");
        assert!(
            cause.starts_with("spec.allocations[007]") && cause.contains("must be written 7 (192.168.2.231)"),
            "{cause}"
        );
        assert_eq!(store.object, None);
    }
}

#[test]
fn row_9_a_pool_with_host_bits_is_repaired_in_one_request() {
    let old = manifest("10.53.0.0-24", "10.53.0.7/24", &["1", "8", "9"]);
    let new = manifest("10.53.0.0-24", "10.53.0.0/24", &["8", "15", "16"]);
    for policy in [deny(), warn()] {
        let mut store = Store::holding(&policy, &old);
        assert!(matches!(store.write(EDITOR, &new), Outcome::Stored(_)));
        assert_eq!(store.spec(), new["spec"]);
        for (before, after) in [("1", "8"), ("8", "15"), ("9", "16")] {
            assert_eq!(address_in(&old, before), address_in(&new, after));
        }
    }
}

#[test]
fn row_9_the_network_as_range_without_the_keys_is_denied() {
    let old = manifest("10.53.0.0-24", "10.53.0.7/24", &["1", "8", "9"]);
    let mut new = old.clone();
    new["spec"]["range"] = json!("10.53.0.0/24");
    for policy in [deny(), warn()] {
        let mut store = Store::holding(&policy, &old);
        let cause = cause(&store.write(EDITOR, &new), "IPP301");
        assert!(cause.contains("\"1\" becomes \"8\" (10.53.0.8)"), "{cause}");
        assert_eq!(store.spec(), old["spec"]);
    }
}

#[test]
fn row_10_a_stored_range_may_be_spelled_as_it_should_be() {
    let old = manifest("fd00-5---64", "FD00:5::/64", &["1", "2"]);
    for policy in [deny(), warn()] {
        let mut store = Store::holding(&policy, &old);
        let mut new = store.object.clone().unwrap();
        new["spec"]["range"] = json!("fd00:5::/64");
        assert_eq!(store.write(EDITOR, &new), Outcome::Stored(Vec::new()));
        assert_eq!(store.spec(), manifest("", "fd00:5::/64", &["1", "2"])["spec"]);
    }
}
