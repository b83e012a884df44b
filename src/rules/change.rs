//! IPP3xx: the change from the stored pool to the new one. Where the base stays, entries are matched by key;
//! where it changes, by address, so that a pool whose range and offsets were rewritten together is unchanged.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::key::place;
use super::moved::{Moved, loses_host_bits, offsets_to_write};
use super::owner::is_podref;
use super::{Change, Check, PoolRule, address_of, name};
use crate::path::FieldPath;
use crate::pool::{Allocation, Allocations, Pool};
use crate::range::Range;
use crate::report::{Denial, Operation, Report, Rule};
use crate::text::Quoted;

const RANGE: FieldPath<'static> = FieldPath::of("spec.range");

const UPDATE: &[Operation] = &[Operation::Update];

/// From this many allocations on, a request that drops most of them is reported.
const MANY_ALLOCATIONS: usize = 10;

/// From this many allocations on, a request that drops all of them is reported.
const SEVERAL_ALLOCATIONS: usize = 2;

/// Live offsets would stand for other addresses.
pub static RANGE_CHANGED: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP301",
        name: "range-changed",
        summary: "the base of spec.range changes, and an allocation stands for another address",
        on: UPDATE,
        denial: Denial::Always,
        page: include_str!("IPP301-range-changed.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Change(|change, report| {
        let Some(old) = change.old.range() else { return };
        let moved = Moved::between(change.old, change.new);
        match change.new.range() {
            None if change.keeps_any() => deny_unreadable(change, report),
            None => {}
            Some(_) if moved.is_empty() => {}
            Some(new) if is_repair(change, old, new, &moved) => {
                report.notice(RANGE, "allocations change their address: ").listing(moved.list());
            }
            Some(new) => deny_move(change, new, &moved, report),
        }
    }),
};

/// Whether the pool goes back to the range that its name says, or loses the host bits of its range together
/// with every key: then what moves is only reported.
fn is_repair(change: &Change<'_>, old: &Range, new: &Range, moved: &Moved) -> bool {
    let was_wrong = name::contradicts(change.old, old) && name::agrees(change.new, new);
    was_wrong || loses_host_bits(change.old, change.new) && !moved.any_under_its_key()
}

/// Nothing would count from such a range, so the next update could give the pool any other.
fn deny_unreadable<'a>(change: &Change<'a>, report: &mut Report<'_, 'a>) {
    let (stored, text) = range_texts(change);
    let detail = format!("field is immutable: must be {}, or allocations lose their address", Quoted(stored));
    report.invalid(RANGE, text, detail);
}

fn deny_move<'a>(change: &Change<'a>, new: &Range, moved: &Moved, report: &mut Report<'_, 'a>) {
    let (stored, text) = range_texts(change);
    if loses_host_bits(change.old, change.new) {
        let detail = "field is immutable, unless every offset is rewritten in the same request: ";
        report.invalid(RANGE, text, detail).listing(offsets_to_write(change.old, change.new, new));
    } else {
        let detail = format!("field is immutable: must be {}, or allocations move: ", Quoted(stored));
        report.invalid(RANGE, text, detail).listing(moved.list());
    }
}

/// `spec.range` as stored, and as it would be.
fn range_texts<'a>(change: &Change<'a>) -> (&'a str, &'a str) {
    let text = |pool: &'a Pool<'a>| pool.spec.range.text().unwrap_or_default();
    (text(change.old), text(change.new))
}

/// A stale manifest or a slip of an editor frees addresses that are in use.
pub static ALLOCATIONS_DROPPED: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP302",
        name: "allocations-dropped",
        summary: "one request removes more than half of ten or more allocations, or all of several",
        on: UPDATE,
        denial: Denial::Never("a removal of allocations is never denied"),
        page: include_str!("IPP302-allocations-dropped.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Change(|change, report| {
        let total = change.old.spec.allocations.len();
        let removed = total - change.unchanged - change.kept.len();
        let most = total >= MANY_ALLOCATIONS && removed * 2 > total;
        if most || total >= SEVERAL_ALLOCATIONS && removed == total {
            let detail =
                format!("removes {removed} of {total} allocations; addresses in use are handed out again");
            report.notice(FieldPath::of("spec.allocations"), detail);
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
        page: include_str!("IPP303-owner-replaced.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Change(|change, report| {
        for (old, new) in &change.kept {
            // A virtual machine that starts again has another pod and the same claim.
            let is_same_claim = old.claim.is_some() && old.claim == new.claim;
            // Where no pod could be meant before, there is none to replace.
            if old.owner() != new.owner() && is_podref(old.owner()) && !is_same_claim {
                let detail = format!("replaces {}, which may still use the address", Quoted(old.owner()));
                let path = place(new).field("podref");
                report.invalid(path, new.owner(), detail).at(address_of(change.new, new));
            }
        }
    }),
};

impl<'a> Change<'a> {
    /// Whether any entry stays.
    fn keeps_any(&self) -> bool {
        self.unchanged + self.kept.len() > 0
    }

    /// Sets the stored pool beside the new one.
    pub fn between(old: &'a Pool<'a>, new: &'a Pool<'a>) -> Self {
        let (before, after) = (&old.spec.allocations, &new.spec.allocations);
        let by_address = base_changes(old, new);
        let (unchanged, kept) = if !by_address && before.are_in_order() && after.are_in_order() {
            let (unchanged, others) = before.beside(after);
            (unchanged, kept_in_order(others, after))
        } else {
            (0, kept_in_any_order(old, new, by_address))
        };
        Self { old, new, unchanged, kept }
    }
}

/// Whether offsets count from another address than before. Where one of the two is unknown, they do not.
pub(super) fn base_changes(old: &Pool<'_>, new: &Pool<'_>) -> bool {
    matches!((old.range(), new.range()), (Some(old), Some(new)) if old.base() != new.base())
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

/// The pairs where keys are out of order or misspelled, or the base changes: by key unless that counts from
/// another address now, then by offset or address.
fn kept_in_any_order<'a>(
    old: &'a Pool<'a>,
    new: &'a Pool<'a>,
    by_address: bool,
) -> Vec<(&'a Allocation<'a>, &'a Allocation<'a>)> {
    let (mut kept, mut rest) = (Vec::new(), Vec::new());
    let mut by_key: BTreeMap<_, _> = old.spec.allocations.iter().map(|it| (it.key.as_ref(), it)).collect();
    for new in &new.spec.allocations {
        let is_same = !by_address || new.offset.is_err();
        match is_same.then(|| by_key.remove(new.key.as_ref())).flatten() {
            Some(old) => kept.push((old, new)),
            None => rest.push(new),
        }
    }
    let position = |pool, it| Position::of(pool, it, by_address);
    let mut others: HashMap<_, _> =
        by_key.into_values().filter_map(|it| Some((position(old, it)?, it))).collect();
    kept.extend(rest.into_iter().filter_map(|it| Some((others.remove(&position(new, it)?)?, it))));
    kept
}

/// By what an entry is found again under another key.
#[derive(PartialEq, Eq, Hash)]
enum Position {
    Offset(i64),
    Address(IpAddr),
}

impl Position {
    fn of(pool: &Pool<'_>, allocation: &Allocation<'_>, by_address: bool) -> Option<Self> {
        let offset = || {
            // An address in place of an offset, as IPP202 reports it.
            allocation.offset.ok().or_else(|| pool.range()?.offset_of(allocation.key.parse().ok()?))
        };
        if by_address {
            Some(Self::Address(pool.range()?.address_at(offset()?)?))
        } else {
            offset().map(Self::Offset)
        }
    }
}
