//! The rules of an IPPool. [`ALL`] lists them; the `rules` subcommand, the README's table, the SARIF rules, metric labels
//! and the tests over all rules are made from it.
//!
//! A new rule is three edits: its `static` in the file of its family, its line in [`ALL`], its page.

pub mod across;
mod allocations;
mod cidr_hint;
mod delete;
mod name;
mod range;
mod update;
mod well_formed;

use super::{Allocation, Pool};
use crate::finding::{FieldPath, Report};
pub use across::Across;
pub use update::Update;

/// A rule of an IPPool.
pub type Rule = crate::finding::Rule<Check>;

/// How a rule checks. It sees objects and nothing else: not who asks, not whether it is enforced.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// One pool as a whole; on DELETE, the one that is deleted.
    Pool(for<'a> fn(&'a Pool<'a>, &mut Report<'_, 'a>)),
    /// The same, with the stored pool that it replaces.
    Write(for<'a> fn(&'a Pool<'a>, Option<&Pool<'a>>, &mut Report<'_, 'a>)),
    /// The entries of `spec.allocations` one by one.
    Entry(Entries, for<'a> fn(&'a Pool<'a>, &'a Allocation<'a>, &mut Report<'_, 'a>)),
    /// The update from the stored pool to the new one.
    Update(for<'a> fn(&Update<'a>, &mut Report<'_, 'a>)),
    /// All objects of a cluster; never in a request.
    Across(Across),
}

/// Which entries a rule wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    /// All of them.
    All,
    /// Those that are not as whereabouts writes them, at an address that it hands out. One look tells them from the
    /// others, which makes a large pool cheap.
    Malformed,
}

/// Every rule, in the order of the ids.
pub static ALL: &[&Rule] = &[
    &range::RANGE_MISSING,
    &range::RANGE_NOT_CIDR,
    &range::RANGE_NOT_CANONICAL,
    &range::RANGE_HOST_BITS,
    &range::RANGE_WITHOUT_USABLE_ADDRESS,
    &range::RANGE_MAPPED_TOO_WIDE,
    &range::RANGE_WIDER_THAN_OFFSETS,
    &allocations::ALLOCATIONS_MISSING,
    &allocations::offset::OFFSET_NOT_A_NUMBER,
    &allocations::offset::OFFSET_NOT_CANONICAL,
    &allocations::OFFSET_COLLISION,
    &allocations::offset::OFFSET_NEGATIVE,
    &allocations::offset::OFFSET_OUT_OF_RANGE,
    &allocations::offset::OFFSET_UNREADABLE,
    &allocations::offset::OFFSET_ON_EDGE_ADDRESS,
    &allocations::entry::ALLOCATION_FIELD_MISSING,
    &allocations::entry::PODREF_MALFORMED,
    &allocations::entry::PODREF_EMPTY,
    &allocations::entry::ID_EMPTY,
    &allocations::OWNER_TWICE,
    &allocations::entry::IFNAME_MALFORMED,
    &allocations::POOL_NEAR_SIZE_LIMIT,
    &allocations::entry::IFNAME_RESERVED,
    &update::RANGE_CHANGED,
    &update::ALLOCATIONS_DROPPED,
    &update::OWNER_REPLACED,
    &name::NAME_CONTRADICTS_RANGE,
    &across::RANGES_OVERLAP,
    &across::ADDRESS_HELD_TWICE,
    &across::RESERVATION_MISMATCH,
    &across::OWNER_GONE,
    &across::ADDRESS_NOT_ON_POD,
    &across::POOL_UNUSED,
    &across::NODE_SLICE_WRONG,
    &across::ADDRESS_NOT_ALLOWED,
    &across::ENTRY_FROM_BEFORE_UPGRADE,
    &delete::POOL_IN_USE_DELETED,
];

/// What the rules check in one request.
#[derive(Debug)]
pub struct Subject<'a> {
    pool: &'a Pool<'a>,
    stored: Option<&'a Pool<'a>>,
    update: Option<Update<'a>>,
    malformed: Vec<&'a Allocation<'a>>,
}

impl<'a> Subject<'a> {
    /// `pool`, with the one that it replaces; the rules about updates check it only where `is_update`.
    pub fn new(pool: &'a Pool<'a>, stored: Option<&'a Pool<'a>>, is_update: bool) -> Self {
        let is_well_formed =
            |entry| pool.range().is_some_and(|range| well_formed::is_well_formed(entry, range));
        // One pass over the entries for all rules: a large pool is read from memory once.
        let malformed = pool.spec.allocations.iter().filter(|entry| !is_well_formed(entry)).collect();
        let update = stored.filter(|_| is_update).map(|stored| Update::between(stored, pool));
        Self { pool, stored, update, malformed }
    }
}

impl Check {
    /// Checks `subject`.
    pub(super) fn run<'a>(self, subject: &Subject<'a>, report: &mut Report<'_, 'a>) {
        let pool = subject.pool;
        match self {
            Self::Pool(check) => check(pool, report),
            Self::Write(check) => check(pool, subject.stored, report),
            Self::Across(_) => {}
            Self::Update(check) => subject.update.iter().for_each(|update| check(update, report)),
            Self::Entry(Entries::Malformed, check) => {
                subject.malformed.iter().for_each(|entry| check_entry(check, pool, entry, report));
            }
            Self::Entry(Entries::All, check) => {
                pool.spec.allocations.iter().for_each(|entry| check_entry(check, pool, entry, report));
            }
        }
    }
}

fn check_entry<'a>(
    check: fn(&'a Pool<'a>, &'a Allocation<'a>, &mut Report<'_, 'a>),
    pool: &'a Pool<'a>,
    entry: &'a Allocation<'a>,
    report: &mut Report<'_, 'a>,
) {
    report.about(|| pool.address_of(entry), |report| check(pool, entry, report));
}

/// `spec.allocations[key]`.
fn entry_path<'a>(entry: &'a Allocation<'a>) -> FieldPath<'a> {
    FieldPath::entry("spec.allocations", entry.key.as_ref(), entry.offset.ok())
}
