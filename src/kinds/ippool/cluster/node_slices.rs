//! `NodeSlicePool`: a network cut into slices, one for each node.

use serde::de::{DeserializeSeed, MapAccess};

use super::Meta;
use super::head::Metadata;
use crate::json::{Elements, Field, Fill, Target, Text, skip};

/// A network cut into slices.
#[derive(Clone, Debug, Default)]
pub struct NodeSlices {
    /// `spec.range` as written, or empty.
    pub range: String,
    /// `status.allocations`.
    pub slices: Vec<NodeSlice>,
}

/// The part of a network that a node has, or that is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSlice {
    /// `nodeName`; empty if the slice belongs to no node.
    pub node: String,
    /// `sliceRange` as written, or empty.
    pub range: String,
}

#[derive(Default)]
struct Object<'a> {
    metadata: Metadata<'a>,
    spec: Spec<'a>,
    status: Status,
}

#[derive(Default)]
struct Spec<'a>(Field<'a>);

#[derive(Default)]
struct Status(Vec<NodeSlice>);

#[derive(Default)]
struct Slice<'a> {
    node: Field<'a>,
    range: Field<'a>,
}

impl NodeSlices {
    /// Reads one, with its `resourceVersion`.
    ///
    /// # Errors
    /// If the text is not JSON, or cannot be represented.
    pub fn parse(json: &str) -> Result<(Meta, u64, Self), serde_json::Error> {
        let mut object = Object::default();
        Fill(&mut object).deserialize(&mut serde_json::Deserializer::from_str(json))?;
        let range = object.spec.0.text().unwrap_or_default().to_owned();
        let slices = Self { range, slices: object.status.0 };
        Ok((object.metadata.meta(), object.metadata.version(), slices))
    }
}

impl<'a> Target<'a> for Object<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "metadata" => map.next_value_seed(Fill(&mut self.metadata)),
            "spec" => map.next_value_seed(Fill(&mut self.spec)),
            "status" => map.next_value_seed(Fill(&mut self.status)),
            _ => skip(map),
        }
    }
}

impl<'a> Target<'a> for Spec<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "range" => self.0 = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Target<'a> for Status {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        if key.as_ref() != "allocations" {
            return skip(map);
        }
        let slices = &mut self.0;
        map.next_value_seed(Elements::of(|slice: Slice<'_>| {
            let text = |field: &Field<'_>| field.text().unwrap_or_default().to_owned();
            slices.push(NodeSlice { node: text(&slice.node), range: text(&slice.range) });
        }))
    }
}

impl<'a> Target<'a> for Slice<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "nodeName" => self.node = map.next_value()?,
            "sliceRange" => self.range = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}
