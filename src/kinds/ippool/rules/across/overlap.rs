//! IPP501 and IPP502: what two pools share.

use std::collections::HashMap;

use super::facts::{Facts, Reserved};
use super::pool_facts::PoolFacts;
use super::shared::Conflict;
use super::{AUDIT, Across, Object, entry_path};
use crate::finding::{FieldPath, List, RuleInfo};
use crate::kinds::ippool::rules::{Check, Rule};
use crate::text::{Quoted, Shortened};

/// Whereabouts hands out an address of one pool without a look at the other.
pub static RANGES_OVERLAP: Rule = Rule {
    info: RuleInfo {
        id: "IPP501",
        name: "ranges-overlap",
        summary: "two pools share addresses, and no network name or node slice tells them apart",
        page: include_str!("../IPP501-ranges-overlap.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: "",
        is_momentary: false,
        check: |facts, findings| {
            let mut wider_of = HashMap::<_, List>::new();
            let mut first_of = HashMap::new();
            for (wider, narrower) in &facts.overlaps {
                let (Some(outer), Some(inner)) = (facts.pools.get(*wider), facts.pools.get(*narrower)) else {
                    continue;
                };
                if (outer.is_slice && inner.is_slice) || are_reserved(facts, outer, inner) {
                    continue;
                }
                let (outer, inner) = in_order(outer, inner);
                first_of.entry(&inner.pool.meta).or_insert(inner);
                wider_of.entry(&inner.pool.meta).or_default().push(|| named(outer));
            }
            let mut found: Vec<_> = first_of.into_iter().collect();
            found.sort_unstable_by_key(|(meta, _)| *meta);
            for (meta, inner) in found {
                let others = wider_of.remove(meta).unwrap_or_default();
                findings.on(&Object::pool(inner.pool), 0, |report| {
                    let detail = "must not share addresses with ";
                    report
                        .invalid(FieldPath::of("spec.range"), inner.pool.range_text.as_str(), detail)
                        .listing(others);
                });
            }
        },
    }),
};

/// Two pods answer for one address.
pub static ADDRESS_HELD_TWICE: Rule = Rule {
    info: RuleInfo {
        id: "IPP502",
        name: "address-held-twice",
        summary: "one address for two owners, in one pool or in two that nothing tells apart",
        page: include_str!("../IPP502-address-held-twice.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: "",
        is_momentary: false,
        check: |facts, findings| {
            for Conflict { address, first, second } in &facts.conflicts {
                let (Some((other, other_entry)), Some((pool, entry))) = (at(facts, first), at(facts, second))
                else {
                    continue;
                };
                let holder = Quoted(facts.owner(other_entry));
                let place = entry_path(other.pool, first.1);
                let detail = if first.0 == second.0 {
                    format!("holds the address of {place} as well, which is for {holder}")
                } else {
                    format!("holds the address of {place} of {} as well, which is for {holder}", named(other))
                };
                findings.on(&Object::pool(pool.pool), entry.id, |report| {
                    let path = entry_path(pool.pool, second.1).field("podref");
                    report.duplicate(path, facts.owner(entry), detail).at(Some(*address));
                });
            }
        },
    }),
};

fn at<'f, 'a>(
    facts: &'f Facts<'a>,
    (pool, entry): &(usize, usize),
) -> Option<(&'f PoolFacts<'a>, &'a crate::kinds::ippool::cluster::Entry)> {
    let pool = facts.pools.get(*pool)?;
    Some((pool, pool.pool.entries.get(*entry)?))
}

fn named(facts: &PoolFacts<'_>) -> String {
    let meta = &facts.pool.meta;
    format!("{}/{}", Shortened(&meta.namespace), Shortened(&meta.name))
}

/// The two in the order of their names.
fn in_order<'p, 'a>(a: &'p PoolFacts<'a>, b: &'p PoolFacts<'a>) -> (&'p PoolFacts<'a>, &'p PoolFacts<'a>) {
    if a.pool.meta < b.pool.meta { (a, b) } else { (b, a) }
}

/// Whether the reservations prove that no address which the two share is held twice.
fn are_reserved(facts: &Facts<'_>, outer: &PoolFacts<'_>, inner: &PoolFacts<'_>) -> bool {
    let configured = match (outer.reserves(), inner.reserves()) {
        (Some(outer), Some(inner)) => Some(outer && inner && facts.leads.gaps.is_empty()),
        _ => None,
    };
    let Some(network) = inner.pool.range.map(|range| range.network()) else { return false };
    let mut reserved = 0;
    for pool in [outer, inner] {
        for entry in pool.pool.entries.iter().filter(|entry| !facts.owner(entry).is_empty()) {
            let Some(address) = pool.pool.address(entry).filter(|it| network.contains(it)) else { continue };
            if facts.reserved(pool, entry, address) != Reserved::Yes {
                return false;
            }
            reserved += 1;
        }
    }
    configured.unwrap_or(reserved > 0)
}
