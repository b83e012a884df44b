//! Sloppy pools made tidy without moving a single address.
//!
//! A range `b/p` with network `n` becomes `n/p`, and every offset grows by `b - n`, all at once. Where that
//! cannot be shown to keep every address, nothing is touched and the rules speak instead.

use std::borrow::Cow;
use std::collections::HashSet;

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation, ReplaceOperation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::pool::{Pool, Shape, read_offset};
use crate::range::Range;

/// What normalising changes in one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The range as it should be written, where it is not.
    pub range: Option<String>,
    /// What is added to every offset, where the keys have to be rewritten at all.
    pub keys: Option<i64>,
}

impl Plan {
    /// What to change in `pool`; `None` where nothing has to be, or where it could move an address.
    pub fn of(pool: &Pool<'_>) -> Option<Self> {
        let text = pool.spec.range.text()?;
        let range = Range::parse(text.trim()).ok()?;
        if range.is_mapped_too_wide() || pool.spec.left_out > 0 {
            return None;
        }
        let shift = i64::try_from(range.host_bits()).ok()?;
        let respelled = every_address_stays(pool, &range, shift)?;
        let canonical = range.network().to_string();
        let plan = Self {
            range: (canonical != text).then_some(canonical),
            keys: (respelled || shift != 0 && !pool.spec.allocations.is_empty()).then_some(shift),
        };
        (plan.range.is_some() || plan.keys.is_some()).then_some(plan)
    }

    /// The patch for the object of this JSON text, of which the plan was made. Values are carried over as
    /// they are, whatever they are. `None` if one cannot be (nested past 128 levels, for example): then
    /// nothing is touched.
    pub fn patch(&self, object: &str) -> Option<Patch> {
        let mut operations = Vec::new();
        if let Some(range) = &self.range {
            operations.push(replace(["spec", "range"], Value::String(range.clone())));
        }
        if let Some(shift) = self.keys {
            let object: WithAllocations<'_> = serde_json::from_str(object).ok()?;
            let moved = moved_keys(object.spec.allocations, shift)?;
            operations.push(replace(["spec", "allocations"], Value::Object(moved)));
        }
        Some(Patch(operations))
    }

    /// The change in one line, for the person whose object it is.
    pub fn summary(&self, pool: &Pool<'_>) -> String {
        let was = pool.spec.range.text().unwrap_or_default();
        let range = self.range.as_deref().unwrap_or(was);
        match self.keys {
            Some(shift @ 1..) => {
                format!("spec.range: normalised to {range}, offsets grew by {shift}; every address stays")
            }
            Some(_) if self.range.is_none() => {
                "spec.allocations: offsets normalised to decimal; every address stays".to_owned()
            }
            Some(_) => {
                format!("spec.range: normalised to {range}, and offsets to decimal; every address stays")
            }
            None => format!("spec.range: normalised to {range}; every address stays"),
        }
    }
}

/// The patch that normalises the object of this JSON text, if anything is to do.
pub fn patch(object: &str) -> Option<Patch> {
    Plan::of(&Pool::parse(object).ok()?)?.patch(object)
}

/// Whether every key can move by `shift` and keep its address and its place to itself; then, whether any
/// is spelled in another way than whereabouts would.
fn every_address_stays(pool: &Pool<'_>, range: &Range, shift: i64) -> Option<bool> {
    if pool.spec.allocations_shape != Shape::Object {
        return Some(false);
    }
    let normalised = range.normalised();
    let mut taken = HashSet::with_capacity(pool.spec.allocations.len());
    let mut respelled = false;
    for allocation in &pool.spec.allocations {
        let offset = allocation.offset.ok()?;
        let moved = offset.checked_add(shift)?;
        let stays = shift == 0
            || range.address_at(offset).is_some_and(|address| normalised.address_at(moved) == Some(address));
        if !stays || !taken.insert(offset) {
            return None;
        }
        respelled |= !allocation.key_is_canonical();
    }
    Some(respelled)
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
    allocations: std::collections::BTreeMap<Cow<'a, str>, Value>,
}

fn moved_keys(
    allocations: impl IntoIterator<Item = (impl AsRef<str>, Value)>,
    shift: i64,
) -> Option<Map<String, Value>> {
    let moved = |(key, value): (_, Value)| {
        let offset = read_offset(AsRef::<str>::as_ref(&key)).ok()?.checked_add(shift)?;
        Some((offset.to_string(), value))
    };
    allocations.into_iter().map(moved).collect()
}

fn replace<const N: usize>(path: [&str; N], value: Value) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation { path: PointerBuf::from_tokens(path), value })
}
