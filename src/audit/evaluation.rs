//! Evaluates every rule on the objects of a cluster, and makes a report of the findings.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::collect::{Collected, PoolFindings};
use super::report::{Entry, NotDone, Pool, Report, State};
use crate::finding::{FieldPath, Finding, RuleInfo};
use crate::kinds::Kind as _;
use crate::kinds::ippool::IpPool;
use crate::kinds::ippool::cluster::{self, Meta};
use crate::kinds::ippool::rules::across::{self, Facts, Found};
use crate::output::{Diagnostic, ObjectName};
use crate::policy::Policy;

/// The result of one evaluation.
#[derive(Debug)]
pub struct Evaluation {
    pub report: Report,
    /// The findings that count only if a second evaluation has them as well.
    pub momentary: HashSet<Identity>,
}

/// Identifies a finding across two evaluations.
pub type Identity = u64;

/// How to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct Options<'o> {
    pub policy: &'o Policy,
    /// Whether the report has each entry of each pool.
    pub keeps_entries: bool,
    /// In a second evaluation, the momentary findings of the first.
    pub before: Option<&'o HashSet<Identity>>,
}

/// Evaluates every rule.
pub fn evaluate(collected: Collected, options: Options<'_>) -> Evaluation {
    let Collected { cluster, findings, .. } = collected;
    let facts = Facts::of(&cluster);
    let mut momentary = HashSet::new();
    let mut diagnostics = of_pools(findings);
    let mut not_done: Vec<NotDone> = Vec::new();
    let found = |found: Found<'_>| {
        let identity = identity(&found);
        if found.is_momentary {
            momentary.insert(identity);
            if options.before.is_some_and(|before| !before.contains(&identity)) {
                return;
            }
        }
        let diagnostic = diagnostic(found);
        // A rule reports a finding once for each reason.
        if diagnostics.last().is_none_or(|last| !is_same(last, &diagnostic)) {
            diagnostics.push(diagnostic);
        }
    };
    let severity = |rule: &RuleInfo| options.policy.severity(rule);
    across::check(&facts, severity, found, |rule, why| add_reason(&mut not_done, rule, why));
    diagnostics.sort_by(|a, b| place(a).cmp(&place(b)));
    let pools = pools(&facts, &diagnostics, options);
    drop(facts);
    let owners = if options.keeps_entries { cluster.names } else { cluster::Names::default() };
    Evaluation { report: Report { pools, findings: diagnostics, not_done, owners }, momentary }
}

/// The order of findings: by object, then by path.
fn place(it: &Diagnostic) -> impl Ord + '_ {
    let ObjectName { namespace, name } = &it.object;
    (it.kind, namespace.as_str(), name.as_str(), &it.finding.path, it.finding.rule.id)
}

fn is_same(a: &Diagnostic, b: &Diagnostic) -> bool {
    place(a) == place(b) && a.finding.message() == b.finding.message()
}

fn of_pools(findings: PoolFindings) -> Vec<Diagnostic> {
    let of_pool = |(meta, findings): (Meta, Vec<Finding<'static>>)| {
        let object = ObjectName { namespace: meta.namespace, name: meta.name };
        findings.into_iter().map(move |finding| {
            let object = object.clone();
            Diagnostic { finding, kind: IpPool::KIND, object, place: None }
        })
    };
    findings.into_iter().flat_map(of_pool).collect()
}

fn diagnostic(Found { object, finding, .. }: Found<'_>) -> Diagnostic {
    let name = ObjectName { namespace: object.namespace.to_owned(), name: object.name.into_owned() };
    Diagnostic { finding: finding.into_owned(), kind: object.kind, object: name, place: None }
}

fn identity(Found { object, finding, stamp, .. }: &Found<'_>) -> Identity {
    let object = (object.kind, object.namespace, object.name.as_ref());
    identity_of(finding.rule.id, object, &finding.path, &finding.value, *stamp)
}

fn identity_of(
    rule: &str,
    object: (&str, &str, &str),
    path: &FieldPath<'_>,
    value: &str,
    stamp: u32,
) -> Identity {
    let mut hasher = DefaultHasher::new();
    (rule, object, path.to_string(), value, stamp).hash(&mut hasher);
    hasher.finish()
}

/// Adds a reason. Rules with the same reason share a line.
fn add_reason(not_done: &mut Vec<NotDone>, rule: &'static RuleInfo, why: String) {
    match not_done.iter_mut().find(|it| it.why == why) {
        Some(known) if known.rules.contains(&rule.id) => {}
        Some(known) => known.rules.push(rule.id),
        None => not_done.push(NotDone { rules: vec![rule.id], why }),
    }
}

fn pools(facts: &Facts<'_>, diagnostics: &[Diagnostic], options: Options<'_>) -> Vec<Pool> {
    let mut findings = HashMap::<(&str, &str), usize>::new();
    for it in diagnostics.iter().filter(|it| it.kind == IpPool::KIND) {
        *findings.entry((&it.object.namespace, &it.object.name)).or_default() += 1;
    }
    let conflicts = facts.conflicts.iter().flat_map(|it| [it.first, it.second]);
    let conflicting: HashSet<_> = conflicts.collect();
    let pools = facts.cluster.pools.iter().enumerate();
    pools
        .map(|(number, pool)| {
            let is_conflicting = |entry| conflicting.contains(&(number, entry));
            let meta = (pool.meta.namespace.as_str(), pool.meta.name.as_str());
            let found = findings.get(&meta).copied().unwrap_or_default();
            summary(facts, pool, found, is_conflicting, options)
        })
        .collect()
}

fn summary(
    facts: &Facts<'_>,
    pool: &cluster::Pool,
    findings: usize,
    is_conflicting: impl Fn(usize) -> bool,
    options: Options<'_>,
) -> Pool {
    let mut entries = Vec::new();
    let mut summary = Pool {
        namespace: pool.meta.namespace.clone(),
        name: pool.meta.name.clone(),
        range: pool.range_text.clone(),
        capacity: pool.range.map(|range| range.capacity()).unwrap_or_default(),
        allocated: pool.entry_count,
        findings,
        parsed_range: pool.range,
        ..Pool::default()
    };
    for (index, entry) in pool.entries.iter().enumerate() {
        let is_reserved = facts.owner(entry).is_empty();
        let is_leaked = is_leaked(facts, pool, index, options);
        let is_conflicting = is_conflicting(index);
        summary.reserved += usize::from(is_reserved);
        summary.leaked += usize::from(is_leaked);
        summary.conflicting += usize::from(is_conflicting);
        let state = match (is_conflicting, is_leaked, is_reserved) {
            (true, ..) => State::Conflicting,
            (_, true, _) => State::Leaked,
            (.., true) => State::Reserved,
            _ => State::Used,
        };
        if options.keeps_entries {
            entries.push(Entry { offset: entry.offset, owner: entry.owner, state });
        }
    }
    summary.entries = entries.into();
    summary
}

/// Whether the owner of an entry is gone; in a second evaluation, whether it was gone in both.
fn is_leaked(facts: &Facts<'_>, pool: &cluster::Pool, index: usize, options: Options<'_>) -> bool {
    let Some(entry) = pool.entries.get(index) else { return false };
    let was_gone = |before: &HashSet<Identity>| {
        let object = (IpPool::KIND, pool.meta.namespace.as_str(), pool.meta.name.as_str());
        let path = across::entry_path(pool, index).field("podref");
        before.contains(&identity_of(across::OWNER_GONE_ID, object, &path, facts.owner(entry), entry.id))
    };
    facts.owner_is_gone(entry) == Some(true) && options.before.is_none_or(was_gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_several_rules_have_is_said_once() {
        let mut not_done = Vec::new();
        for id in ["IPP504", "IPP504", "IPP505"] {
            let rule = crate::kinds::find_rule(id).unwrap();
            add_reason(&mut not_done, rule, "why".to_owned());
        }
        assert_eq!(not_done, [NotDone { rules: vec!["IPP504", "IPP505"], why: "why".to_owned() }]);
    }
}
