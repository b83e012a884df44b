//! Facts that several of the rules across objects need, derived once.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::leads::Leads;
use super::pool_facts::{PoolFacts, Usage};
use super::shared::{self, Conflict};
use crate::kinds::ippool::cluster::{Cluster, Entry, Phase, Pod, RangeIndex, Shown};
use crate::kinds::ippool::rules::well_formed::is_podref;

/// A cluster, and facts that follow from its objects.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its pools, in the same order.
    pub pools: Vec<PoolFacts<'a>>,
    /// The pools by their range.
    pub ranges: RangeIndex,
    /// The same for the pools of each network: many networks may have the same range.
    by_network: HashMap<&'a str, RangeIndex>,
    /// The pairs of pools that share addresses and that nothing tells apart, the wider one first.
    pub overlaps: Vec<(usize, usize)>,
    /// The addresses that two owners hold.
    pub conflicts: Vec<Conflict>,
    pub(super) leads: Leads<'a>,
}

/// The reservation of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved<'a> {
    /// There is one.
    Yes,
    /// It belongs to another owner.
    ForOther(&'a str),
    /// There is none.
    No,
}

impl<'a> Facts<'a> {
    /// Derives the facts of a cluster.
    pub fn of(cluster: &'a Cluster) -> Self {
        let leads = Leads::of(cluster);
        let slices = cluster.node_slices.values().flat_map(|it| &it.slices).map(|slice| slice.node.as_str());
        let nodes: BTreeSet<_> = slices.chain(cluster.nodes.iter().map(String::as_str)).collect();
        let pools: Vec<_> = cluster.pools.iter().map(|pool| PoolFacts::of(pool, &leads, &nodes)).collect();
        let (mut ranges, mut by_network) = (RangeIndex::default(), HashMap::<_, RangeIndex>::new());
        for (index, PoolFacts { pool, networks, .. }) in pools.iter().enumerate() {
            let Some(range) = pool.range.filter(|range| !range.is_mapped_too_wide()) else { continue };
            ranges.add(range.network(), index);
            for network in networks {
                by_network.entry(*network).or_default().add(range.network(), index);
            }
        }
        let mut facts =
            Self { cluster, pools, ranges, by_network, overlaps: Vec::new(), conflicts: Vec::new(), leads };
        let usages: Vec<_> = (0..facts.pools.len()).map(|index| facts.usage(index)).collect();
        for (pool, usage) in facts.pools.iter_mut().zip(usages) {
            pool.usage = usage;
        }
        let namespaces_are_known = cluster.whereabouts_namespaces.is_some();
        facts.overlaps = shared::overlaps(&facts.pools, &facts.ranges, namespaces_are_known);
        facts.conflicts = shared::conflicts(&facts.pools, &facts.overlaps);
        facts
    }

    /// The text of an owner.
    pub fn owner(&self, entry: &Entry) -> &'a str {
        self.cluster.names.text(entry.owner)
    }

    /// The pod that an entry names.
    pub fn pod(&self, entry: &Entry) -> Option<&'a Pod> {
        self.cluster.pods.get(entry.owner)
    }

    /// The addresses of a pod.
    pub fn shown(&self, pod: &Pod) -> &'a [Shown] {
        self.cluster.shown.get(pod.shown.clone()).unwrap_or_default()
    }

    /// The pools whose range has an address, as positions.
    pub fn containing(&self, address: IpAddr) -> impl Iterator<Item = (usize, &PoolFacts<'a>)> {
        self.ranges.of(address).filter_map(|index| Some((index, self.pools.get(index)?)))
    }

    /// Whether the pod of an entry does not exist or has finished; `None` if that is unknown.
    pub fn owner_is_gone(&self, entry: &Entry) -> Option<bool> {
        let owner = self.owner(entry);
        if owner.is_empty() || entry.has_claim || !is_podref(owner) {
            return Some(false);
        }
        match self.pod(entry) {
            Some(pod) => Some(pod.phase == Phase::Finished),
            None => self.cluster.read.pods.has(owner.split('/').next()?).then_some(true),
        }
    }

    /// The position of the address of an entry among the addresses of all pods, if its pod has it.
    pub fn shows(&self, entry: &Entry, address: IpAddr) -> Option<usize> {
        let pod = self.pod(entry).filter(|pod| pod.phase != Phase::Finished)?;
        let shown = self.shown(pod).iter().position(|shown| shown.address == address)?;
        Some(pod.shown.start + shown)
    }

    /// The pools of a network whose range has an address.
    pub fn containing_in(&self, network: &str, address: IpAddr) -> impl Iterator<Item = &PoolFacts<'a>> {
        let index = self.by_network.get(network).into_iter();
        index.flat_map(move |index| index.of(address)).filter_map(|index| self.pools.get(index))
    }

    /// The reservation of an entry of a pool.
    pub fn reserved(&self, pool: &PoolFacts<'a>, entry: &Entry, address: IpAddr) -> Reserved<'a> {
        let Some(reservations) = self.cluster.reservations.get(&pool.pool.meta.namespace) else {
            return Reserved::No;
        };
        let mut result = Reserved::No;
        let names = &self.cluster.names;
        for reservation in pool.networks.iter().flat_map(|network| reservations.of(network, address, names)) {
            match reservation.owner {
                Some(owner) if owner != entry.owner => result = Reserved::ForOther(names.text(owner)),
                _ => return Reserved::Yes,
            }
        }
        result
    }

    /// Why a reservation that was not read may exist.
    pub fn gap_in_reservations(&self, pool: &PoolFacts<'a>) -> Option<String> {
        let read = &self.cluster.read.reservations;
        if read.has(&pool.pool.meta.namespace) { None } else { read.gap("OverlappingRangeIPReservation") }
    }

    /// Whether it is known that no whereabouts runs in a namespace.
    pub fn is_without_whereabouts(&self, namespace: &str) -> Option<bool> {
        let Cluster { whereabouts_namespaces, namespaces_are_given, pools, read, .. } = self.cluster;
        let namespaces = whereabouts_namespaces.as_ref()?;
        // Whereabouts has pools in its namespace; without any, it may be another program of that name.
        let is_known = *namespaces_are_given
            || read.pods.has(namespace)
            || pools.iter().any(|pool| namespaces.contains(&pool.meta.namespace));
        is_known.then(|| !namespaces.contains(namespace))
    }

    fn usage(&self, index: usize) -> Usage {
        let Some(facts) = self.pools.get(index) else { return Usage::Used };
        let is_elsewhere = self.is_without_whereabouts(&facts.pool.meta.namespace) == Some(true);
        let has_no_lead = facts.leads.is_empty() && self.leads.gaps.is_empty();
        if is_elsewhere && (self.cluster.namespaces_are_given || !self.is_in_use(index, facts)) {
            Usage::OtherNamespace
        } else if has_no_lead && !self.is_in_use(index, facts) {
            Usage::OtherName
        } else {
            Usage::Used
        }
    }

    /// Whether a pod has an address that it can only have from this pool.
    fn is_in_use(&self, index: usize, facts: &PoolFacts<'_>) -> bool {
        let is_only_holder = |address| {
            self.containing(address).all(|(other, it)| other == index || it.pool.at(address).next().is_none())
        };
        facts.pool.entries.iter().any(|entry| {
            let address = facts.pool.address(entry);
            address.is_some_and(|address| self.shows(entry, address).is_some() && is_only_holder(address))
        })
    }
}
