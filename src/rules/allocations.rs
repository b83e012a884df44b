//! IPP201, IPP204, IPP213, IPP215 and IPP601: the allocations of a pool together.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::key::place;
use super::sieve::{Owner, with_like_letters};
use super::{Check, PoolRule, address_of};
use crate::path::FieldPath;
use crate::pool::{Allocation, MAX_ALLOCATIONS, Pool, Shape};
use crate::report::{Denial, Operation, Rule};
use crate::text::Shortened;

const PATH: FieldPath<'static> = FieldPath::of("spec.allocations");

/// Size from which a pool is reported, in bytes. etcd refuses an object at 1.5 MiB.
const NEAR_SIZE_LIMIT_BYTES: usize = 1 << 20;

/// How many owners the warning about a deleted pool names.
const NAMED_OWNERS: usize = 3;

/// The CRD requires it; a list in its place blocks the pool.
pub static ALLOCATIONS_MISSING: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP201",
        name: "allocations-missing",
        summary: "spec.allocations is absent, null or not an object",
        page: include_str!("IPP201-allocations-missing.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        const WANTED: &str = "must be an object of offsets; a pool without allocations has {}";
        match (&pool.spec.shape, &pool.spec.allocations_shape) {
            (Shape::Unreadable, _) | (_, Shape::Object | Shape::Unreadable) => {}
            (_, Shape::Absent | Shape::Null) => {
                report.required(PATH, WANTED);
            }
            (_, Shape::Other(found)) => {
                report.wrong_type(PATH, found.as_str(), WANTED);
            }
        }
    }),
};

/// Whereabouts keeps only one of the entries, and which one is chance.
pub static OFFSET_COLLISION: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP204",
        name: "offset-collision",
        summary: "two keys that whereabouts reads as the same offset",
        page: include_str!("IPP204-offset-collision.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Write(|pool, stored, report| {
        if pool.spec.allocations.are_in_order() {
            return;
        }
        let mut colliding = colliding(pool);
        if colliding.is_empty() {
            return;
        }
        let stored: HashSet<_> = stored.into_iter().flat_map(keys).collect();
        // The first of two keys keeps its offset: what is stored, then what is spelled as whereabouts does.
        colliding.sort_by_cached_key(|(_, it)| (!stored.contains(it.key.as_ref()), !it.key_is_canonical()));
        let mut first_of = HashMap::new();
        for (offset, allocation) in colliding {
            let first = *first_of.entry(offset).or_insert(allocation);
            if !std::ptr::eq(first, allocation) {
                let detail = format!("is read as {offset}, like the key {}", Shortened(&first.key));
                let address = address_of(pool, allocation);
                report.duplicate(place(allocation), allocation.key.as_ref(), detail).at(address);
            }
        }
    }),
};

/// The allocations that share their offset with another one.
fn colliding<'a>(pool: &'a Pool<'a>) -> Vec<(i64, &'a Allocation<'a>)> {
    let readable = || pool.spec.allocations.iter().filter_map(|it| Some((it.offset.ok()?, it)));
    let mut seen = HashSet::new();
    let twice: HashSet<_> = readable().map(|it| it.0).filter(|offset| !seen.insert(*offset)).collect();
    readable().filter(|(offset, _)| twice.contains(offset)).collect()
}

fn keys<'a>(pool: &'a Pool<'_>) -> impl Iterator<Item = &'a str> {
    pool.spec.allocations.iter().map(|it| it.key.as_ref())
}

/// A second ADD of the same interface gets either address, and DEL frees only one.
pub static OWNER_TWICE: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP213",
        name: "owner-twice",
        summary: "the same podref with the same ifname at two offsets",
        page: include_str!("IPP213-owner-twice.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let owned = pool.spec.allocations.iter().filter(|allocation| {
            let (podref, ifname) = owner(allocation);
            !podref.is_empty() && !ifname.is_empty()
        });
        let mut first_of = HashMap::new();
        for allocation in with_like_letters(owned, owner) {
            let owner = owner(allocation);
            let first = *first_of.entry(owner).or_insert(allocation);
            if !std::ptr::eq(first, allocation) {
                let detail = format!("already holds {} with the same ifname", place(first));
                let path = place(allocation).field("podref");
                report.duplicate(path, owner.0, detail).at(address_of(pool, allocation));
            }
        }
    }),
};

fn owner<'a>(allocation: &'a Allocation<'a>) -> Owner<'a> {
    (allocation.owner(), allocation.ifname.text().unwrap_or_default())
}

/// At the limit no further allocation can be recorded.
pub static POOL_NEAR_SIZE_LIMIT: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP215",
        name: "pool-near-size-limit",
        summary: "the object passes 1 MiB; etcd refuses it at 1.5 MiB",
        page: include_str!("IPP215-pool-near-size-limit.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let count = pool.spec.allocations.len() + pool.spec.left_out;
        if pool.spec.left_out > 0 {
            let detail =
                format!("holds {count} entries, more than can be stored: {MAX_ALLOCATIONS} were judged");
            report.invalid(PATH, "", detail);
        } else if pool.size > NEAR_SIZE_LIMIT_BYTES {
            let kib = pool.size >> 10;
            report.invalid(
                PATH,
                "",
                format!("{count} entries in {kib} KiB; etcd refuses the pool at 1536 KiB"),
            );
        }
    }),
};

/// The next pod gets the first address again, which another still uses.
pub static POOL_IN_USE_DELETED: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP601",
        name: "pool-in-use-deleted",
        summary: "a pool with allocations is deleted",
        on: &[Operation::Delete],
        denial: Denial::Never("a DELETE is never denied"),
        page: include_str!("IPP601-pool-in-use-deleted.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let count = pool.spec.allocations.len() + pool.spec.left_out;
        if count > 0 {
            let plural = if count == 1 { "allocation is" } else { "allocations are" };
            report.notice(PATH, format!("{count} {plural} in use:{}", first_owners(pool)));
        }
    }),
};

fn first_owners(pool: &Pool<'_>) -> String {
    let in_order = |(index, it): &(usize, &Allocation<'_>)| (it.offset.is_err(), it.offset.ok(), *index);
    let mut first: Vec<_> = pool.spec.allocations.iter().enumerate().collect();
    if first.len() > NAMED_OWNERS {
        // Sorting a large pool for three of its names would be a waste.
        first.select_nth_unstable_by_key(NAMED_OWNERS, in_order);
        first.truncate(NAMED_OWNERS);
    }
    first.sort_by_key(in_order);
    let mut text = String::new();
    for (_, allocation) in first {
        let owner = if allocation.owner().is_empty() { "(no podref)" } else { allocation.owner() };
        // Writing to a String cannot fail.
        let _ = write!(text, " {}", Shortened(owner));
        if let Some(address) = address_of(pool, allocation) {
            let _ = write!(text, " at {address}");
        }
        text.push(',');
    }
    text.pop();
    if pool.spec.allocations.len() > NAMED_OWNERS {
        text.push_str(", …");
    }
    text
}
