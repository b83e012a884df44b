//! Writing the patch: a plan as JSON patch (RFC 6902).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::normalize::Plan;
use crate::pool::Text;

/// The JSON patch for the object of this JSON text, of which the plan was made. The values of entries are
/// carried over byte for byte, whatever they are; a parsed value could not promise that of its numbers.
/// `None` if the text is not that object: then nothing is touched.
pub fn json_patch(plan: &Plan, object: &str) -> Option<String> {
    let parsed;
    let mut operations = Vec::new();
    if let Some(range) = &plan.range {
        operations.push(Operation { op: "replace", path: "/spec/range", value: Replacement::Range(range) });
    }
    if plan.keys.is_some() {
        parsed = serde_json::from_str::<WithAllocations<'_>>(object).ok()?;
        let entries = parsed.spec.allocations.0.iter();
        let moved =
            entries.map(|(key, value)| Some((plan.moved(key.as_ref())?, *value))).collect::<Option<_>>()?;
        // All keys at once: one by one they would overwrite each other.
        let value = Replacement::Allocations(moved);
        operations.push(Operation { op: "replace", path: "/spec/allocations", value });
    }
    serde_json::to_string(&operations).ok()
}

#[derive(Serialize)]
struct Operation<'a> {
    op: &'static str,
    path: &'static str,
    value: Replacement<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Replacement<'a> {
    Range(&'a str),
    Allocations(BTreeMap<String, &'a RawValue>),
}

/// The part of the object that a patch of the keys carries over.
#[derive(Deserialize)]
struct WithAllocations<'a> {
    #[serde(borrow)]
    spec: SpecWithAllocations<'a>,
}

#[derive(Deserialize)]
struct SpecWithAllocations<'a> {
    #[serde(borrow)]
    allocations: Entries<'a>,
}

/// The members of an object as they stand there; a map would sort them first.
struct Entries<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyObject;
        impl<'de> Visitor<'de> for AnyObject {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries<'de>, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(AnyObject)
    }
}
