//! IPP3xx: the step from the stored pool to the new one. Allocations are matched by address, so that a
//! pool whose range and offsets were normalized together counts as unchanged.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::key::place;
use super::owner::is_podref;
use super::{Change, Check, PoolRule, address_of};
use crate::path::{FieldPath, Quoted};
use crate::pool::{Allocation, Allocations, Pool};
use crate::range::Range;
use crate::report::{Operation, Rule, Severity};

const UPDATE: &[Operation] = &[Operation::Update];

/// From this many allocations on, a request that drops most of them is reported.
const MANY_ALLOCATIONS: usize = 10;

/// Every live offset would stand for another address.
pub static RANGE_CHANGED: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP301",
        name: "range-changed",
        summary: "spec.range becomes another network while allocations exist",
        on: UPDATE,
        severity: Severity::Deny,
        normalized: false,
        page: include_str!("IPP301-range-changed.md"),
    },
    check: Check::Change(|change, report| {
        const PATH: FieldPath<'static> = FieldPath::of("spec.range");
        let (Some(old), Some(new)) = (change.old.spec.intended_range(), change.new.range()) else { return };
        let live = change.old.spec.allocations.len().max(change.new.spec.allocations.len());
        let text = change.new.spec.range.text().unwrap_or_default();
        let left_behind = left_behind(change);
        let is_moved = old.network() != new.network() && !is_unmapped(&old, new);
        if (is_moved || left_behind > 0 && old.host_bits() == 0) && live > 0 {
            report.invalid(PATH, text, format!("field is immutable: {} from {}", counted(live), old.base()));
        } else if left_behind > 0 {
            let (base, shift) = (old.base(), change.shift);
            let detail = format!("{} from {base}; add {shift} to keep the addresses", counted(left_behind));
            report.invalid(PATH, text, detail);
            // The pool was broken before, and nobody can tell its true addresses any more.
            report.only_warns();
        }
    }),
};

fn counted(allocations: usize) -> String {
    match allocations {
        1 => "1 allocation counts".to_owned(),
        more => format!("{more} allocations count"),
    }
}

/// Whether a mapped range in which no address could be was repaired: the offsets go on counting from the
/// same address.
fn is_unmapped(old: &Range, new: &Range) -> bool {
    old.is_mapped_too_wide() && !new.is_mapped_too_wide() && old.base() == new.base()
}

/// A stale manifest or a slip of an editor frees addresses that are in use.
pub static ALLOCATIONS_DROPPED: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP302",
        name: "allocations-dropped",
        summary: "one request removes more than half of at least ten allocations",
        on: UPDATE,
        severity: Severity::Warn,
        normalized: false,
        page: include_str!("IPP302-allocations-dropped.md"),
    },
    check: Check::Change(|change, report| {
        let total = change.old.spec.allocations.len();
        let gone = total - change.unchanged - change.kept.len();
        if total >= MANY_ALLOCATIONS && gone * 2 > total {
            let detail =
                format!("removes {gone} of {total} allocations; addresses in use are handed out again");
            report.forbidden(FieldPath::of("spec.allocations"), detail);
        }
    }),
};

/// The address keeps its entry and changes hands.
pub static OWNER_REPLACED: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP303",
        name: "owner-replaced",
        summary: "an offset keeps its entry but changes its podref",
        on: UPDATE,
        severity: Severity::Warn,
        normalized: false,
        page: include_str!("IPP303-owner-replaced.md"),
    },
    check: Check::Change(|change, report| {
        for (old, new) in &change.kept {
            // Where no pod could be meant before, there is none to replace.
            if old.owner() != new.owner() && is_podref(old.owner()) {
                let start = report.len();
                let detail = format!("replaces {}, which may still use the address", Quoted(old.owner()));
                report.invalid(place(new).field("podref"), new.owner(), detail);
                report.locate(start, address_of(change.new, new));
            }
        }
    }),
};

/// How many entries kept their key although the address they count from moved.
fn left_behind(change: &Change<'_>) -> usize {
    if change.shift == 0 {
        return 0;
    }
    let old: HashMap<_, _> = change.old.spec.allocations.iter().map(|it| (&it.key, it)).collect();
    let same_owner = change.kept.iter().filter(|(old, new)| old.podref == new.podref);
    let moved_along: HashSet<_> = same_owner.map(|(_, new)| &new.key).collect();
    let kept_key = |new: &&Allocation<'_>| {
        !moved_along.contains(&new.key) && old.get(&new.key).is_some_and(|old| old.podref == new.podref)
    };
    change.new.spec.allocations.iter().filter(kept_key).count()
}

impl<'a> Change<'a> {
    /// Sets the stored pool beside the new one.
    pub fn between(old: &'a Pool<'a>, new: &'a Pool<'a>) -> Self {
        let shift = shift_between(old, new).unwrap_or(0);
        let (before, after) = (&old.spec.allocations, &new.spec.allocations);
        let (unchanged, kept) = if shift == 0 && before.are_in_order() && after.are_in_order() {
            let (unchanged, others) = before.beside(after);
            (unchanged, kept_in_order(others, after))
        } else {
            (0, kept_by_address(old, new, shift))
        };
        Self { old, new, shift, unchanged, kept }
    }
}

/// What an old offset has to grow by to keep its address, where both ranges are the same network; blanks
/// around the old one, which normalizing takes away, do not count.
pub(crate) fn shift_between(old: &Pool<'_>, new: &Pool<'_>) -> Option<i64> {
    let (old, new) = (old.spec.intended_range()?, new.range()?);
    if old.network() != new.network() || old.is_mapped_too_wide() != new.is_mapped_too_wide() {
        return None;
    }
    let (old, new) = (i128::try_from(old.host_bits()).ok()?, i128::try_from(new.host_bits()).ok()?);
    i64::try_from(old - new).ok()
}

/// The pairs of two sorted lists in one walk: no hashing, nothing copied.
fn kept_in_order<'a>(
    old: Vec<&'a Allocation<'a>>,
    new: &'a Allocations<'a>,
) -> Vec<(&'a Allocation<'a>, &'a Allocation<'a>)> {
    let mut kept = Vec::with_capacity(old.len().min(new.len()));
    let mut new = new.iter().peekable();
    for old in old {
        while new.next_if(|new| new.key < old.key).is_some() {}
        if let Some(new) = new.next_if(|new| new.key == old.key) {
            kept.push((old, new));
        }
    }
    kept
}

/// The pairs where keys are out of order, misspelled or shifted: by key where that is the same, else by
/// address.
fn kept_by_address<'a>(
    old: &'a Pool<'a>,
    new: &'a Pool<'a>,
    shift: i64,
) -> Vec<(&'a Allocation<'a>, &'a Allocation<'a>)> {
    let (mut kept, mut rest) = (Vec::new(), Vec::new());
    let mut by_key: BTreeMap<_, _> = old.spec.allocations.iter().map(|it| (it.key.as_ref(), it)).collect();
    for new in &new.spec.allocations {
        let same_key = if shift == 0 || new.offset.is_err() { by_key.remove(new.key.as_ref()) } else { None };
        match same_key {
            Some(old) => kept.push((old, new)),
            None => rest.push(new),
        }
    }
    let moved = |it: &'a Allocation<'a>| match it.offset {
        Ok(offset) => Some((i128::from(offset) + i128::from(shift), it)),
        // An address in place of an offset, as IPP202 reports it.
        Err(_) => Some((new.range()?.offset_of(it.key.parse().ok()?)?.into(), it)),
    };
    let mut by_address: HashMap<_, _> = by_key.into_values().filter_map(moved).collect();
    let same_address = |new: &'a Allocation<'a>| {
        let offset = i128::from(new.offset.ok()?);
        Some((by_address.remove(&offset)?, new))
    };
    kept.extend(rest.into_iter().filter_map(same_address));
    kept
}
