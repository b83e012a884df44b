//! Which allocations stand for another address after a change of the range.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::address_of;
use super::change::base_changes;
use crate::path::Quoted;
use crate::pool::{Allocation, Pool};
use crate::range::Range;
use crate::report::List;

/// The allocations that moved; none where offsets count from the same address as before.
#[derive(Default)]
pub(super) struct Moved(Vec<Move>);

struct Move {
    from: IpAddr,
    to: IpAddr,
    /// Whether it was found again under its key, not by its container and pod.
    is_under_its_key: bool,
}

/// An address, and the container and pod that hold it.
type Holder<'a> = (IpAddr, &'a Allocation<'a>);

impl Moved {
    /// An allocation that is gone from its address is looked for under its key, then by its container and pod.
    /// Those that are where they were before are not what is looked for.
    pub(super) fn between(old_pool: &Pool<'_>, new_pool: &Pool<'_>) -> Self {
        if !base_changes(old_pool, new_pool) {
            return Self::default();
        }
        let (before, after) = (gone(old_pool, new_pool), gone(new_pool, old_pool));
        let by_key: HashMap<_, _> = after.iter().map(|it| (it.1.offset, *it)).collect();
        let by_owner: HashMap<_, _> = after.iter().filter_map(|it| Some((owner(it.1)?, *it))).collect();
        let moved = before.into_iter().filter_map(|(from, old)| {
            let under_its_key = by_key.get(&old.offset);
            let (to, _) = under_its_key.or_else(|| by_owner.get(&owner(old)?))?;
            let (is_under_its_key, to) = (under_its_key.is_some(), *to);
            // IPP206 denies an entry that leaves the range.
            let leaves = is_inside(old_pool, from) && !is_inside(new_pool, to);
            (!leaves).then_some(Move { from, to, is_under_its_key })
        });
        let mut moved: Vec<_> = moved.collect();
        moved.sort_by_key(|it| it.from);
        Self(moved)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key was left as it is and now stands for another address.
    pub(super) fn any_under_its_key(&self) -> bool {
        self.0.iter().any(|it| it.is_under_its_key)
    }

    /// The addresses before and after.
    pub(super) fn list(&self) -> List {
        let mut list = List::default();
        for Move { from, to, .. } in &self.0 {
            list.push(|| format!("{from} becomes {to}"));
        }
        list
    }
}

/// The keys that keep the addresses, for the canonical form of the old range: of what moved, and of what another
/// entry took the key of.
pub(super) fn offsets_to_write(old_pool: &Pool<'_>, new_pool: &Pool<'_>, canonical: &Range) -> List {
    let mut gone = gone(old_pool, new_pool);
    gone.sort_by_key(|(from, _)| *from);
    let mut list = List::default();
    for (from, entry) in gone {
        let Some(offset) = canonical.offset_of(from) else { continue };
        list.push(|| format!("{} becomes \"{offset}\" ({from})", Quoted(&entry.key)));
    }
    list
}

fn is_inside(pool: &Pool<'_>, address: IpAddr) -> bool {
    pool.range().is_some_and(|range| range.contains(address))
}

/// The allocations of `pool` at whose address `other` has not the same container and pod.
fn gone<'a>(pool: &'a Pool<'a>, other: &'a Pool<'a>) -> Vec<Holder<'a>> {
    let there: HashSet<_> = holders(other).map(|(address, it)| (address, &it.id, &it.podref)).collect();
    holders(pool).filter(|(address, it)| !there.contains(&(*address, &it.id, &it.podref))).collect()
}

fn holders<'a>(pool: &'a Pool<'a>) -> impl Iterator<Item = Holder<'a>> {
    pool.spec.allocations.iter().filter_map(|it| Some((address_of(pool, it)?, it)))
}

/// The container and the pod, where either says something.
fn owner<'a>(allocation: &'a Allocation<'a>) -> Option<(&'a str, &'a str)> {
    let owner = (allocation.id.text().unwrap_or_default(), allocation.owner());
    (owner != ("", "")).then_some(owner)
}
