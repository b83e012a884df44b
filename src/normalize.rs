//! Sloppy pools made tidy without moving a single address.
//!
//! A range `b/p` with network `n` becomes `n/p`, and every offset grows by `b - n`, all at once. Where that
//! cannot be shown to keep every address, nothing is touched and the rules speak instead.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::pool::{Field, Pool, Shape, read_offset};
use crate::range::Range;

/// What normalizing changes in one pool.
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
        let range = pool.spec.intended_range()?;
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

    /// What to change in `new`, which replaces `old`. A manifest with host bits in its range that is applied
    /// again meets a pool normalized before: its entries count from the stored range, whatever the
    /// manifest says, and shifting them once more would move every address.
    pub fn of_update(old: &Pool<'_>, new: &Pool<'_>) -> Option<Self> {
        if !counts_from_stored(old, new) {
            return Self::of(new);
        }
        let stored = old.range().filter(|range| **range == range.normalized())?;
        if !new.spec.holds_only_entries_of(&old.spec) {
            return None;
        }
        let range = stored.network().to_string();
        let spec = new.spec.clone().with_range(Field::Text(Cow::Borrowed(&range)));
        let keys = Self::of(&Pool { spec, ..new.clone() }).and_then(|plan| plan.keys);
        Some(Self { range: Some(range), keys })
    }

    /// Where an entry goes that stands at `key`; `None` where nobody can say.
    pub fn moved(&self, key: &str) -> Option<String> {
        let shift = self.keys.unwrap_or(0);
        Some(read_offset(key).ok()?.checked_add(shift)?.to_string())
    }

    /// The change in one line, for the person whose object it is.
    pub fn summary(&self, pool: &Pool<'_>) -> String {
        let was = pool.spec.range.text().unwrap_or_default();
        let range = self.range.as_deref().unwrap_or(was);
        match self.keys {
            Some(shift @ 1..) => {
                format!("spec.range: normalized to {range}, offsets grew by {shift}; every address stays")
            }
            Some(_) if self.range.is_none() => {
                "spec.allocations: offsets normalized to decimal; every address stays".to_owned()
            }
            Some(_) => {
                format!("spec.range: normalized to {range}, and offsets to decimal; every address stays")
            }
            None => format!("spec.range: normalized to {range}; every address stays"),
        }
    }
}

/// Whether every key can move by `shift` and keep its address and its place to itself; then, whether any
/// is spelled in another way than whereabouts would.
fn every_address_stays(pool: &Pool<'_>, range: &Range, shift: i64) -> Option<bool> {
    if pool.spec.allocations_shape != Shape::Object {
        return Some(false);
    }
    let normalized = range.normalized();
    let each_once = pool.spec.allocations.are_in_order();
    let mut taken = HashSet::new();
    let mut respelled = false;
    for allocation in &pool.spec.allocations {
        let offset = allocation.offset.ok()?;
        let moved = offset.checked_add(shift)?;
        let stays = shift == 0
            || range.address_at(offset).is_some_and(|address| normalized.address_at(moved) == Some(address));
        if !stays || !(each_once || taken.insert(offset)) {
            return None;
        }
        respelled |= !allocation.key_is_canonical();
    }
    Some(respelled)
}

/// Whether the base moved within its network while entries stayed under their keys: then these still
/// count from the stored range.
fn counts_from_stored(old: &Pool<'_>, new: &Pool<'_>) -> bool {
    let (Some(was), Some(is)) = (old.spec.intended_range(), new.spec.intended_range()) else { return false };
    if was.network() != is.network() || was.base() == is.base() {
        return false;
    }
    let stored: HashMap<_, _> = old.spec.allocations.iter().map(|it| (&it.key, it)).collect();
    let entries = &new.spec.allocations;
    entries.iter().any(|it| stored.get(&it.key).is_some_and(|old| old.podref == it.podref))
}
