//! The list of rules, in order. Everything else (the `rules` verb, the README's table, the SARIF
//! catalogue, metric labels, the tests over all rules) is derived from it.
//!
//! Adding a rule is three touches: the `static` in its family's file, its line in [`ALL`], its page. A rule that
//! looks at entries one by one and would speak of a sound one makes `ordinary` stricter as well.

mod allocations;
mod change;
mod key;
mod moved;
mod name;
mod ordinary;
mod owner;
mod range;
mod sieve;
mod slip;

use crate::pool::{Allocation, Pool};
use crate::report::{Finding, Operation, Report, Rule, Severity};

/// A rule with the code that looks.
#[derive(Debug)]
pub struct PoolRule {
    /// Who it is.
    pub rule: Rule,
    /// What it does.
    pub check: Check,
}

/// What a rule looks at. It sees pools and nothing else: not who asks, not whether it is enforced.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// One pool as a whole; on DELETE, the one that goes.
    Pool(for<'a> fn(&'a Pool<'a>, &mut Report<'_, 'a>)),
    /// The same beside the stored pool, if there is one: what it already has, or how it says it.
    Write(for<'a> fn(&'a Pool<'a>, Option<&Pool<'a>>, &mut Report<'_, 'a>)),
    /// One entry of `spec.allocations` at a time; not those that are as whereabouts writes them.
    Allocation(for<'a> fn(&'a Pool<'a>, &'a Allocation<'a>, &mut Report<'_, 'a>)),
    /// The step from the stored pool to the new one.
    Change(for<'a> fn(&Change<'a>, &mut Report<'_, 'a>)),
}

/// The step from the stored pool to the new one.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// As stored.
    pub old: &'a Pool<'a>,
    /// As it would be stored.
    pub new: &'a Pool<'a>,
    /// How many entries stay as they are, held in common by both pools.
    pub unchanged: usize,
    /// The other entries that stay, old and new: at the same offset or, where the base changes, at the same
    /// address.
    pub kept: Vec<(&'a Allocation<'a>, &'a Allocation<'a>)>,
}

/// Every rule, in the order of the ids.
pub static ALL: &[&PoolRule] = &[
    &range::RANGE_MISSING,
    &range::RANGE_NOT_CIDR,
    &range::RANGE_NOT_CANONICAL,
    &range::RANGE_HOST_BITS,
    &range::RANGE_WITHOUT_USABLE_ADDRESS,
    &range::RANGE_MAPPED_TOO_WIDE,
    &range::RANGE_WIDER_THAN_OFFSETS,
    &allocations::ALLOCATIONS_MISSING,
    &key::OFFSET_NOT_A_NUMBER,
    &key::OFFSET_NOT_CANONICAL,
    &allocations::OFFSET_COLLISION,
    &key::OFFSET_NEGATIVE,
    &key::OFFSET_OUT_OF_RANGE,
    &key::OFFSET_UNREADABLE,
    &key::OFFSET_ON_EDGE_ADDRESS,
    &owner::ALLOCATION_FIELD_MISSING,
    &owner::PODREF_MALFORMED,
    &owner::PODREF_EMPTY,
    &owner::ID_EMPTY,
    &allocations::OWNER_TWICE,
    &owner::IFNAME_MALFORMED,
    &allocations::POOL_NEAR_SIZE_LIMIT,
    &change::RANGE_CHANGED,
    &change::ALLOCATIONS_DROPPED,
    &change::OWNER_REPLACED,
    &name::NAME_CONTRADICTS_RANGE,
    &allocations::POOL_IN_USE_DELETED,
];

/// Who the rules are, in order.
pub fn catalogue() -> impl ExactSizeIterator<Item = &'static Rule> + Clone {
    ALL.iter().map(|rule| &rule.rule)
}

/// The rule of this id or name, in any case.
pub fn find(id_or_name: &str) -> Option<&'static Rule> {
    catalogue()
        .find(|rule| rule.id.eq_ignore_ascii_case(id_or_name) || rule.name.eq_ignore_ascii_case(id_or_name))
}

/// What the rules look at in one request.
pub struct Subject<'a> {
    pool: &'a Pool<'a>,
    stored: Option<&'a Pool<'a>>,
    change: Option<Change<'a>>,
    /// The entries that a rule may find something in.
    not_ordinary: Vec<&'a Allocation<'a>>,
}

impl<'a> Subject<'a> {
    /// One pool; `stored` is the one that an update replaces.
    pub fn new(pool: &'a Pool<'a>, stored: Option<&'a Pool<'a>>) -> Self {
        let is_ordinary = |it| pool.range().is_some_and(|range| ordinary::is_ordinary(it, range));
        // One walk over the allocations for all rules: a large pool is read from memory once.
        let not_ordinary = pool.spec.allocations.iter().filter(|it| !is_ordinary(it)).collect();
        Self { pool, stored, change: None, not_ordinary }
    }

    /// An update, of which the rules see the step as well.
    pub fn update(old: &'a Pool<'a>, new: &'a Pool<'a>) -> Self {
        Self { change: Some(Change::between(old, new)), ..Self::new(new, Some(old)) }
    }
}

impl PoolRule {
    /// Passes everything the rule finds on to `sink`, with this severity.
    pub fn check<'a>(
        &'static self,
        subject: &Subject<'a>,
        severity: Severity,
        sink: &mut dyn FnMut(Finding<'a>),
    ) {
        if matches!(self.check, Check::Allocation(_)) && subject.not_ordinary.is_empty() {
            return;
        }
        let mut report = Report::of(&self.rule, severity, sink);
        match self.check {
            Check::Pool(check) => check(subject.pool, &mut report),
            Check::Write(check) => check(subject.pool, subject.stored, &mut report),
            Check::Change(check) => subject.change.iter().for_each(|change| check(change, &mut report)),
            Check::Allocation(check) => {
                for allocation in &subject.not_ordinary {
                    report.set_address(address_of(subject.pool, allocation));
                    check(subject.pool, allocation, &mut report);
                }
            }
        }
    }
}

/// The rules that look at `operation`, with their severity, less those that are off.
pub fn active(
    operation: Operation,
    severity: impl Fn(&Rule) -> Severity,
) -> impl Iterator<Item = (&'static PoolRule, Severity)> {
    ALL.iter()
        .copied()
        .filter(move |rule| rule.rule.on.contains(&operation))
        .map(move |rule| (rule, severity(&rule.rule)))
        .filter(|(_, severity)| *severity > Severity::Off)
}

/// The address whereabouts takes the allocation for.
fn address_of(pool: &Pool<'_>, allocation: &Allocation<'_>) -> Option<std::net::IpAddr> {
    pool.range()?.address_at(allocation.offset.ok()?)
}
