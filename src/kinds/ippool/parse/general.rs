//! A pool from any JSON.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess};
use serde_json::value::RawValue;

use crate::json::{Digest, Fill, Shape, Target, Text, skip};
use crate::kinds::ippool::{Allocation, Allocations, MAX_ALLOCATIONS, Metadata, Pool, Spec};

impl<'de> Deserialize<'de> for Pool<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut pool = Self::default();
        Fill(&mut pool).deserialize(deserializer)?;
        Ok(pool)
    }
}

impl<'a> Target<'a> for Pool<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "metadata" => map.next_value_seed(Fill(reset(&mut self.metadata))),
            "spec" => map.next_value_seed(Fill(reset(&mut self.spec))),
            _ => skip(map),
        }
    }
}

/// Of two members with one name the last counts.
fn reset<T: Default>(part: &mut T) -> &mut T {
    *part = T::default();
    part
}

impl<'a> Target<'a> for Metadata<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "name" => self.name = map.next_value()?,
            "generateName" => self.generate_name = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Target<'a> for Spec<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "range" => self.set_range(map.next_value()?),
            "allocations" => {
                let mut entries = Entries::default();
                map.next_value_seed(Fill(&mut entries))?;
                self.allocations_shape = entries.shape;
                self.allocations = Allocations::new(entries.entries);
                self.truncated = entries.truncated;
            }
            unknown => add(&mut self.unknown, unknown, map)?,
        }
        Ok(())
    }

    fn shape(&mut self, shape: Shape) {
        self.shape = shape;
    }
}

#[derive(Default)]
struct Entries<'a> {
    shape: Shape,
    entries: Vec<Allocation<'a>>,
    truncated: usize,
}

impl<'a> Target<'a> for Entries<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        if self.entries.len() == MAX_ALLOCATIONS {
            self.truncated += 1;
            return skip(map);
        }
        map.next_value_seed(Fill(self.entries.push_mut(Allocation::at(key.0))))
    }

    fn shape(&mut self, shape: Shape) {
        self.shape = shape;
    }
}

impl<'a> Target<'a> for Allocation<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "id" => self.id = map.next_value()?,
            "podref" => self.podref = map.next_value()?,
            "ifname" => self.ifname = map.next_value()?,
            "ipamclaimref" => self.claim = Digest::of_value(map.next_value::<&'a RawValue>()?.get()),
            unknown => add(&mut self.unknown, unknown, map)?,
        }
        Ok(())
    }

    fn shape(&mut self, shape: Shape) {
        self.shape = shape;
    }
}

fn add<'a, M: MapAccess<'a>>(digest: &mut Digest, key: &str, map: &mut M) -> Result<(), M::Error> {
    digest.add(key, map.next_value::<&'a RawValue>()?.get());
    Ok(())
}
