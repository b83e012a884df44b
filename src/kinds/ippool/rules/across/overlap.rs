//! IPP501 and IPP502: addresses in two pools.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::facts::{Facts, Reserved};
use super::pool_facts::PoolFacts;
use super::shared::Conflict;
use super::{AUDIT, Across, Object, entry_path};
use crate::finding::{FieldPath, List, RuleInfo};
use crate::kinds::ippool::cluster::{Entry, Pool};
use crate::kinds::ippool::rules::{Check, Rule};
use crate::text::{Quoted, Shortened};

/// Whereabouts does not check the other pool before it hands out an address.
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
            let conflicting: HashSet<_> =
                facts.conflicts.iter().map(|it| (it.first.0, it.second.0)).collect();
            let mut found = BTreeMap::<_, Overlap<'_>>::new();
            for (wider, narrower) in &facts.overlaps {
                let (Some(outer), Some(inner)) = (facts.pools.get(*wider), facts.pools.get(*narrower)) else {
                    continue;
                };
                if outer.is_slice && inner.is_slice {
                    continue;
                }
                let is_conflicting = conflicting.contains(&(*wider.min(narrower), *wider.max(narrower)));
                let missing = match protection(facts, outer, inner) {
                    _ if is_conflicting => None,
                    Protection::Reservations => continue,
                    Protection::None => None,
                    Protection::Missing(entries) => Some(entries),
                    Protection::Unknown(why) => {
                        findings.not_done(why);
                        continue;
                    }
                };
                let (outer, inner) = in_order(outer, inner);
                found.entry(&inner.pool.meta).or_insert_with(|| Overlap::of(inner.pool)).add(outer, missing);
            }
            for Overlap { pool, others, is_momentary, missing } in found.into_values() {
                findings.is_momentary = is_momentary;
                // Once for each missing reservation, because some may be momentary and others not.
                let stamps = if is_momentary { missing } else { BTreeSet::from([0]) };
                for stamp in stamps {
                    findings.on(&Object::pool(pool), stamp, |report| {
                        let path = FieldPath::of("spec.range");
                        let detail = "must not share addresses with ";
                        report.invalid(path, pool.range_text.as_str(), detail).listing(others.clone());
                    });
                }
            }
        },
    }),
};

/// The pools with which one shares addresses.
struct Overlap<'a> {
    pool: &'a Pool,
    others: List,
    /// Whether the only cause is reservations that may not have been written yet.
    is_momentary: bool,
    /// The entries without a reservation, by a digest of their ids.
    missing: BTreeSet<u32>,
}

impl<'a> Overlap<'a> {
    fn of(pool: &'a Pool) -> Self {
        Self { pool, others: List::default(), is_momentary: true, missing: BTreeSet::new() }
    }

    /// Adds a pool; `missing` are the entries without a reservation, if that is the cause.
    fn add(&mut self, other: &PoolFacts<'_>, missing: Option<BTreeSet<u32>>) {
        self.others.push(|| named(other));
        self.is_momentary &= missing.is_some();
        self.missing.extend(missing.into_iter().flatten());
    }
}

/// Two pods have one address.
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
) -> Option<(&'f PoolFacts<'a>, &'a Entry)> {
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

/// What keeps two pools from handing out one address twice.
enum Protection {
    /// The reservations.
    Reservations,
    /// Reservations, which these entries do not have, by a digest of their ids.
    Missing(BTreeSet<u32>),
    /// Nothing.
    None,
    /// Unknown, for this reason.
    Unknown(String),
}

/// What protects the addresses that two pools share.
fn protection(facts: &Facts<'_>, outer: &PoolFacts<'_>, inner: &PoolFacts<'_>) -> Protection {
    let Some(network) = inner.pool.range.map(|range| range.network()) else { return Protection::None };
    if [outer, inner].iter().any(|pool| pool.leads.iter().any(|lead| !lead.config.reserves)) {
        return Protection::None;
    }
    let (mut has_reserved, mut missing) = (false, BTreeSet::new());
    for pool in [outer, inner] {
        for entry in pool.pool.entries.iter().filter(|entry| !facts.owner(entry).is_empty()) {
            let Some(address) = pool.pool.address(entry).filter(|it| network.contains(it)) else { continue };
            if facts.reserved(pool, entry, address) == Reserved::Yes {
                has_reserved = true;
                continue;
            }
            if let Some(why) = facts.gap_in_reservations(pool) {
                return Protection::Unknown(why);
            }
            missing.insert(entry.id);
        }
    }
    if !missing.is_empty() {
        return Protection::Missing(missing);
    }
    // Without an entry, only the attachments show whether its address would be reserved.
    let are_reserved = || outer.reserves() == Some(true) && inner.reserves() == Some(true);
    match facts.leads.gaps.first() {
        _ if has_reserved => Protection::Reservations,
        Some(why) => Protection::Unknown(why.clone()),
        None if are_reserved() => Protection::Reservations,
        None => Protection::None,
    }
}
