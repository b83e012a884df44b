//! IPP2xx: `spec.allocations`. Here are the rules about all entries together: IPP201, IPP204, IPP213, IPP215.

pub(super) mod entry;
pub(super) mod offset;

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::{Check, Rule, entry_path};
use crate::finding::{ErrorType, FieldPath, RuleInfo};
use crate::json::Shape;
use crate::kinds::ippool::{MAX_ALLOCATIONS, Pool};
use crate::text::Shortened;

const PATH: FieldPath<'static> = FieldPath::of("spec.allocations");

/// Size from which a pool is reported, in bytes.
const NEAR_SIZE_LIMIT_BYTES: usize = 1 << 20;

/// Size of a request that etcd refuses, in bytes (its `--max-request-bytes`).
const ETCD_LIMIT_BYTES: usize = 3 << 19;

/// The CRD requires it; a list in its place blocks the pool.
pub static ALLOCATIONS_MISSING: Rule = Rule {
    info: RuleInfo {
        id: "IPP201",
        name: "allocations-missing",
        summary: "spec.allocations is absent, null or not an object",
        page: include_str!("IPP201-allocations-missing.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        const WANTED: &str = "must be an object of offsets; a pool without allocations has {}";
        match (&pool.spec.shape, &pool.spec.allocations_shape) {
            (Shape::Unreadable, _) | (_, Shape::Object | Shape::Unreadable) => {}
            (_, Shape::Absent) => {
                report.required(PATH, WANTED);
            }
            (_, Shape::Other(found)) => {
                report.wrong_type(PATH, found.as_str(), WANTED);
            }
        }
    }),
};

/// Whereabouts keeps only one of the entries, and which one is chance.
pub static OFFSET_COLLISION: Rule = Rule {
    info: RuleInfo {
        id: "IPP204",
        name: "offset-collision",
        summary: "two keys that whereabouts reads as the same offset",
        page: include_str!("IPP204-offset-collision.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Write(|pool, stored, report| {
        if pool.spec.allocations.are_in_order() {
            return;
        }
        let readable = pool.spec.allocations.iter().filter_map(|it| Some((it.offset.ok()?, it)));
        let mut readable: Vec<_> = readable.collect();
        let offsets: HashSet<_> = readable.iter().map(|(offset, _)| offset).collect();
        if offsets.len() == readable.len() {
            return;
        }
        let stored: HashSet<_> = stored.into_iter().flat_map(keys).collect();
        // The first of two keys keeps its offset: what is stored, then what is spelled as whereabouts does.
        readable.sort_by_cached_key(|(_, it)| (!stored.contains(it.key.as_ref()), !it.key_is_canonical()));
        let mut first_of = HashMap::new();
        for (offset, allocation) in readable {
            let first = *first_of.entry(offset).or_insert(allocation);
            if !std::ptr::eq(first, allocation) {
                let detail = format!("is read as {offset}, like the key {}", Shortened(&first.key));
                let address = pool.address_of(allocation);
                report.duplicate(entry_path(allocation), allocation.key.as_ref(), detail).at(address);
            }
        }
    }),
};

fn keys<'a>(pool: &'a Pool<'_>) -> impl Iterator<Item = &'a str> {
    pool.spec.allocations.iter().map(|it| it.key.as_ref())
}

/// A second ADD of the same interface gets either address, and DEL frees only one.
pub static OWNER_TWICE: Rule = Rule {
    info: RuleInfo {
        id: "IPP213",
        name: "owner-twice",
        summary: "the same podref with the same ifname at two offsets",
        page: include_str!("IPP213-owner-twice.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let mut first_of =
            HashMap::with_capacity_and_hasher(pool.spec.allocations.len(), RandomState::default());
        for allocation in pool.spec.allocations.iter() {
            let (podref, ifname) = (allocation.owner(), allocation.ifname.text().unwrap_or_default());
            if podref.is_empty() || ifname.is_empty() {
                continue;
            }
            let first = *first_of.entry((podref, ifname)).or_insert(allocation);
            if !std::ptr::eq(first, allocation) {
                let detail = format!("already holds {} with the same ifname", entry_path(first));
                let path = entry_path(allocation).field("podref");
                report.duplicate(path, podref, detail).at(pool.address_of(allocation));
            }
        }
    }),
};

/// At the limit no further allocation can be recorded.
pub static POOL_NEAR_SIZE_LIMIT: Rule = Rule {
    info: RuleInfo {
        id: "IPP215",
        name: "pool-near-size-limit",
        summary: "the object passes 1 MiB; etcd refuses it at 1.5 MiB",
        page: include_str!("IPP215-pool-near-size-limit.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let count = pool.spec.entry_count();
        if pool.spec.truncated > 0 {
            let detail = format!(
                "{count}: must have at most {MAX_ALLOCATIONS} items, of which the first were checked"
            );
            report.too_large(PATH, ErrorType::TooMany, detail);
        } else if pool.size > NEAR_SIZE_LIMIT_BYTES {
            let share = pool.size * 100 / ETCD_LIMIT_BYTES;
            let detail =
                format!("{count} entries take {share} % of what etcd stores; past that every write fails");
            report.too_large(PATH, ErrorType::TooLong, detail);
        }
    }),
};
