//! Facts about one pool that follow from the attachments and the nodes.

use std::collections::BTreeSet;

use super::leads::{Lead, Leads};
use crate::kinds::ippool::cluster::Pool;
use crate::kinds::ippool::rules::name;

/// A pool, and facts that follow from other objects.
#[derive(Debug)]
pub struct PoolFacts<'a> {
    /// The pool.
    pub pool: &'a Pool,
    /// The configurations that lead to it.
    pub leads: Vec<Lead<'a>>,
    /// The networks that it can belong to, the likeliest first; the unnamed network is an empty text. Empty if the name of the pool
    /// does not fit its range.
    pub networks: Vec<&'a str>,
    /// Whether it is a slice that belongs to a node.
    pub is_slice: bool,
    /// Whether whereabouts looks at it.
    pub usage: Usage,
}

/// Whether whereabouts looks at a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// It does, as far as the objects show.
    Used,
    /// It does not, because it runs in other namespaces.
    OtherNamespace,
    /// It does not, because no configuration leads to the name.
    OtherName,
}

impl<'a> PoolFacts<'a> {
    /// The facts of a pool, except whether whereabouts looks at it.
    pub fn of(pool: &'a Pool, leads: &Leads<'a>, nodes: &BTreeSet<&str>) -> Self {
        let leads = leads.to(&pool.meta.name).to_vec();
        let prefix = pool.range.as_ref().and_then(|range| name::prefix(&pool.meta.name, range));
        let (networks, is_slice) = match (leads.as_slice(), prefix) {
            ([], Some(prefix)) => networks(prefix, nodes),
            ([], None) => (Vec::new(), false),
            (leads, _) => {
                let mut networks: Vec<_> = leads.iter().map(|lead| lead.config.network.as_str()).collect();
                networks.dedup();
                (networks, leads.iter().all(|lead| lead.range.is_none()))
            }
        };
        Self { pool, leads, networks, is_slice, usage: Usage::Used }
    }

    /// Whether each address is reserved beside the pool; `None` if no configuration says so, or if they differ.
    pub fn reserves(&self) -> Option<bool> {
        let first = self.leads.first()?.config.reserves;
        self.leads.iter().all(|lead| lead.config.reserves == first).then_some(first)
    }
}

/// The networks that the prefix of a name can mean, the likeliest first, and whether it ends in the name of a node.
fn networks<'n>(prefix: &'n str, nodes: &BTreeSet<&str>) -> (Vec<&'n str>, bool) {
    if nodes.contains(prefix) {
        return (vec![""], true);
    }
    let dashes = || prefix.match_indices('-');
    let node = dashes().find(|(dash, _)| prefix.get(dash + 1..).is_some_and(|node| nodes.contains(node)));
    if let Some((dash, _)) = node {
        return (prefix.get(..dash).into_iter().collect(), true);
    }
    // The node may have been deleted.
    let shorter = dashes().rev().filter_map(|(dash, _)| prefix.get(..dash));
    let mut networks: Vec<_> = std::iter::once(prefix).chain(shorter).collect();
    if !prefix.is_empty() {
        networks.push("");
    }
    (networks, false)
}
