//! Which allocations get another address by a change of the range.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::base_changes;
use crate::finding::List;
use crate::kinds::ippool::{Allocation, Pool, Range, Unreadable};
use crate::text::Quoted;

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
    /// An allocation that is gone from its address is looked for under its key, then by its container and pod
    /// among those that were not at their address before.
    pub(super) fn between(old: &Pool<'_>, new: &Pool<'_>) -> Self {
        if !base_changes(old, new) {
            return Self::default();
        }
        let arrived: Vec<_> = holders(new).filter(is_gone_from(old)).collect();
        let by_key: HashMap<_, _> = left_under_their_keys(old, new, &arrived).collect();
        let by_owner: HashMap<_, _> = arrived.iter().filter_map(|it| Some((owner(it.1)?, *it))).collect();
        let moved = departed(old, new).into_iter().filter_map(|(from, old)| {
            let left = by_key.get(&old.offset);
            let (to, _) = left.or_else(|| by_owner.get(&owner(old)?))?;
            Some(Move { from, to: *to, is_under_its_key: left.is_some() })
        });
        let mut moved: Vec<_> = moved.collect();
        moved.sort_by_key(|it| it.from);
        Self(moved)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key was left as it is and now means another address.
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
pub(super) fn offsets_to_write(old: &Pool<'_>, new: &Pool<'_>, canonical: &Range) -> List {
    let mut departed = departed(old, new);
    departed.sort_by_key(|(from, _)| *from);
    let mut list = List::default();
    for (from, entry) in departed {
        let Some(offset) = canonical.offset_of(from) else { continue };
        list.push(|| format!("{} becomes \"{offset}\" ({from})", Quoted(&entry.key)));
    }
    list
}

/// The allocations of `new` by offset. A repair of host bits may give the key of one allocation to another that
/// stays at its address: that is not the first one, left under its key.
fn left_under_their_keys<'a>(
    old: &'a Pool<'a>,
    new: &'a Pool<'a>,
    arrived: &[Holder<'a>],
) -> impl Iterator<Item = (Result<i64, Unreadable>, Holder<'a>)> {
    let repairs = loses_host_bits(old, new);
    let arrived: HashSet<_> = arrived.iter().map(|it| it.1.offset).collect();
    let before: HashMap<_, _> = holders(old).map(|(_, it)| (it.offset, owner(it))).collect();
    let left =
        move |it: &Allocation<'_>| arrived.contains(&it.offset) || before.get(&it.offset) == Some(&owner(it));
    holders(new).filter(move |(_, it)| !repairs || left(it)).map(|it| (it.1.offset, it))
}

/// Whether the old range had host bits, and the new one is its network.
pub(super) fn loses_host_bits(old: &Pool<'_>, new: &Pool<'_>) -> bool {
    matches!((old.range(), new.range()),
        (Some(old), Some(new)) if old.host_bits() != 0 && *new == old.canonical())
}

/// The allocations of `old` that are gone from their address in `new`, or that the request left alone under a key that
/// means another address now, even if one like it is at theirs. Only a repair of host bits may write one at the key of its address
/// and the same one under the key that it had.
fn departed<'a>(old: &'a Pool<'a>, new: &'a Pool<'a>) -> Vec<Holder<'a>> {
    let (is_gone, repairs) = (is_gone_from(new), loses_host_bits(old, new));
    let by_key: HashMap<_, _> = new.spec.allocations.iter().map(|it| (it.key.as_ref(), it)).collect();
    let by_address: HashMap<_, _> = holders(new).collect();
    let is_left_alone = |(address, it): &Holder<'_>| {
        let is_rewritten = || by_address.get(address).is_some_and(|new| new.has_fields_of(it));
        by_key.get(it.key.as_ref()) == Some(it) && !(repairs && is_rewritten())
    };
    holders(old).filter(|it| is_gone(it) || is_left_alone(it)).collect()
}

/// Whether `pool` has another container or pod at the address of an allocation, or none.
fn is_gone_from<'a>(pool: &'a Pool<'a>) -> impl Fn(&Holder<'a>) -> bool {
    let there: HashSet<_> = holders(pool).map(|(address, it)| (address, &it.id, &it.podref)).collect();
    move |(address, it)| !there.contains(&(*address, &it.id, &it.podref))
}

fn holders<'a>(pool: &'a Pool<'a>) -> impl Iterator<Item = Holder<'a>> {
    pool.spec.allocations.iter().filter_map(|it| Some((pool.address_of(it)?, it)))
}

/// The container and the pod, where either says something.
fn owner<'a>(allocation: &'a Allocation<'a>) -> Option<(&'a str, &'a str)> {
    let owner = (allocation.id.text().unwrap_or_default(), allocation.owner());
    (owner != ("", "")).then_some(owner)
}
