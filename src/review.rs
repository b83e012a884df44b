//! From what the rules find to what happens: severity, ratchet, trust and the code that fits the caller, for objects of any
//! kind.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::cmp::Ordering;

use crate::finding::{Denies, FieldPath, Finding, Operation, Report, Rule, RuleInfo, Severity};
use crate::kinds::{Kind, Normalization};
use crate::policy::{Enforcement, Policy};

/// One write of one object, as the apiserver describes it.
#[derive(Debug)]
pub struct Request<'a, K: Kind> {
    /// What is done.
    pub operation: Operation,
    /// The user name of the caller.
    pub username: &'a str,
    /// The object as it would be stored; `None` on DELETE.
    pub object: Option<K::Object<'a>>,
    /// The object as stored; `None` on CREATE.
    pub old_object: Option<K::Object<'a>>,
}

/// What happens to a request.
#[derive(Clone, Debug, Default)]
pub struct Verdict<'a> {
    /// Why it is denied; `None` if it is allowed.
    pub denial: Option<Denial>,
    /// The findings that deny it.
    pub denials: Findings<'a>,
    /// The findings that are warnings.
    pub warnings: Findings<'a>,
    /// How many findings each rule has, by the severity that they have in this request.
    pub counts: Vec<Count>,
    /// How many findings would deny, if the caller were not trusted and denials were enforced.
    pub would_deny: usize,
}

/// Findings sorted by path: the first of them, and how many there are. All those of a hostile object would take too much
/// memory.
#[derive(Clone, Debug, Default)]
pub struct Findings<'a> {
    /// The first by path, offsets in numeric order, then by rule.
    pub first: Vec<Finding<'a>>,
    /// How many there are.
    pub total: usize,
}

/// How many findings of one severity a rule has.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The rule.
    pub rule: &'static RuleInfo,
    /// How severe they are.
    pub severity: Severity,
    /// How many there are.
    pub findings: usize,
}

/// The denial that fits the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// 422: kubectl prints the causes as a list, exactly as for built-in kinds.
    Invalid,
    /// 403: whereabouts takes 422 for a conflict and retries for 10 s under its cluster-wide lease.
    Forbidden,
}

/// What the validating webhook decides. Total and pure: same request, same verdict.
pub fn review<'r, K: Kind>(request: &'r Request<'_, K>, policy: &Policy) -> Verdict<'r> {
    let mut verdict = Verdict::default();
    let Some(subject) = subject(request) else { return verdict };
    let trusted = is_trusted_update(request, policy);
    // What an UPDATE replaces: it does not answer for the defects of that. Computed once there is a finding.
    let update = updated(request);
    let is_reduction = LazyCell::new(|| update.is_some_and(|(old, new)| K::is_reduction(old, new)));
    let rebased = LazyCell::new(|| update.and_then(|(old, new)| K::rebase(old, new)));
    let as_stored = |object| K::subject(object, Some(object), false);
    let stored = LazyCell::new(|| (update.map(|(old, _)| as_stored(old)), rebased.as_ref().map(as_stored)));
    for (rule, severity) in active_rules::<K>(request.operation, policy) {
        let preexisting = LazyCell::new(|| Identities::of::<K>(rule, &stored));
        let denies = policy.enforcement == Enforcement::Deny || rule.info.denies == Denies::Always;
        let enforced = denies && !trusted;
        check::<K>(rule, severity, &subject, &mut |mut finding| {
            finding.preexisting = preexisting.contains(&finding);
            if finding.severity == Severity::Deny {
                let is_new = !finding.preexisting && !*is_reduction;
                verdict.would_deny += usize::from(is_new && !enforced);
                finding.would_deny = is_new && !denies && !trusted;
                if !is_new || !enforced {
                    finding.as_warning();
                }
            }
            verdict.add(finding);
        });
    }
    verdict.denial = (verdict.denials.total > 0).then(|| Denial::for_caller(request.username));
    verdict
}

/// What is found in one object by itself, as if a person created it: for files and for live objects.
pub fn lint<'s, K: Kind>(object: &'s K::Object<'_>, policy: &Policy) -> Vec<Finding<'s>> {
    let (mut findings, subject) = (Vec::new(), K::subject(object, None, false));
    for (rule, severity) in active_rules::<K>(Operation::Create, policy) {
        check::<K>(rule, severity, &subject, &mut |finding| findings.push(finding));
    }
    findings.sort_by(order);
    findings
}

/// What the mutating webhook writes, if anything, and the findings that it repairs. Never on an UPDATE by a trusted writer:
/// its patch was computed against the object as stored.
pub fn normalize<K: Kind>(request: &Request<'_, K>, policy: &Policy) -> Option<(Normalization, Vec<Count>)> {
    let object = request.object.as_ref().filter(|_| policy.normalize)?;
    let normalization = match (request.operation, &request.old_object) {
        (Operation::Create, _) => K::normalize(None, object),
        (Operation::Update, Some(old)) if !is_trusted_update(request, policy) => {
            K::normalize(Some(old), object)
        }
        // Without the stored object nobody can say what its entries mean.
        _ => None,
    }?;
    let (mut repaired, subject) = (Vec::new(), K::subject(object, None, false));
    for (rule, severity) in active_rules::<K>(Operation::Create, policy).filter(|it| it.0.info.normalized) {
        check::<K>(rule, severity.min(Severity::Warn), &subject, &mut |finding| {
            repaired.push(Count { rule: finding.rule, severity: finding.severity, findings: 1 });
        });
    }
    Some((normalization, repaired))
}

/// Whether a service account writes as the CNI plugin does. Where it is not trusted, the plugin runs under a name
/// that nobody has told the webhook, and its pods wait for it.
pub fn is_plugin_write<K: Kind>(request: &Request<'_, K>) -> bool {
    let is_service_account = request.username.starts_with("system:serviceaccount:");
    is_service_account && updated(request).is_some_and(|(old, new)| K::is_plugin_write(old, new))
}

/// The objects of an UPDATE, the stored one first.
fn updated<'r, 'a, K: Kind>(request: &'r Request<'a, K>) -> Option<(&'r K::Object<'a>, &'r K::Object<'a>)> {
    let old = request.old_object.as_ref().filter(|_| request.operation == Operation::Update);
    old.zip(request.object.as_ref())
}

fn is_trusted_update<K: Kind>(request: &Request<'_, K>, policy: &Policy) -> bool {
    request.operation == Operation::Update && policy.trusts(request.username)
}

fn subject<'r, K: Kind>(request: &'r Request<'_, K>) -> Option<K::Subject<'r>> {
    let (new, old) = (request.object.as_ref(), request.old_object.as_ref());
    match request.operation {
        Operation::Delete => Some(K::subject(old?, None, false)),
        operation => Some(K::subject(new?, old, operation == Operation::Update)),
    }
}

/// The rules that check `operation`, with their severity, without those that are off.
fn active_rules<K: Kind>(
    operation: Operation,
    policy: &Policy,
) -> impl Iterator<Item = (&'static Rule<K::Check>, Severity)> {
    let rules = K::rules().iter().filter(move |rule| rule.info.operations.contains(&operation));
    rules.map(|rule| (*rule, policy.severity(&rule.info))).filter(|(_, severity)| *severity > Severity::Off)
}

fn check<'s, K: Kind>(
    rule: &'static Rule<K::Check>,
    severity: Severity,
    subject: &K::Subject<'s>,
    sink: &mut dyn FnMut(Finding<'s>),
) {
    K::check(&rule.check, subject, &mut Report::of(&rule.info, severity, sink));
}

/// By path, offsets in numeric order, then by rule.
fn order(a: &Finding<'_>, b: &Finding<'_>) -> Ordering {
    a.path.cmp(&b.path).then_with(|| (a.path.key(), a.rule.id).cmp(&(b.path.key(), b.rule.id)))
}

impl<'a> Verdict<'a> {
    fn add(&mut self, finding: Finding<'a>) {
        let Finding { rule, severity, .. } = finding;
        match self.counts.last_mut() {
            Some(last) if (last.rule.id, last.severity) == (rule.id, severity) => last.findings += 1,
            _ => self.counts.push(Count { rule, severity, findings: 1 }),
        }
        match severity {
            Severity::Deny => self.denials.add(finding),
            _ => self.warnings.add(finding),
        }
    }
}

impl<'a> Findings<'a> {
    /// How many are kept.
    pub const MAX_KEPT: usize = 20;

    fn add(&mut self, finding: Finding<'a>) {
        self.total += 1;
        let position = self.first.partition_point(|kept| order(kept, &finding).is_le());
        if position < Self::MAX_KEPT {
            self.first.truncate(Self::MAX_KEPT - 1);
            self.first.insert(position, finding);
        }
    }
}

impl Denial {
    /// Service accounts get 403, everyone else 422.
    fn for_caller(username: &str) -> Self {
        if username.starts_with("system:serviceaccount:") { Self::Forbidden } else { Self::Invalid }
    }

    /// The `code` and the `reason` of the `Status`.
    pub const fn status(self) -> (u16, &'static str) {
        match self {
            Self::Invalid => (422, "Invalid"),
            Self::Forbidden => (403, "Forbidden"),
        }
    }
}

/// What one rule finds in the object as stored, by path and value; sorted, which takes half the memory of a hash set.
struct Identities<'a>(Vec<(FieldPath<'a>, Cow<'a, str>)>);

impl<'s> Identities<'s> {
    fn of<K: Kind>(
        rule: &'static Rule<K::Check>,
        (old, rebased): &(Option<K::Subject<'s>>, Option<K::Subject<'s>>),
    ) -> Self {
        let mut found = Vec::new();
        for (stored, only_entries) in [(old, false), (rebased, true)] {
            let Some(stored) = stored else { continue };
            check::<K>(rule, Severity::Warn, stored, &mut |Finding { path, value, .. }| {
                found.extend((path.is_entry() || !only_entries).then_some((path, value)));
            });
        }
        found.sort_unstable();
        Self(found)
    }

    fn contains(&self, finding: &Finding<'_>) -> bool {
        let identity = (&finding.path, &finding.value);
        self.0.binary_search_by(|(path, value)| (path, value).cmp(&identity)).is_ok()
    }
}
