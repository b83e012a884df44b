//! IPP508 and IPP509: entries that whereabouts does not write today.

use std::net::IpAddr;

use super::pool_facts::PoolFacts;
use super::{AUDIT, Across, Object, entry_path};
use crate::finding::RuleInfo;
use crate::kinds::ippool::cluster::{Meta, RangeConfig};
use crate::kinds::ippool::rules::{Check, Rule};

/// Somebody else may have the address.
pub static ADDRESS_NOT_ALLOWED: Rule = Rule {
    info: RuleInfo {
        id: "IPP508",
        name: "address-not-allowed",
        summary: "an address outside range_start to range_end, or excluded, by the attachment",
        page: include_str!("../IPP508-address-not-allowed.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: "",
        is_momentary: false,
        check: |facts, findings| {
            if !facts.pools.is_empty() {
                // An attachment that was not read may allow the address.
                facts.leads.gaps.iter().for_each(|gap| findings.not_done(gap));
            }
            for facts_of_pool in facts.pools.iter().filter(|_| facts.leads.gaps.is_empty()) {
                let pool = facts_of_pool.pool;
                let Some(range) = &pool.range else { continue };
                for (index, entry) in pool.entries.iter().enumerate() {
                    let is_handed_out = range.holds(entry.offset) && range.edge_at(entry.offset).is_none();
                    // An address that is reserved by hand is not for a pod.
                    if !is_handed_out || facts.owner(entry).is_empty() {
                        continue;
                    }
                    let Some(address) = pool.address(entry) else { continue };
                    if let Some((meta, config)) = refusal(facts_of_pool, address) {
                        findings.on(&Object::pool(pool), entry.id, |report| {
                            let path = entry_path(pool, index);
                            let detail = allowed(meta, config, address);
                            report.invalid(path, pool.key(index), detail).at(Some(address));
                        });
                    }
                }
            }
        },
    }),
};

/// One of the attachments that lead to a pool, if none of them allows the address.
fn refusal<'a>(facts: &PoolFacts<'a>, address: IpAddr) -> Option<(&'a Meta, &'a RangeConfig)> {
    if facts.leads.iter().any(|lead| lead.range.is_none_or(|range| range.allows(address))) {
        return None;
    }
    let lead = facts.leads.first()?;
    Some((lead.attachment, lead.range?))
}

fn allowed(Meta { namespace, name }: &Meta, config: &RangeConfig, address: IpAddr) -> String {
    let excluded = config.excluded.iter().flatten().find(|network| network.contains(&address));
    let attachment = format!("the NetworkAttachmentDefinition {namespace}/{name}");
    match (excluded, config.first, config.last) {
        (Some(network), ..) => format!("must not be in {network}, which {attachment} excludes"),
        (None, Some(first), Some(last)) => {
            format!("must be from {first} to {last}, which {attachment} hands out")
        }
        _ => format!("must be an address that {attachment} hands out"),
    }
}

/// Whereabouts does not find it when the pod ends.
pub static ENTRY_FROM_BEFORE_UPGRADE: Rule = Rule {
    info: RuleInfo {
        id: "IPP509",
        name: "entry-from-before-upgrade",
        summary: "an entry without ifname where others have one: its release leaves it",
        page: include_str!("../IPP509-entry-from-before-upgrade.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: "",
        is_momentary: false,
        check: |facts, findings| {
            for pool in facts.pools.iter().map(|it| it.pool) {
                if !pool.entries.iter().any(|entry| entry.has_ifname) {
                    continue;
                }
                let is_old = |entry: &crate::kinds::ippool::cluster::Entry| {
                    !entry.has_ifname && !facts.owner(entry).is_empty()
                };
                for (index, entry) in pool.entries.iter().enumerate().filter(|(_, entry)| is_old(entry)) {
                    findings.on(&Object::pool(pool), entry.id, |report| {
                        let path = entry_path(pool, index).field("ifname");
                        let detail =
                            "must be the interface, without which whereabouts since 0.8 does not release it";
                        report.required(path, detail).at(pool.address(entry));
                    });
                }
            }
        },
    }),
};
