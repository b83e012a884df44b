//! Manifests as people write them, and sequences of what is done with them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::address::{base, network, range_of};
use crate::clients::Client;

/// The spellings of one network, and of what is taken for it.
#[derive(Debug)]
pub struct Network {
    /// The name whereabouts gives the pool.
    pub name: &'static str,
    /// The range as whereabouts writes it.
    pub canonical: &'static str,
    respelled: &'static [&'static str],
    with_host_bits: &'static [&'static str],
    other: &'static [&'static str],
    unreadable: &'static [&'static str],
}

/// One IPv4 network, so small that the plugin soon meets the manifests' own keys, and one IPv6 network.
pub static NETWORKS: [Network; 2] = [
    Network {
        name: "10.9.8.224-28",
        canonical: "10.9.8.224/28",
        respelled: &["10.9.8.224/028", "::ffff:10.9.8.224/124"],
        with_host_bits: &["10.9.8.225/28", "10.9.8.226/28", "10.9.8.225/028", "::ffff:10.9.8.225/124"],
        other: &[
            "10.9.8.224/27",
            "10.9.8.224/30",
            "10.9.8.228/30",
            "10.9.8.0/24",
            "10.9.8.240/28",
            "10.9.8.230/24",
        ],
        unreadable: &[" 10.9.8.224/28", " 10.9.8.225/28", "10.9.8.224/33", "10.9.8.224"],
    },
    Network {
        name: "fd00-9---64",
        canonical: "fd00:9::/64",
        respelled: &["FD00:9::/64", "fd00:9:0:0::/64", "fd00:9::/064"],
        with_host_bits: &["fd00:9::1/64", "FD00:9::2/64", "fd00:9:0:0:1::/64"],
        other: &["fd00:9::/48", "fd00:9::/112", "fd00:9::8/125", "fd00:9:0:1::/64", "10.9.8.224/28"],
        unreadable: &["fd00:9::/64 ", "fd00:9::1/64 ", "fd00:9::/129", "fd00:9::"],
    },
];

impl Network {
    /// The pool as whereabouts makes it.
    pub fn pool(&self) -> Value {
        self.manifest(&json!({ "range": self.canonical, "allocations": {} }))
    }

    /// Whether an update takes a range that contradicts the name back to the one that the name says, IPP301's first
    /// repair. It is the one request that may move entries.
    pub fn is_repaired(&self, old: &Value, new: &Value) -> bool {
        let named = base(self.canonical).expect("a range");
        let agrees = |object: &Value| {
            base(range_of(object).trim()).is_some_and(|it| (network(it), it.1) == (network(named), named.1))
        };
        !agrees(old) && agrees(new)
    }

    /// A manifest of this spec under the name of the network.
    pub fn manifest(&self, spec: &Value) -> Value {
        json!({
            "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
            "kind": "IPPool",
            "metadata": { "name": self.name, "namespace": "kube-system" },
            "spec": spec,
        })
    }
}

/// What happens to a pool.
#[derive(Clone, Debug)]
pub enum Step {
    /// A client brings a manifest.
    Send(Client, Value),
    /// A pod starts.
    Add,
    /// A pod ends.
    Delete(usize),
}

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
