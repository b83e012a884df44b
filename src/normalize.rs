//! The canonical form of a pool: its network as Go prints it, and the offsets that then stand for the same
//! addresses.
//!
//! Admission rewrites the text of `spec.range` and nothing else ([`canonical_range`]). Where entries count from
//! an address with host bits, their keys have to move along with the range; a person does that, with
//! [`Rewrite`], which `check --diff` prints, in hand.

use std::collections::HashSet;

use crate::pool::{Pool, read_offset};
use crate::range::Range;

/// What admission replaces `spec.range` of `new` by; `old` is the object as stored. `None` where the text is
/// canonical, or where another text would move an entry.
pub fn canonical_range(old: Option<&Pool<'_>>, new: &Pool<'_>) -> Option<String> {
    let text = new.spec.range.text()?;
    if old.is_some_and(|old| old.spec.range == new.spec.range) {
        return None;
    }
    let range = new.spec.intended_range().filter(|range| !range.is_mapped_too_wide())?;
    let canonical = range.network().to_string();
    let stays = range.host_bits() == 0
        || new.spec.has_no_entries()
        || old.is_some_and(|old| repeats_stored_entries(old, new, &range));
    (stays && canonical != text).then_some(canonical)
}

/// Whether the entries are the stored ones, which count from the network of `range`: what apply sends for a
/// manifest with host bits and no entries of its own.
fn repeats_stored_entries(old: &Pool<'_>, new: &Pool<'_>, range: &Range) -> bool {
    old.range().is_some_and(|stored| *stored == range.canonical()) && new.spec.has_entries_of(&old.spec)
}

/// The canonical form of a whole pool, for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The range as it should be written, where it is not.
    pub range: Option<String>,
    /// What is added to every offset, where the keys have to be rewritten at all.
    pub offset_shift: Option<i64>,
}

impl Rewrite {
    /// What to change in `pool`; `None` where nothing has to be, or where it could move an address.
    pub fn of(pool: &Pool<'_>) -> Option<Self> {
        let offset_shift = offset_shift(pool);
        let moved = || Some(pool.spec.intended_range()?.network().to_string());
        let range = match offset_shift {
            Some(1..) => moved(),
            _ => canonical_range(None, pool),
        };
        (range.is_some() || offset_shift.is_some()).then_some(Self { range, offset_shift })
    }

    /// The key to write in place of `key`; `None` where it cannot be read.
    pub fn key(&self, key: &str) -> Option<String> {
        let shift = self.offset_shift.unwrap_or(0);
        Some(read_offset(key).ok()?.checked_add(shift)?.to_string())
    }
}

/// What is added to every offset; `None` where no key has to be rewritten, where an address could move, and
/// where two entries would meet.
fn offset_shift(pool: &Pool<'_>) -> Option<i64> {
    let range = pool.spec.intended_range().filter(|range| !range.is_mapped_too_wide())?;
    let shift = i64::try_from(range.host_bits()).ok()?;
    if pool.spec.has_no_entries() || pool.spec.left_out > 0 {
        return None;
    }
    let canonical = range.canonical();
    let mut seen = HashSet::new();
    for allocation in &pool.spec.allocations {
        let offset = allocation.offset.ok()?;
        let moved = offset.checked_add(shift)?;
        let stays = shift == 0
            || range.address_at(offset).is_some_and(|address| canonical.address_at(moved) == Some(address));
        if !stays || !seen.insert(offset) {
            return None;
        }
    }
    let respelled = pool.spec.allocations.iter().any(|it| !it.key_is_canonical());
    (respelled || shift != 0).then_some(shift)
}
