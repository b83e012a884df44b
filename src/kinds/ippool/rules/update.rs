//! IPP3xx: the update from the stored pool to the new one. Where the base stays, entries are matched by key;
//! where it changes, by address, so that a pool whose range and offsets were rewritten together is unchanged.

mod moved;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::well_formed::is_podref;
use super::{Check, Rule, entry_path, name};
use crate::finding::{Denies, FieldPath, Operation, Report, RuleInfo};
use crate::kinds::ippool::{Allocation, Pool, Range};
use crate::text::Quoted;
use moved::{Moved, loses_host_bits, offsets_to_write};

const RANGE: FieldPath<'static> = FieldPath::of("spec.range");

const UPDATE: &[Operation] = &[Operation::Update];

/// From this many allocations on, a request that drops most of them is reported.
const MANY_ALLOCATIONS: usize = 10;

/// From this many allocations on, a request that drops all of them is reported.
const SEVERAL_ALLOCATIONS: usize = 2;

/// Offsets in use would mean other addresses.
pub static RANGE_CHANGED: Rule = Rule {
    info: RuleInfo {
        id: "IPP301",
        name: "range-changed",
        summary: "the base of spec.range changes, and an allocation stands for another address",
        operations: UPDATE,
        denies: Denies::Always,
        page: include_str!("IPP301-range-changed.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Update(|update, report| {
        let Some(old) = update.old.range() else { return };
        let moved = Moved::between(update.old, update.new);
        match update.new.range() {
            None if update.keeps_any() => deny_unreadable(update, report),
            None => {}
            Some(_) if moved.is_empty() => {}
            Some(new) if is_repair(update, old, new, &moved) => {
                report.notice(RANGE, "allocations change their address: ").listing(moved.list());
            }
            Some(new) => deny_move(update, new, &moved, report),
        }
    }),
};

/// Whether the pool goes back to the range that its name says, or loses the host bits of its range together
/// with every key: then what moves is only reported.
fn is_repair(update: &Update<'_>, old: &Range, new: &Range, moved: &Moved) -> bool {
    let was_wrong = name::contradicts(update.old, old) && name::agrees(update.new, new);
    was_wrong || loses_host_bits(update.old, update.new) && !moved.any_under_its_key()
}

/// Nothing would count from such a range, so the next update could give the pool any other.
fn deny_unreadable<'a>(update: &Update<'a>, report: &mut Report<'_, 'a>) {
    let (stored, text) = range_texts(update);
    let detail = format!("field is immutable: must be {}, or allocations lose their address", Quoted(stored));
    report.invalid(RANGE, text, detail);
}

fn deny_move<'a>(update: &Update<'a>, new: &Range, moved: &Moved, report: &mut Report<'_, 'a>) {
    let (stored, text) = range_texts(update);
    if loses_host_bits(update.old, update.new) {
        let detail = "field is immutable, unless every offset is rewritten in the same request: ";
        report.invalid(RANGE, text, detail).listing(offsets_to_write(update.old, update.new, new));
    } else {
        let detail = format!("field is immutable: must be {}, or allocations move: ", Quoted(stored));
        report.invalid(RANGE, text, detail).listing(moved.list());
    }
}

/// `spec.range` as stored, and as it would be.
fn range_texts<'a>(update: &Update<'a>) -> (&'a str, &'a str) {
    let text = |pool: &'a Pool<'a>| pool.spec.range.text().unwrap_or_default();
    (text(update.old), text(update.new))
}

/// A stale manifest or a mistake in an editor frees addresses that are in use.
pub static ALLOCATIONS_DROPPED: Rule = Rule {
    info: RuleInfo {
        id: "IPP302",
        name: "allocations-dropped",
        summary: "one request removes more than half of ten or more allocations, or all of several",
        operations: UPDATE,
        denies: Denies::Never("a removal of allocations is never denied"),
        page: include_str!("IPP302-allocations-dropped.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Update(|update, report| {
        let total = update.old.spec.allocations.len();
        let removed = total - update.unchanged - update.kept.len();
        let most = total >= MANY_ALLOCATIONS && removed * 2 > total;
        if most || total >= SEVERAL_ALLOCATIONS && removed == total {
            let detail =
                format!("removes {removed} of {total} allocations; addresses in use are handed out again");
            report.notice(FieldPath::of("spec.allocations"), detail);
        }
    }),
};

/// The address keeps its entry and changes hands.
pub static OWNER_REPLACED: Rule = Rule {
    info: RuleInfo {
        id: "IPP303",
        name: "owner-replaced",
        summary: "an offset keeps its entry but changes its podref",
        operations: UPDATE,
        page: include_str!("IPP303-owner-replaced.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Update(|update, report| {
        for (old, new) in &update.kept {
            // A virtual machine that starts again has another pod and the same claim.
            let is_same_claim = !old.claim.is_empty() && old.claim == new.claim;
            // Where no pod could be meant before, there is none to replace.
            if old.owner() != new.owner() && is_podref(old.owner()) && !is_same_claim {
                let detail = format!("replaces {}, which may still use the address", Quoted(old.owner()));
                let path = entry_path(new).field("podref");
                report.invalid(path, new.owner(), detail).at(update.new.address_of(new));
            }
        }
    }),
};

/// The update from the stored pool to the new one.
#[derive(Debug)]
pub struct Update<'a> {
    /// As stored.
    pub old: &'a Pool<'a>,
    /// As it would be stored.
    pub new: &'a Pool<'a>,
    /// How many entries stay as they are.
    unchanged: usize,
    /// The other entries that stay, old and new: at the same offset or, where the base changes, at the same
    /// address.
    kept: Vec<(&'a Allocation<'a>, &'a Allocation<'a>)>,
}

impl<'a> Update<'a> {
    /// Matches the entries of the stored pool and of the new one.
    pub fn between(old: &'a Pool<'a>, new: &'a Pool<'a>) -> Self {
        let by_address = base_changes(old, new);
        let mut update = Self { old, new, unchanged: 0, kept: Vec::new() };
        if !by_address && old.spec.allocations.are_in_order() && new.spec.allocations.are_in_order() {
            update.match_in_order();
        } else {
            update.match_in_any_order(by_address);
        }
        update
    }

    /// Whether any entry stays.
    fn keeps_any(&self) -> bool {
        self.unchanged + self.kept.len() > 0
    }

    fn keep(&mut self, old: &'a Allocation<'a>, new: &'a Allocation<'a>) {
        if old == new {
            self.unchanged += 1;
        } else {
            self.kept.push((old, new));
        }
    }

    /// One pass over two sorted lists.
    fn match_in_order(&mut self) {
        let mut new = self.new.spec.allocations.iter().peekable();
        for old in self.old.spec.allocations.iter() {
            if new.next_if(|new| *new == old).is_some() {
                self.unchanged += 1;
                continue;
            }
            while new.next_if(|new| new.key < old.key).is_some() {}
            if let Some(new) = new.next_if(|new| new.key == old.key) {
                self.keep(old, new);
            }
        }
    }

    /// By key unless that counts from another address now, then by offset or address.
    fn match_in_any_order(&mut self, by_address: bool) {
        let (old, new) = (self.old, self.new);
        let mut by_key: BTreeMap<_, _> =
            old.spec.allocations.iter().map(|entry| (entry.key.as_ref(), entry)).collect();
        let mut rest = Vec::new();
        for entry in new.spec.allocations.iter() {
            let is_same = !by_address || entry.offset.is_err();
            match is_same.then(|| by_key.remove(entry.key.as_ref())).flatten() {
                Some(stored) => self.keep(stored, entry),
                None => rest.push(entry),
            }
        }
        let position = |pool, entry| Position::of(pool, entry, by_address);
        let mut others: HashMap<_, _> =
            by_key.into_values().filter_map(|entry| Some((position(old, entry)?, entry))).collect();
        for entry in rest {
            if let Some(stored) = position(new, entry).and_then(|it| others.remove(&it)) {
                self.keep(stored, entry);
            }
        }
    }
}

/// Whether offsets count from another address than before. Where one of the two is unknown, they do not.
fn base_changes(old: &Pool<'_>, new: &Pool<'_>) -> bool {
    matches!((old.range(), new.range()), (Some(old), Some(new)) if old.base() != new.base())
}

/// What identifies an entry under another key.
#[derive(PartialEq, Eq, Hash)]
enum Position {
    Offset(i64),
    Address(IpAddr),
}

impl Position {
    fn of(pool: &Pool<'_>, entry: &Allocation<'_>, by_address: bool) -> Option<Self> {
        // Somebody may have written an address in place of an offset, as IPP202 reports it.
        let offset = entry.offset.ok().or_else(|| pool.range()?.offset_of(entry.key.parse().ok()?))?;
        if by_address {
            pool.range()?.address_at(offset).map(Self::Address)
        } else {
            Some(Self::Offset(offset))
        }
    }
}
