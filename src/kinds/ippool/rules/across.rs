//! IPP5xx: rules across objects. Only an audit checks them, never a request.

mod addresses;
mod attachment;
mod facts;
mod leads;
mod node_slices;
mod overlap;
mod owner;
mod pool_facts;
mod reservation;
mod shared;
mod unused;

pub(super) use addresses::ADDRESS_NOT_ON_POD;
pub(super) use attachment::{ADDRESS_NOT_ALLOWED, ENTRY_FROM_BEFORE_UPGRADE};
pub(super) use node_slices::NODE_SLICE_WRONG;
pub(super) use overlap::{ADDRESS_HELD_TWICE, RANGES_OVERLAP};
pub(super) use owner::OWNER_GONE;
pub(super) use reservation::RESERVATION_MISMATCH;
pub(super) use unused::POOL_UNUSED;

use std::borrow::Cow;

use super::ALL;
use crate::finding::{FieldPath, Finding, Report, RuleInfo, Severity};
use crate::kinds::ippool::cluster::{Coverage, Meta, Pool};
pub use facts::Facts;
pub use pool_facts::PoolFacts;
pub use shared::Conflict;

/// How a rule checks a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Across {
    /// The kind of objects that it checks beside pools. An object of it that cannot be read is a finding of this rule.
    pub kind: &'static str,
    /// Whether its findings can be momentary, because it compares lists that are read one after the other.
    pub is_momentary: bool,
    /// The check.
    pub check: for<'a> fn(&'a Facts<'a>, &mut Findings<'_, 'a>),
}

/// The object of a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object<'a> {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: Cow<'a, str>,
}

/// A finding in one of the objects.
#[derive(Debug)]
pub struct Found<'a> {
    /// The object.
    pub object: Object<'a>,
    /// The finding.
    pub finding: Finding<'a>,
    /// With the finding, identifies its cause across two evaluations.
    pub stamp: u32,
    /// Whether it counts only if a second evaluation has it as well.
    pub is_momentary: bool,
}

/// Takes the findings of a rule.
pub struct Findings<'r, 'a> {
    rule: &'static RuleInfo,
    severity: Severity,
    is_momentary: bool,
    found: &'r mut dyn FnMut(Found<'a>),
    not_done: &'r mut dyn FnMut(&'static RuleInfo, String),
}

/// Runs the rules across objects that are not off. Passes on their findings, and why a rule could not be checked.
pub fn check<'a>(
    facts: &'a Facts<'a>,
    severity: impl Fn(&RuleInfo) -> Severity,
    mut found: impl FnMut(Found<'a>),
    mut not_done: impl FnMut(&'static RuleInfo, String),
) {
    for rule in ALL {
        let (super::Check::Across(across), severity) = (rule.check, severity(&rule.info)) else { continue };
        if severity == Severity::Off {
            continue;
        }
        let mut findings = Findings {
            rule: &rule.info,
            severity,
            is_momentary: across.is_momentary,
            found: &mut found,
            not_done: &mut not_done,
        };
        if let Coverage::Incomplete(why) = &facts.cluster.read.pools
            && rule.info.id != NODE_SLICE_WRONG.info.id
        {
            findings.not_done(why);
        }
        for (kind, meta, why) in facts.cluster.unreadable.iter().filter(|it| it.0 == across.kind) {
            findings.on(&Object::of(kind, meta), 0, |report| {
                report.invalid(
                    FieldPath::of("metadata.name"),
                    meta.name.as_str(),
                    format!("the object cannot be read: {why}"),
                );
            });
        }
        (across.check)(facts, &mut findings);
    }
}

impl<'a> Findings<'_, 'a> {
    /// Has `report` report on `object`.
    fn on(&mut self, object: &Object<'a>, stamp: u32, report: impl FnOnce(&mut Report<'_, 'a>)) {
        let Self { rule, severity, is_momentary, found, .. } = self;
        let mut sink = |finding: Finding<'a>| {
            found(Found { object: object.clone(), finding, stamp, is_momentary: *is_momentary });
        };
        report(&mut Report::of(rule, *severity, &mut sink));
    }

    /// Records why the rule could not be checked, or not everywhere.
    fn not_done(&mut self, why: impl Into<String>) {
        (self.not_done)(self.rule, why.into());
    }
}

impl<'a> Object<'a> {
    /// The object of a kind with this namespace and name.
    fn of(kind: &'static str, meta: &'a Meta) -> Self {
        Self { kind, namespace: &meta.namespace, name: Cow::Borrowed(&meta.name) }
    }

    /// A pool.
    pub fn pool(pool: &'a Pool) -> Self {
        Self::of("IPPool", &pool.meta)
    }
}

/// `spec.allocations[key]` of the entry at this position.
pub fn entry_path(pool: &Pool, index: usize) -> FieldPath<'static> {
    let offset = pool.entries.get(index).map(|entry| entry.offset);
    FieldPath::entry("spec.allocations", pool.key(index), offset)
}

/// The rule whose findings are leaked addresses.
pub const OWNER_GONE_ID: &str = "IPP504";

/// The defaults of the rules across objects.
const AUDIT: RuleInfo = RuleInfo { operations: &[], ..RuleInfo::WARN_ON_WRITE };
