//! From what the rules found to what happens: severity, ratchet, trust and the caller's code, decided once,
//! after all rules have spoken.

use std::collections::{BTreeSet, HashSet};

use crate::normalize::canonical_range;
use crate::policy::{Enforcement, Policy};
use crate::pool::{Pool, Spec, is_plugin_write};
use crate::report::{Denial, Finding, Operation, Rule, Severity};
use crate::rules::{self, Change};

/// One write of one pool, as the apiserver describes it.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What is done.
    pub operation: Operation,
    /// The user name of the caller.
    pub username: &'a str,
    /// The object as it would be stored; `None` on DELETE.
    pub new: Option<Pool<'a>>,
    /// The object as stored; `None` on CREATE.
    pub old: Option<Pool<'a>>,
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// Why it is refused; `None` if it is allowed.
    pub refusal: Option<Refusal>,
    /// What was found, sorted by path. `Deny` is what refuses; a warning goes beside the answer.
    pub findings: Vec<Finding<'a>>,
    /// How many findings would have refused, had trust or enforcement not lowered them.
    pub spared: usize,
}

/// The refusal that fits the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 422: kubectl prints the causes as a list, exactly as for built-in kinds.
    Invalid,
    /// 403: whereabouts takes 422 for a conflict and retries for 10 s under its cluster-wide lease.
    Forbidden,
}

/// The judgement of the validating webhook. Total and pure: same request, same verdict.
pub fn review<'a>(request: &'a Request<'a>, policy: &Policy) -> Verdict<'a> {
    let mut findings = found(request, policy);
    let mut spared = 0;
    if !findings.is_empty() {
        let stored = Stored::of(request);
        let stored_before = stored.has(&findings, policy);
        let brings_nothing_in = stored.is_only_reduced(request);
        let trusted = is_trusted_update(request, policy);
        for (finding, stored_before) in findings.iter_mut().zip(stored_before) {
            finding.stored_before = stored_before;
            let enforced = !trusted
                && (policy.enforcement == Enforcement::Deny || finding.rule.denial == Denial::Always);
            if finding.severity == Severity::Deny {
                let answerable = !stored_before && !brings_nothing_in;
                spared += usize::from(answerable && !enforced);
                if !answerable || !enforced {
                    finding.severity = Severity::Warn;
                }
            }
        }
    }
    sort(&mut findings);
    let refused = findings.iter().any(|finding| finding.severity == Severity::Deny);
    Verdict { refusal: refused.then(|| Refusal::for_caller(request.username)), findings, spared }
}

/// What is found in one object by itself, as if a person created it: for files and for live pools.
pub fn examine<'a>(pool: &'a Pool<'a>, policy: &Policy) -> Vec<Finding<'a>> {
    let mut findings = rules::inspect(pool, None, Operation::Create, |rule| policy.severity(rule));
    sort(&mut findings);
    findings
}

/// The text that the mutating webhook writes to `spec.range`, if any. Never on an UPDATE of a trusted writer:
/// its patch was computed against the object as stored.
pub fn normalize(request: &Request<'_>, policy: &Policy) -> Option<String> {
    let new = request.new.as_ref().filter(|_| policy.normalize)?;
    match (request.operation, &request.old) {
        (Operation::Create, _) => canonical_range(None, new),
        (Operation::Update, Some(old)) if !is_trusted_update(request, policy) => {
            canonical_range(Some(old), new)
        }
        // Without the stored object nobody can say from where its offsets count.
        _ => None,
    }
}

/// Whether a service account writes as the CNI plugin does. Where it is not trusted, whereabouts runs under a name
/// that nobody has told the webhook, and its pods wait for it.
pub fn is_write_of_a_plugin(request: &Request<'_>) -> bool {
    let Request { operation: Operation::Update, username, new: Some(new), old: Some(old) } = request else {
        return false;
    };
    username.starts_with("system:serviceaccount:") && is_plugin_write(&old.spec, &new.spec)
}

impl Refusal {
    /// Service accounts get 403, everyone else 422.
    fn for_caller(username: &str) -> Self {
        if username.starts_with("system:serviceaccount:") { Self::Forbidden } else { Self::Invalid }
    }

    /// The HTTP status code within the answer.
    pub const fn code(self) -> u16 {
        match self {
            Self::Invalid => 422,
            Self::Forbidden => 403,
        }
    }

    /// The `reason` of the `Status`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Forbidden => "Forbidden",
        }
    }
}

fn is_trusted_update(request: &Request<'_>, policy: &Policy) -> bool {
    request.operation == Operation::Update && policy.trusts(request.username)
}

fn found<'a>(request: &'a Request<'a>, policy: &Policy) -> Vec<Finding<'a>> {
    let severity = |rule: &_| policy.severity(rule);
    let (pool, stored) = match request.operation {
        Operation::Delete => (request.old.as_ref(), None),
        _ => (request.new.as_ref(), request.old.as_ref()),
    };
    let inspect = |pool| rules::inspect(pool, stored, request.operation, severity);
    let mut findings = pool.map(inspect).unwrap_or_default();
    if let (Operation::Update, Some(old), Some(new)) = (request.operation, &request.old, &request.new) {
        let mut compared = rules::compare(&Change::between(old, new), severity);
        findings.reserve_exact(compared.len());
        findings.append(&mut compared);
    }
    findings
}

/// By path, offsets in numeric order, then by rule.
fn sort(findings: &mut [Finding<'_>]) {
    findings.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.rule.id.cmp(b.rule.id)));
}

/// The ratchet: the stored object, whose defects a request does not answer for. Empty unless the request
/// is an UPDATE.
struct Stored<'a> {
    old: Option<&'a Pool<'a>>,
    /// The same entries under the new range, where that is the network of the old one, or where nobody could
    /// read the old one: so that a repair of the range does not answer for the defects of the entries.
    rebased: Option<Pool<'a>>,
}

impl<'a> Stored<'a> {
    fn of(request: &'a Request<'a>) -> Self {
        let (Operation::Update, Some(old), Some(new)) = (request.operation, &request.old, &request.new)
        else {
            return Self { old: None, rebased: None };
        };
        let shift = if old.spec.range == new.spec.range { None } else { shift_between(old, new) };
        let rebased = shift.map(|shift| {
            let spec = old.spec.shifted(shift).with_range(new.spec.range.clone());
            Pool { spec, ..old.clone() }
        });
        Self { old: Some(old), rebased }
    }

    /// Which of these findings the object as stored has as well.
    fn has(&self, findings: &[Finding<'_>], policy: &Policy) -> Vec<bool> {
        let mut before = vec![false; findings.len()];
        if self.old.is_none() {
            return before;
        }
        let spoke: BTreeSet<_> = findings.iter().map(|finding| finding.rule.id).collect();
        let severity = |rule: &Rule| match spoke.contains(rule.id) {
            true => policy.severity(rule),
            false => Severity::Off,
        };
        let stored = self.old.into_iter().map(|pool| (pool, false));
        let rebased = self.rebased.iter().map(|pool| (pool, true));
        // One after the other: what is found in a large pool can take more memory than the pool.
        for (pool, is_rebased) in stored.chain(rebased) {
            let found = rules::inspect(pool, Some(pool), Operation::Update, severity);
            // The range of the rebased pool is not the stored one; only its entries were there before.
            let found = found.iter().filter(|finding| !is_rebased || finding.path.is_entry());
            let found: HashSet<_> = found.map(Finding::identity).collect();
            for (before, finding) in before.iter_mut().zip(findings) {
                *before |= found.contains(&finding.identity());
            }
        }
        before
    }

    /// Whether the request only changes metadata or only removes allocations: then it brings nothing in,
    /// whatever is found.
    fn is_only_reduced(&self, request: &Request<'_>) -> bool {
        let (Some(old), Some(new)) = (self.old, &request.new) else { return false };
        new.spec == old.spec || only_removes(&old.spec, &new.spec)
    }
}

/// What an old offset has to grow by to keep its address under the canonical form of its range, where `new` has
/// that; 0 where the old range cannot be read.
fn shift_between(old: &Pool<'_>, new: &Pool<'_>) -> Option<i64> {
    let new = new.range()?;
    match old.spec.intended_range() {
        Some(old) if *new == old.canonical() => i64::try_from(old.host_bits()).ok(),
        Some(_) => None,
        None => Some(0),
    }
}

/// Whether `new` is `old` less some allocations.
fn only_removes(old: &Spec<'_>, new: &Spec<'_>) -> bool {
    old.range == new.range
        && old.allocations_shape == new.allocations_shape
        && new.left_out <= old.left_out
        && new.holds_only_entries_of(old)
}
