//! The IPPool as a typed resource, to be compared with the CRD of whereabouts.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The addresses of one network, and the pods that hold them.
#[derive(Clone, Debug, Default, PartialEq, Eq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "whereabouts.cni.cncf.io",
    version = "v1alpha1",
    kind = "IPPool",
    plural = "ippools",
    singular = "ippool",
    namespaced,
    derive = "PartialEq",
    doc = "The addresses of one network, and the pods that hold them"
)]
pub struct IPPoolSpec {
    /// The network in CIDR notation (RFC 4632, RFC 4291), from whose address the offsets count.
    pub range: String,
    /// The holders of addresses, by the distance from the address of the range, in decimal.
    pub allocations: BTreeMap<String, IPAllocation>,
}

/// The holder of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IPAllocation {
    /// The id of the container (sandbox).
    pub id: String,
    /// `namespace/name` of the pod; empty for a reservation that is never reclaimed.
    pub podref: String,
    /// The interface in the pod; absent in entries of whereabouts before 0.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifname: Option<String>,
}
