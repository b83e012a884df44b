//! `NetworkAttachmentDefinition`: the configuration that leads whereabouts to a pool.

mod config;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::{DeserializeSeed, MapAccess};

use super::Meta;
use super::head::Metadata;
use crate::json::{Field, Fill, Target, Text, skip};

/// A network that pods attach to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// How it assigns addresses.
    pub ipam: Ipam,
}

/// How an attachment assigns addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ipam {
    /// By another plugin, or not at all.
    Other,
    /// By whereabouts, with these configurations of plugins of the chain.
    Whereabouts(Configs),
    /// The object does not show it, for this reason.
    Unknown(String),
}

/// One configuration for each plugin of a chain that uses whereabouts.
pub type Configs = Vec<Config>;

/// A configuration of whereabouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `network_name`; empty for the unnamed network.
    pub network: String,
    /// The name of the `NodeSlicePool` of the network; `None` if nodes have no slices.
    pub node_slices: Option<String>,
    /// `enable_overlapping_ranges`: whether each address is reserved beside its pool.
    pub reserves: bool,
    /// The ranges; a pod gets one address of each.
    pub ranges: Vec<RangeConfig>,
    /// The addresses that each pod gets without a pool.
    pub addresses: Vec<IpAddr>,
}

/// A range, and the addresses of it that whereabouts hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeConfig {
    /// The network.
    pub network: IpNet,
    /// The first address; `None` if the range has no usable address.
    pub first: Option<IpAddr>,
    /// The last address.
    pub last: Option<IpAddr>,
    /// The excluded ranges; `None` if they cannot be parsed, so that no pod gets an address.
    pub excluded: Option<Vec<IpNet>>,
}

impl Attachment {
    /// Reads one, with its `resourceVersion`.
    ///
    /// # Errors
    /// If the text is not JSON, or cannot be represented.
    pub fn parse(json: &str) -> Result<(Meta, u64, Self), serde_json::Error> {
        let mut object = Object::default();
        Fill(&mut object).deserialize(&mut serde_json::Deserializer::from_str(json))?;
        let meta = object.metadata.meta();
        let ipam = match object.spec.0.text() {
            Some(config) if !config.trim().is_empty() => config::read(config, &meta.name),
            _ => Ipam::Unknown("its configuration is in a file on the nodes".to_owned()),
        };
        Ok((meta, object.metadata.version(), Self { ipam }))
    }
}

impl RangeConfig {
    /// Whether whereabouts may hand out this address.
    pub fn allows(&self, address: IpAddr) -> bool {
        let (Some(first), Some(last), Some(excluded)) = (self.first, self.last, &self.excluded) else {
            return true;
        };
        (first..=last).contains(&address) && !excluded.iter().any(|network| network.contains(&address))
    }
}

#[derive(Default)]
struct Object<'a> {
    metadata: Metadata<'a>,
    spec: Spec<'a>,
}

#[derive(Default)]
struct Spec<'a>(Field<'a>);

impl<'a> Target<'a> for Object<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "metadata" => map.next_value_seed(Fill(&mut self.metadata)),
            "spec" => map.next_value_seed(Fill(&mut self.spec)),
            _ => skip(map),
        }
    }
}

impl<'a> Target<'a> for Spec<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "config" => self.0 = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}
