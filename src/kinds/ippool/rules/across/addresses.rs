//! IPP505: entries and pods with different addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::facts::Facts;
use super::pool_facts::PoolFacts;
use super::{AUDIT, Across, Findings, Object, entry_path};
use crate::finding::{FieldPath, RuleInfo};
use crate::kinds::ippool::cluster::{Cluster, Ipam, Meta, NETWORK_STATUS, Name, Pod, Shown, Status, listed};
use crate::kinds::ippool::rules::{Check, Rule};

/// The reconciler frees the address, or it was never recorded: another pod can get it.
pub static ADDRESS_NOT_ON_POD: Rule = Rule {
    info: RuleInfo {
        id: "IPP505",
        name: "address-not-on-pod",
        summary: "the network-status of a pod does not show its address, or shows one that no pool holds",
        page: include_str!("../IPP505-address-not-on-pod.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: "Pod",
        is_momentary: true,
        check: |facts, findings| {
            let mut seen = Seen { held: vec![false; facts.cluster.shown.len()], ..Seen::default() };
            for (number, pool) in facts.pools.iter().enumerate() {
                check_pool(facts, number, pool, findings, &mut seen);
            }
            if !seen.silent.is_empty() {
                let silent: Vec<_> = seen.silent.iter().copied().collect();
                let pods = listed(&silent);
                findings.not_done(format!("these pods have no network-status: {pods}"));
            }
            check_pods(facts, &seen, findings);
        },
    }),
};

/// What follows from the entries of the pools.
#[derive(Default)]
struct Seen<'a> {
    /// The pods without a network-status.
    silent: BTreeSet<&'a str>,
    /// Which pools give addresses to which attachment, as far as pods show it.
    served: BTreeSet<(Name, usize)>,
    /// Whether each address in a network-status is held for its pod.
    held: Vec<bool>,
}

impl Seen<'_> {
    fn hold(&mut self, facts: &Facts<'_>, shown: usize, pool: usize) {
        if let Some(held) = self.held.get_mut(shown) {
            *held = true;
        }
        let attachment = facts.cluster.shown.get(shown).and_then(|it| it.attachment);
        self.served.extend(attachment.map(|it| (it, pool)));
    }
}

fn check_pool<'a>(
    facts: &'a Facts<'a>,
    number: usize,
    pool: &PoolFacts<'a>,
    findings: &mut Findings<'_, 'a>,
    seen: &mut Seen<'a>,
) {
    for (index, entry) in pool.pool.entries.iter().enumerate() {
        let Some(pod) = facts.pod(entry).filter(|pod| pod.phase.has_addresses()) else { continue };
        let Some(address) = pool.pool.address(entry) else { continue };
        if let Some(shown) = facts.shows(entry, address) {
            seen.hold(facts, shown, number);
            continue;
        }
        let owner = facts.owner(entry);
        let detail = match pod.status {
            Status::Absent => {
                seen.silent.insert(owner);
                continue;
            }
            Status::Unreadable => "must show this address, but its network-status cannot be read".to_owned(),
            Status::Present => {
                format!("must show this address, and its network-status has {}", shown(facts, pod))
            }
        };
        findings.on(&Object::pool(pool.pool), entry.id, |report| {
            let path = entry_path(pool.pool, index).field("podref");
            report.invalid(path, owner, detail).at(Some(address));
        });
    }
}

/// The addresses of a pod, for a message.
fn shown(facts: &Facts<'_>, pod: &Pod) -> String {
    let addresses: Vec<_> = facts.shown(pod).iter().map(|shown| shown.address.to_string()).collect();
    match addresses.as_slice() {
        [] => "none".to_owned(),
        addresses => listed(&addresses.iter().map(String::as_str).collect::<Vec<_>>()),
    }
}

/// Finds addresses that a pod shows and no pool holds.
fn check_pods<'a>(facts: &'a Facts<'a>, seen: &Seen<'_>, findings: &mut Findings<'_, 'a>) {
    if let Some(gap) = gap_in_pools(facts) {
        return findings.not_done(gap);
    }
    let mut has_unknown = false;
    let running = facts.cluster.pods.iter().filter(|(_, pod)| pod.phase.has_addresses());
    for (name, pod) in running {
        let held = seen.held.get(pod.shown.clone()).unwrap_or_default();
        let unheld = facts.shown(pod).iter().zip(held).filter(|(_, held)| !**held);
        for (Shown { address, attachment }, _) in unheld {
            let Some(attachment) = attachment else { continue };
            if facts.containing(*address).next().is_none() {
                continue;
            }
            let Some(source) = source(facts, name, *attachment, *address, &seen.served) else {
                has_unknown = true;
                continue;
            };
            let is_unheld = || facts.containing(*address).all(|(_, it)| may_not_hold(it, *address));
            if let Some(pool) = source.first().filter(|_| is_unheld()) {
                report(facts, name, pod, *address, pool, findings);
            }
        }
    }
    if has_unknown {
        let gap = facts.cluster.read.attachments.gap("NetworkAttachmentDefinition");
        let why = gap
            .unwrap_or_else(|| "the NetworkAttachmentDefinitions of some addresses are unknown".to_owned());
        findings.not_done(format!("where addresses of pods come from: {why}"));
    }
}

/// Why a pool that was not read may hold an address; only pools of whereabouts count.
fn gap_in_pools(facts: &Facts<'_>) -> Option<String> {
    let Cluster { whereabouts_namespaces: namespaces, read, .. } = facts.cluster;
    let are_read = namespaces.as_ref().is_some_and(|it| it.iter().all(|it| read.pools.has(it)));
    read.pools.gap("IPPool").filter(|_| !are_read && !facts.cluster.pods.is_empty())
}

fn may_not_hold(facts: &PoolFacts<'_>, address: IpAddr) -> bool {
    !facts.pool.is_truncated && !facts.pool.holds(address)
}

/// The pools from which an attachment gives an address; empty if another plugin gives it; `None` if that is unknown.
fn source<'f, 'a>(
    facts: &'f Facts<'a>,
    pod: Name,
    attachment: Name,
    address: IpAddr,
    served: &BTreeSet<(Name, usize)>,
) -> Option<Vec<&'f PoolFacts<'a>>> {
    let meta = meta_of(facts, pod, attachment);
    match facts.cluster.attachments.get(&meta).map(|it| &it.ipam) {
        Some(Ipam::Other) => Some(Vec::new()),
        Some(Ipam::Whereabouts(configs)) if configs.iter().any(|it| it.addresses.contains(&address)) => {
            Some(Vec::new())
        }
        Some(Ipam::Whereabouts(_)) => {
            let leads_here = |it: &PoolFacts<'_>| it.leads.iter().any(|lead| *lead.attachment == meta);
            Some(facts.containing(address).map(|(_, it)| it).filter(|it| leads_here(it)).collect())
        }
        // An attachment that gives other pods addresses of a pool gives all addresses from there.
        _ => {
            served.range((attachment, 0)..=(attachment, usize::MAX)).next()?;
            let pools = facts.containing(address).filter(|(index, _)| served.contains(&(attachment, *index)));
            Some(pools.map(|(_, pool)| pool).collect())
        }
    }
}

/// The namespace and name of an attachment; without a namespace it is the pod's.
fn meta_of(facts: &Facts<'_>, pod: Name, attachment: Name) -> Meta {
    let [pod, attachment] = [pod, attachment].map(|name| facts.cluster.names.text(name));
    let (namespace, name) =
        attachment.split_once('/').unwrap_or((pod.split('/').next().unwrap_or_default(), attachment));
    Meta { namespace: namespace.to_owned(), name: name.to_owned() }
}

fn report<'a>(
    facts: &Facts<'a>,
    name: Name,
    pod: &Pod,
    address: IpAddr,
    pool: &PoolFacts<'_>,
    findings: &mut Findings<'_, 'a>,
) {
    let (namespace, name) = facts.cluster.names.text(name).split_once('/').unwrap_or_default();
    let object = Object { kind: "Pod", namespace, name: name.into() };
    let Meta { namespace, name } = &pool.pool.meta;
    let detail = format!("must have an allocation in the pool {namespace}/{name}");
    findings.on(&object, pod.stamp, |report| {
        let path = FieldPath::entry("metadata.annotations", NETWORK_STATUS, None);
        report.invalid(path, address.to_string(), detail).at(Some(address));
    });
}
