//! The objects of a cluster that an audit reads, each reduced to what the rules across objects need.
//!
//! A cluster may have a million allocations and as many reservations, so each takes a few bytes: texts are kept once, as
//! [`Names`], and an address as a number.

mod attachment;
mod coverage;
mod head;
mod names;
mod node_slices;
mod pod;
mod pods;
mod pool;
mod ranges;
mod reservation;

use std::collections::{BTreeMap, BTreeSet};

pub use attachment::{Attachment, Config, Configs, Ipam, RangeConfig};
pub use coverage::{Coverage, Moment, Read, listed};
pub use head::{Head, Meta, Metadata, TypeMeta};
pub use names::{Name, Names};
pub use node_slices::{NodeSlice, NodeSlices};
pub use pod::{NETWORK_STATUS, Phase, Pod, PodObject, Shown, Status, runs_whereabouts};
pub use pods::Pods;
pub use pool::{Entry, Pool, digest};
pub use ranges::RangeIndex;
pub use reservation::{Reservation, ReservationObject, Reservations, name_of, readings};

/// The objects of a cluster.
#[derive(Debug, Default)]
pub struct Cluster {
    /// Owners of entries and of reservations, and names of networks.
    pub names: Names,
    /// By namespace and name.
    pub pools: Vec<Pool>,
    /// By namespace.
    pub reservations: BTreeMap<String, Reservations>,
    /// By namespace and name.
    pub attachments: BTreeMap<Meta, Attachment>,
    /// By namespace and name.
    pub node_slices: BTreeMap<Meta, NodeSlices>,
    /// The pods that an allocation names.
    pub pods: Pods,
    /// The addresses in the network-status of the pods.
    pub shown: Vec<Shown>,
    /// The names of the nodes.
    pub nodes: BTreeSet<String>,
    /// The namespaces in which whereabouts runs; `None` if they are unknown.
    pub whereabouts_namespaces: Option<BTreeSet<String>>,
    /// Whether these namespaces come from the flag.
    pub namespaces_are_given: bool,
    /// The objects that cannot be represented, and why.
    pub unreadable: Vec<(&'static str, Meta, String)>,
    /// Which objects were read.
    pub read: Read,
}
