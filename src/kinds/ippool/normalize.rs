//! The canonical form of a pool: its network as Go prints it, and the offsets that then mean the same
//! addresses.
//!
//! Admission rewrites the text of `spec.range` and nothing else ([`range`]). Where entries count from an address with
//! host bits, their keys have to be rewritten with the range; a person does that, and `check --diff` shows how
//! ([`file_edits`]).

use std::collections::HashSet;

use super::{Pool, Range};
use crate::kinds::{FileEdit, Normalization};
use crate::text::Quoted;

const RANGE: [&str; 2] = ["spec", "range"];

/// What admission writes in place of `spec.range`, if that moves no entry.
pub(super) fn range(stored: Option<&Pool<'_>>, pool: &Pool<'_>) -> Option<Normalization> {
    let value = canonical_range(stored, pool)?;
    let text = Quoted(pool.spec.range.text().unwrap_or_default());
    let message = format!("spec.range: {text} is stored as {value}, its network; write that");
    Some(Normalization { path: RANGE, value, message })
}

/// `None` where the text is canonical, is the stored one, or where another text would move an entry.
fn canonical_range(stored: Option<&Pool<'_>>, pool: &Pool<'_>) -> Option<String> {
    let text = pool.spec.range.text()?;
    if stored.is_some_and(|stored| stored.spec.range == pool.spec.range) {
        return None;
    }
    let range = pool.spec.intended_range().filter(|range| !range.is_mapped_too_wide())?;
    let canonical = range.network().to_string();
    let moves_nothing = range.host_bits() == 0
        || pool.spec.entry_count() == 0
        || stored.is_some_and(|stored| repeats_stored_entries(stored, pool, &range));
    (moves_nothing && canonical != text).then_some(canonical)
}

/// Whether the entries are the stored ones, which count from the network of `range`: what apply sends for a
/// manifest with host bits and no entries of its own.
fn repeats_stored_entries(stored: &Pool<'_>, pool: &Pool<'_>, range: &Range) -> bool {
    stored.range().is_some_and(|stored| *stored == range.canonical())
        && pool.spec.has_entries_of(&stored.spec)
}

/// What a stored offset has to grow by to keep its address under the canonical form of its range, where `pool` has
/// that; 0 where the stored range cannot be read.
pub(super) fn shift_between(stored: &Pool<'_>, pool: &Pool<'_>) -> Option<i64> {
    if stored.spec.range == pool.spec.range {
        return None;
    }
    let range = pool.range()?;
    match stored.spec.intended_range() {
        Some(stored) if *range == stored.canonical() => i64::try_from(stored.host_bits()).ok(),
        Some(_) => None,
        None => Some(0),
    }
}

/// What to rewrite in a file: the range, and every key that is not the offset from its network. Empty where nothing has
/// to be, or where it could move an address.
pub(super) fn file_edits(pool: &Pool<'_>) -> Vec<FileEdit> {
    let shift = offset_shift(pool);
    let range = match shift {
        Some(1..) => pool.spec.intended_range().map(|range| range.network().to_string()),
        _ => canonical_range(None, pool),
    };
    let range = range.map(|text| FileEdit { path: RANGE, key: None, text });
    let keys = pool.spec.allocations.iter().filter_map(|allocation| {
        let text = allocation.offset.ok()?.checked_add(shift?)?.to_string();
        let key = Some(allocation.key.to_string());
        (allocation.key != text).then_some(FileEdit { path: ["spec", "allocations"], key, text })
    });
    range.into_iter().chain(keys).collect()
}

/// What is added to every offset; `None` where there is none, where an address could move, and where two entries would
/// meet.
fn offset_shift(pool: &Pool<'_>) -> Option<i64> {
    let range = pool.spec.intended_range().filter(|range| !range.is_mapped_too_wide())?;
    let shift = i64::try_from(range.host_bits()).ok()?;
    if pool.spec.allocations.is_empty() || pool.spec.truncated > 0 {
        return None;
    }
    let canonical = range.canonical();
    let mut seen = HashSet::new();
    for allocation in pool.spec.allocations.iter() {
        let offset = allocation.offset.ok()?;
        let shifted = offset.checked_add(shift)?;
        let keeps_address = shift == 0
            || range.address_at(offset).is_some_and(|address| canonical.address_at(shifted) == Some(address));
        if !keeps_address || !seen.insert(offset) {
            return None;
        }
    }
    Some(shift)
}
