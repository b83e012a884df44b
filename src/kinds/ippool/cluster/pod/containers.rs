//! The containers of a pod.

use serde::de::{DeserializeSeed, MapAccess};

use crate::json::{Elements, Field, Fill, Target, Text, skip};

/// Texts of which at least one occurs in every pod that runs whereabouts.
const SIGNS: [&str; 2] = ["whereabouts", "WHEREABOUTS_NAMESPACE"];

/// Whether a pod runs a part of whereabouts, according to the names of its containers and images.
pub fn runs_whereabouts(json: &str) -> bool {
    if !SIGNS.iter().any(|it| json.contains(it)) {
        return false;
    }
    let mut pod = Containers::default();
    let read = Fill(&mut pod).deserialize(&mut serde_json::Deserializer::from_str(json));
    read.is_ok() && pod.is_whereabouts
}

/// The fields of a pod that say what it runs.
#[derive(Default)]
struct Containers {
    is_whereabouts: bool,
}

impl<'a> Target<'a> for Containers {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "spec" => map.next_value_seed(Fill(self)),
            "containers" | "initContainers" => map.next_value_seed(Elements::of(|container: Container| {
                self.is_whereabouts |= container.0;
            })),
            _ => skip(map),
        }
    }
}

#[derive(Default)]
struct Container(bool);

impl<'a> Target<'a> for Container {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "name" | "image" => {
                let text: Field<'a> = map.next_value()?;
                self.0 |= text.text().is_some_and(|it| it.contains("whereabouts"));
                Ok(())
            }
            "env" => map.next_value_seed(Elements::of(|Variable(name)| {
                self.0 |= name.text() == Some("WHEREABOUTS_NAMESPACE");
            })),
            _ => skip(map),
        }
    }
}

#[derive(Default)]
struct Variable<'a>(Field<'a>);

impl<'a> Target<'a> for Variable<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "name" => self.0 = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}
