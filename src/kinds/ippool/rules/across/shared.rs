//! Addresses that pools share.

use std::collections::HashMap;
use std::net::IpAddr;

use super::pool_facts::{PoolFacts, Usage};
use crate::kinds::ippool::cluster::RangeIndex;

/// How many wider pools are compared with each pool. Only pools made by hand share a network with more.
const MAX_OVERLAPS: usize = 20;

/// An address that two owners hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The address.
    pub address: IpAddr,
    /// One entry: the position of its pool, and its position in the pool.
    pub first: (usize, usize),
    /// The other one.
    pub second: (usize, usize),
}

/// The pairs of pools that share addresses and that nothing tells apart but a node slice: the wider one, the narrower one.
pub fn overlaps(
    pools: &[PoolFacts<'_>],
    ranges: &RangeIndex,
    namespaces_are_known: bool,
) -> Vec<(usize, usize)> {
    let mut networks = HashMap::<_, Vec<usize>>::new();
    for (index, pool) in pools.iter().enumerate().filter(|(_, it)| it.usage == Usage::Used) {
        // Unless the namespaces of whereabouts are known, pools of different namespaces are not compared.
        let namespace = Some(pool.pool.meta.namespace.as_str()).filter(|_| !namespaces_are_known);
        if let Some(network) = pool.networks.first() {
            networks.entry((namespace, *network)).or_default().push(index);
        }
    }
    let mut pairs = Vec::new();
    for members in networks.into_values().filter(|members| members.len() > 1) {
        let is_member = |index: &usize| members.binary_search(index).is_ok();
        for narrower in &members {
            let range = pools.get(*narrower).and_then(|it| it.pool.range);
            let Some(range) = range.filter(|range| !range.is_mapped_too_wide()) else { continue };
            let length = |index: &usize| {
                pools.get(*index).and_then(|it| it.pool.range).map(|it| it.network().prefix_len())
            };
            // Two equal ranges contain each other.
            let is_wider = |index: &usize| (length(index), *index) < (length(narrower), *narrower);
            let around = ranges.around(range.network()).filter(|it| is_wider(it) && is_member(it));
            pairs.extend(around.take(MAX_OVERLAPS).map(|wider| (wider, *narrower)));
        }
    }
    pairs.sort_unstable();
    pairs
}

/// The addresses that two entries hold for different owners.
pub fn conflicts(pools: &[PoolFacts<'_>], overlaps: &[(usize, usize)]) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for (index, facts) in pools.iter().enumerate() {
        let entries = facts.pool.entries.iter().enumerate();
        for ((first, a), (second, b)) in entries.clone().zip(entries.skip(1)) {
            if a.offset == b.offset && a.owner != b.owner {
                let address = facts.pool.address(a);
                conflicts.extend(address.map(|address| Conflict {
                    address,
                    first: (index, first),
                    second: (index, second),
                }));
            }
        }
    }
    for (wider, narrower) in overlaps {
        let (Some(outer), Some(inner)) = (pools.get(*wider), pools.get(*narrower)) else { continue };
        for (index, entry) in inner.pool.entries.iter().enumerate() {
            let Some(address) = inner.pool.address(entry) else { continue };
            let other = outer.pool.at(address).find(|(_, it)| it.owner != entry.owner);
            conflicts.extend(other.map(|(other, _)| {
                let (a, b) = ((*wider, other), (*narrower, index));
                Conflict { address, first: a.min(b), second: a.max(b) }
            }));
        }
    }
    conflicts
}
