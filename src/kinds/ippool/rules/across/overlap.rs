//! IPP501 and IPP502: what two pools share.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Reserved};
use super::pool_facts::PoolFacts;
use super::shared::Conflict;
use super::{AUDIT, Across, Findings, Object, entry_path};
use crate::finding::{FieldPath, List, Report, RuleInfo};
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
        // Reservations may prove that a shared range is harmless, and they are listed after the pools.
        is_momentary: true,
        check: check_overlaps,
    }),
};

fn check_overlaps<'a>(facts: &'a Facts<'a>, findings: &mut Findings<'_, 'a>) {
    let mut shared = BTreeMap::<_, (_, List, BTreeSet<Option<u32>>)>::new();
    for (wider, narrower) in &facts.overlaps {
        let (Some(outer), Some(inner)) = (facts.pools.get(*wider), facts.pools.get(*narrower)) else {
            continue;
        };
        let stamps = unproved(facts, outer, inner);
        if (outer.is_slice && inner.is_slice) || stamps.is_empty() {
            continue;
        }
        let (outer, inner) = in_order(outer, inner);
        let (_, others, all) =
            shared.entry(&inner.pool.meta).or_insert_with(|| (inner.pool, List::default(), BTreeSet::new()));
        others.push(|| named(outer));
        all.extend(stamps);
    }
    for (pool, others, stamps) in shared.into_values() {
        // Passed on for each reason, since one of them may be of the moment, and another one last.
        for stamp in stamps {
            let report = |report: &mut Report<'_, 'a>| {
                let path = FieldPath::of("spec.range");
                let detail = "must not share addresses with ";
                report.invalid(path, pool.range_text.as_str(), detail).listing(others.clone());
            };
            match stamp {
                Some(stamp) => findings.on(&Object::pool(pool), stamp, report),
                None => findings.on_lasting(&Object::pool(pool), report),
            }
        }
    }
}

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

/// The reasons to report that two pools share addresses: the entries there without a reservation, or `None` where nothing is
/// reserved. Empty where reservations prove that no address is held twice.
fn unproved(facts: &Facts<'_>, outer: &PoolFacts<'_>, inner: &PoolFacts<'_>) -> BTreeSet<Option<u32>> {
    let reserves = match (outer.reserves(), inner.reserves()) {
        (Some(true), Some(true)) => Some(true),
        (Some(_), Some(_)) if facts.leads.gaps.is_empty() => Some(false),
        _ => None,
    };
    let Some(network) = inner.pool.range.map(|range| range.network()) else { return BTreeSet::from([None]) };
    let (mut unreserved, mut is_reserved) = (BTreeSet::new(), reserves == Some(true));
    for pool in [outer, inner] {
        for entry in pool.pool.entries.iter().filter(|entry| !facts.owner(entry).is_empty()) {
            let Some(address) = pool.pool.address(entry).filter(|it| network.contains(it)) else { continue };
            if facts.reserved(pool, entry, address) == Reserved::Yes {
                is_reserved = true;
            } else {
                unreserved.insert(Some(entry.id));
            }
        }
    }
    if reserves == Some(false) || (unreserved.is_empty() && !is_reserved) {
        return BTreeSet::from([None]);
    }
    unreserved
}
