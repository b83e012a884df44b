//! Manifests as people write them, and sequences of what is done with them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::clients::Client;
use crate::networks::{NETWORKS, Network, Step};

/// Any of the networks.
pub fn any_network() -> impl Strategy<Value = &'static Network> {
    prop::sample::select(NETWORKS.iter().collect::<Vec<_>>())
}

/// A text for `spec.range`: as it should be, spelled otherwise, with host bits, of another network, unreadable.
///
/// Unreadable text is left out where the policy would let it in: what it stands for is nobody's address.
pub fn any_range(network: &'static Network, policy: &Value) -> impl Strategy<Value = String> + use<> {
    let denied = if policy["enforcement"] == "warn" { network.respelled } else { network.unreadable };
    let of = |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(str::to_owned);
    prop_oneof![
        8 => Just(network.canonical.to_owned()),
        3 => of(network.respelled),
        6 => of(network.with_host_bits),
        3 => of(network.other),
        2 => of(denied),
    ]
}

/// Keys low enough to meet the plugin's, some of them not canonical.
fn any_key() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(&["007", "+1", "01", "-0", "one", "10.9.8.226"][..]);
    prop_oneof![20 => (0..8u32).prop_map(|it| it.to_string()), 1 => odd.prop_map(str::to_owned)]
}

fn any_entry() -> impl Strategy<Value = Value> {
    let podref = prop::sample::select(&["", "infra/gateway", "infra/dns"][..]);
    let id = prop::sample::select(&["reserved", "other"][..]);
    (id, podref, any::<bool>()).prop_map(|(id, podref, named)| {
        let mut entry = json!({ "id": id, "podref": podref });
        if named {
            entry["ifname"] = json!("eth0");
        }
        entry
    })
}

/// Up to four reserved entries.
pub fn any_entries() -> impl Strategy<Value = Value> {
    let map = prop::collection::btree_map(any_key(), any_entry(), 0..=4)
        .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>()));
    prop_oneof![2 => Just(json!({})), 5 => map]
}

/// A whole manifest, with or without a label.
pub fn any_manifest(network: &'static Network, policy: &Value) -> impl Strategy<Value = Value> + use<> {
    (any_range(network, policy), any_entries(), any::<bool>()).prop_map(move |(range, entries, labeled)| {
        let mut manifest = network.manifest(&json!({ "range": range, "allocations": entries }));
        if labeled {
            manifest["metadata"]["labels"] = json!({ "team": "infra" });
        }
        manifest
    })
}

/// Manifests by these clients, with the plugin at work before, between and after.
pub fn any_steps(
    network: &'static Network,
    clients: &'static [Client],
    policy: &Value,
) -> impl Strategy<Value = Vec<Step>> + use<> {
    let send = (prop::sample::select(clients), any_manifest(network, policy))
        .prop_map(|(client, it)| Step::Send(client, it));
    let step = prop_oneof![5 => send, 3 => Just(Step::Add), 1 => (0..8usize).prop_map(Step::Delete)];
    prop::collection::vec(step, 2..14)
}

/// The policies under which everything must hold.
pub fn any_policy() -> impl Strategy<Value = Value> {
    let enforcement = prop::sample::select(&["deny", "warn"][..]);
    (enforcement, prop::bool::weighted(0.75))
        .prop_map(|(enforcement, normalize)| json!({ "enforcement": enforcement, "normalize": normalize }))
}
