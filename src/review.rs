//! From what the rules found to what happens: severity, ratchet, trust and the caller's code, decided once,
//! after all rules have spoken.

use std::cell::LazyCell;
use std::cmp::Ordering;

use crate::normalize::canonical_range;
use crate::policy::{Enforcement, Policy};
use crate::pool::{Pool, Spec, is_plugin_write};
use crate::report::{Denial, Finding, Identity, Operation, Rule, Severity};
use crate::rules::{self, PoolRule, Subject};

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
#[derive(Clone, Debug, Default)]
pub struct Verdict<'a> {
    /// Why it is refused; `None` if it is allowed.
    pub refusal: Option<Refusal>,
    /// What refuses it.
    pub denials: Findings<'a>,
    /// What goes beside the answer.
    pub warnings: Findings<'a>,
    /// How often each rule spoke, with the severity that it had in this request.
    pub counts: Vec<Count>,
    /// How many findings would have denied, had trust or enforcement not lowered them.
    pub would_deny: usize,
}

/// Findings sorted by path: the first of them, and how many there are. A hostile pool has more than memory.
#[derive(Clone, Debug, Default)]
pub struct Findings<'a> {
    /// The first by path, offsets in numeric order, then by rule.
    pub first: Vec<Finding<'a>>,
    /// How many there are.
    pub total: usize,
}

/// How often a rule spoke with one severity.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The rule that spoke.
    pub rule: &'static Rule,
    /// How severe its findings were.
    pub severity: Severity,
    /// How many there are.
    pub findings: usize,
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
    let mut verdict = Verdict::default();
    let Some(subject) = subject(request) else { return verdict };
    let trusted = is_trusted_update(request, policy);
    let ratchet = LazyCell::new(|| Ratchet::of(request));
    let stored = LazyCell::new(|| ratchet.subjects());
    for (rule, severity) in rules::active(request.operation, |rule| policy.severity(rule)) {
        let preexisting = LazyCell::new(|| Identities::of(rule, &stored));
        let denies = policy.enforcement == Enforcement::Deny || rule.rule.denial == Denial::Always;
        let enforced = denies && !trusted;
        rule.check(&subject, severity, &mut |mut finding| {
            finding.preexisting = preexisting.contains(&finding.identity());
            if finding.severity == Severity::Deny {
                let answerable = !finding.preexisting && !ratchet.is_only_reduced;
                verdict.would_deny += usize::from(answerable && !enforced);
                if !answerable || !enforced {
                    finding.as_warning();
                }
            }
            verdict.add(finding);
        });
    }
    verdict.refusal = (verdict.denials.total > 0).then(|| Refusal::for_caller(request.username));
    verdict
}

impl<'a> Verdict<'a> {
    fn add(&mut self, finding: Finding<'a>) {
        match self.counts.last_mut() {
            Some(last) if last.is_of(&finding) => last.findings += 1,
            _ => self.counts.push(Count { rule: finding.rule, severity: finding.severity, findings: 1 }),
        }
        match finding.severity {
            Severity::Deny => self.denials.add(finding),
            _ => self.warnings.add(finding),
        }
    }
}

impl Count {
    fn is_of(&self, finding: &Finding<'_>) -> bool {
        (self.rule.id, self.severity) == (finding.rule.id, finding.severity)
    }
}

impl<'a> Findings<'a> {
    /// How many are kept.
    pub const MAX_KEPT: usize = 20;

    fn add(&mut self, finding: Finding<'a>) {
        self.total += 1;
        let place = self.first.partition_point(|kept| order(kept, &finding).is_le());
        if place < Self::MAX_KEPT {
            self.first.truncate(Self::MAX_KEPT - 1);
            self.first.insert(place, finding);
        }
    }
}

/// What is found in one object by itself, as if a person created it: for files and for live pools.
pub fn examine<'a>(pool: &'a Pool<'a>, policy: &Policy) -> Vec<Finding<'a>> {
    let (mut findings, subject) = (Vec::new(), Subject::new(pool, None));
    for (rule, severity) in rules::active(Operation::Create, |rule| policy.severity(rule)) {
        rule.check(&subject, severity, &mut |finding| findings.push(finding));
    }
    findings.sort_by(order);
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

fn subject<'a>(request: &'a Request<'a>) -> Option<Subject<'a>> {
    let (new, old) = (request.new.as_ref(), request.old.as_ref());
    match (request.operation, new, old) {
        (Operation::Delete, _, old) => Some(Subject::new(old?, None)),
        (Operation::Update, Some(new), Some(old)) => Some(Subject::update(old, new)),
        (_, new, old) => Some(Subject::new(new?, old)),
    }
}

/// By path, offsets in numeric order, then by rule.
fn order(a: &Finding<'_>, b: &Finding<'_>) -> Ordering {
    a.path.cmp(&b.path).then_with(|| a.rule.id.cmp(b.rule.id))
}

/// The ratchet: the stored object, whose defects a request does not answer for. Empty unless the request
/// is an UPDATE.
#[derive(Default)]
struct Ratchet<'a> {
    old: Option<&'a Pool<'a>>,
    /// The same entries under the new range, where that is the network of the old one, or where nobody could
    /// read the old one: so that a repair of the range does not answer for the defects of the entries.
    rebased: Option<Pool<'a>>,
    /// Whether the request only changes metadata or only removes allocations: then it brings nothing in,
    /// whatever is found.
    is_only_reduced: bool,
}

impl<'a> Ratchet<'a> {
    fn of(request: &'a Request<'a>) -> Self {
        let (Operation::Update, Some(old), Some(new)) = (request.operation, &request.old, &request.new)
        else {
            return Self::default();
        };
        let shift = if old.spec.range == new.spec.range { None } else { shift_between(old, new) };
        let rebased = shift.map(|shift| {
            let spec = old.spec.shifted(shift).with_range(new.spec.range.clone());
            Pool { spec, ..old.clone() }
        });
        let is_only_reduced = new.spec == old.spec || only_removes(&old.spec, &new.spec);
        Self { old: Some(old), rebased, is_only_reduced }
    }

    /// What the rules find preexisting defects in.
    fn subjects(&self) -> Stored<'_> {
        let subject = |pool| Subject::new(pool, Some(pool));
        Stored { old: self.old.map(subject), rebased: self.rebased.as_ref().map(subject) }
    }
}

struct Stored<'a> {
    old: Option<Subject<'a>>,
    rebased: Option<Subject<'a>>,
}

/// What one rule finds in the object as stored. Sorted, which takes half the memory of a hash set.
struct Identities<'a>(Vec<Identity<'a>>);

impl<'a> Identities<'a> {
    fn of(rule: &'static PoolRule, stored: &Stored<'a>) -> Self {
        let mut found = Vec::new();
        if let Some(old) = &stored.old {
            rule.check(old, Severity::Warn, &mut |finding| found.push(finding.into_identity()));
        }
        if let Some(rebased) = &stored.rebased {
            // Its range is not the stored one; only its entries were there before.
            rule.check(rebased, Severity::Warn, &mut |finding| {
                found.extend(finding.path.is_entry().then(|| finding.into_identity()));
            });
        }
        found.sort_unstable();
        Self(found)
    }

    fn contains(&self, identity: &Identity<'_>) -> bool {
        self.0.binary_search_by(|it| it.cmp(identity)).is_ok()
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
