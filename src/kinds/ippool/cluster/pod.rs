//! A pod: whether it is there, and which addresses it shows.

mod containers;

use std::net::IpAddr;
use std::ops::Range;

use serde::de::{DeserializeSeed, MapAccess};

use super::head::Metadata;
use super::pool::digest;
use super::{Meta, Name, Names};
use crate::json::{Elements, Field, Fill, Target, Text, skip};

pub use containers::runs_whereabouts;

/// Where Multus says which addresses the networks gave to a pod.
pub const NETWORK_STATUS: &str = "k8s.v1.cni.cncf.io/network-status";

/// The same annotation before Multus 4.0.
const NETWORKS_STATUS: &str = "k8s.v1.cni.cncf.io/networks-status";

/// The networks that a pod requests, possibly with addresses.
const NETWORKS: &str = "k8s.v1.cni.cncf.io/networks";

/// A pod as it is written.
#[derive(Debug, Default)]
pub struct PodObject<'a> {
    metadata: PodMetadata<'a>,
    status: PodStatus<'a>,
}

#[derive(Debug, Default)]
struct PodMetadata<'a> {
    common: Metadata<'a>,
    deletion: Field<'a>,
    annotations: Annotations<'a>,
}

#[derive(Debug, Default)]
struct Annotations<'a> {
    status: Field<'a>,
    old_status: Field<'a>,
    networks: Field<'a>,
}

#[derive(Debug, Default)]
struct PodStatus<'a> {
    phase: Field<'a>,
    addresses: Vec<IpAddr>,
}

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its phase.
    pub phase: Phase,
    /// What Multus says of it.
    pub status: Status,
    /// Its addresses, as a range of the addresses of all pods.
    pub shown: Range<usize>,
    /// Its `resourceVersion`.
    pub version: u64,
    /// A digest of its uid, which identifies it across two evaluations.
    pub stamp: u32,
}

/// The phase of a pod, as far as addresses depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not started, so that Multus may not have said yet what it has.
    Pending,
    /// It runs, or its phase is unknown.
    Running,
    /// It is being deleted, so that its addresses may be released already.
    Terminating,
    /// It has finished, and does not start again.
    Finished,
}

/// Whether Multus says which addresses a pod has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It says nothing.
    Absent,
    /// It cannot be read.
    Unreadable,
    /// It does.
    Present,
}

/// An address that a pod has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The address.
    pub address: IpAddr,
    /// The attachment that gave it, as `namespace/name`; `None` for the default network, and for an address that the pod
    /// itself asked for.
    pub attachment: Option<Name>,
}

/// An entry of the network-status.
#[derive(Default)]
struct Interface<'a> {
    name: Field<'a>,
    is_default: bool,
    addresses: Vec<IpAddr>,
}

impl<'a> PodObject<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// If the text is not JSON, or cannot be represented.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        let mut object = Self::default();
        Fill(&mut object).deserialize(&mut serde_json::Deserializer::from_str(json))?;
        Ok(object)
    }

    /// Its namespace and name.
    pub fn meta(&self) -> Meta {
        self.metadata.common.meta()
    }

    /// Reduces it to what is kept; its addresses are added to `shown`.
    pub fn pod(&self, names: &mut Names, shown: &mut Vec<Shown>) -> Pod {
        let start = shown.len();
        let status = self.show(names, shown);
        Pod {
            phase: self.phase(),
            status,
            shown: start..shown.len(),
            version: self.metadata.common.version(),
            stamp: digest(self.metadata.common.uid.text().unwrap_or_default()),
        }
    }

    fn phase(&self) -> Phase {
        match self.status.phase.text() {
            Some("Succeeded" | "Failed") => Phase::Finished,
            _ if self.metadata.deletion.text().is_some() => Phase::Terminating,
            Some("Pending") => Phase::Pending,
            _ => Phase::Running,
        }
    }

    fn show(&self, names: &mut Names, shown: &mut Vec<Shown>) -> Status {
        let Annotations { status, old_status, networks } = &self.metadata.annotations;
        let requested = networks.text().unwrap_or_default();
        shown.extend(
            self.status.addresses.iter().map(|address| Shown { address: *address, attachment: None }),
        );
        let Some(status) = status.text().or_else(|| old_status.text()).filter(|it| !it.is_empty()) else {
            return Status::Absent;
        };
        let each = |interface: Interface<'_>| {
            let name = interface.name.text().filter(|_| !interface.is_default).map(|name| names.add(name));
            shown.extend(interface.addresses.iter().map(|address| {
                let is_requested = !requested.is_empty() && requested.contains(&address.to_string());
                let attachment = name.filter(|_| !is_requested);
                Shown { address: *address, attachment }
            }));
        };
        match Elements::of(each).deserialize(&mut serde_json::Deserializer::from_str(status)) {
            Ok(()) => Status::Present,
            Err(_) => Status::Unreadable,
        }
    }
}

impl Phase {
    /// Whether the pod has the addresses in its network-status.
    pub fn has_addresses(self) -> bool {
        self == Self::Running
    }
}

impl<'a> Target<'a> for PodObject<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "metadata" => map.next_value_seed(Fill(&mut self.metadata)),
            "status" => map.next_value_seed(Fill(&mut self.status)),
            _ => skip(map),
        }
    }
}

impl<'a> Target<'a> for PodMetadata<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "annotations" => map.next_value_seed(Fill(&mut self.annotations)),
            "deletionTimestamp" => {
                self.deletion = map.next_value()?;
                Ok(())
            }
            _ => self.common.member(key, map),
        }
    }
}

impl<'a> Target<'a> for Annotations<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            NETWORK_STATUS => self.status = map.next_value()?,
            NETWORKS_STATUS => self.old_status = map.next_value()?,
            NETWORKS => self.networks = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Target<'a> for PodStatus<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "phase" => self.phase = map.next_value()?,
            "podIPs" => {
                let addresses = &mut self.addresses;
                map.next_value_seed(Elements::of(|PodIp(ip)| {
                    addresses.extend(ip.text().and_then(address));
                }))?;
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// An element of `status.podIPs`.
#[derive(Default)]
struct PodIp<'a>(Field<'a>);

impl<'a> Target<'a> for PodIp<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "ip" => self.0 = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Target<'a> for Interface<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "name" => self.name = map.next_value()?,
            "default" => self.is_default = map.next_value::<serde_json::Value>()? == true,
            "ips" => {
                let addresses = &mut self.addresses;
                map.next_value_seed(Elements::of(|ip: Field<'_>| {
                    addresses.extend(ip.text().and_then(address));
                }))?;
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// An address; some plugins write the length of the prefix after it.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split('/').next()?;
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}
