//! The networks that manifests are written for, and what happens to a pool.

use serde_json::{Value, json};

use crate::address::{base, network, range_of};
use crate::clients::Client;

/// The spellings of one network, and of what is taken for it.
#[derive(Debug)]
pub struct Network {
    /// The name whereabouts gives the pool.
    pub name: &'static str,
    /// The range as whereabouts writes it.
    pub canonical: &'static str,
    /// The same range, spelled otherwise.
    pub respelled: &'static [&'static str],
    /// The same network after another of its addresses.
    pub with_host_bits: &'static [&'static str],
    /// Other networks that people take for it.
    pub other: &'static [&'static str],
    /// What whereabouts cannot read.
    pub unreadable: &'static [&'static str],
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
