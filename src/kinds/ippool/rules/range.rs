//! IPP1xx: `spec.range`.

use std::collections::HashMap;
use std::net::IpAddr;

use super::cidr_hint::hint;
use super::{Check, Rule};
use crate::finding::{FieldPath, List, Operation, RuleInfo};
use crate::json::{Field, Shape};
use crate::kinds::ippool::{Allocation, Pool, Range};
use crate::text::Quoted;

const PATH: FieldPath<'static> = FieldPath::of("spec.range");

/// A pool without a range belongs to no network.
pub static RANGE_MISSING: Rule = Rule {
    info: RuleInfo {
        id: "IPP101",
        name: "range-missing",
        summary: "spec or spec.range is absent, null, empty or not a string",
        page: include_str!("IPP101-range-missing.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        const WANTED: &str = "must be the network in CIDR notation, for example 10.0.0.0/24";
        match (&pool.spec.shape, &pool.spec.range) {
            (Shape::Absent, _) => {
                report.required(FieldPath::of("spec"), "must hold range and allocations");
            }
            (Shape::Other(found), _) => {
                report.wrong_type(FieldPath::of("spec"), found.as_str(), "must be an object");
            }
            (Shape::Unreadable, _) => {
                let why = &pool.spec.why_unreadable;
                report.invalid(FieldPath::of("spec"), "", format!("the object cannot be read: {why}"));
            }
            (Shape::Object, Field::Absent) => {
                report.required(PATH, WANTED);
            }
            (Shape::Object, Field::Text(text)) if text.is_empty() => {
                report.required(PATH, WANTED);
            }
            (Shape::Object, Field::Other(found)) => {
                report.wrong_type(PATH, found.as_str(), WANTED);
            }
            (Shape::Object, Field::Text(_)) => {}
        }
    }),
};

/// Whereabouts cannot read the pool at all, and its reconciler stops for the whole cluster.
pub static RANGE_NOT_CIDR: Rule = Rule {
    info: RuleInfo {
        id: "IPP102",
        name: "range-not-cidr",
        summary: "Go's net.ParseCIDR rejects spec.range, so whereabouts cannot read the pool",
        page: include_str!("IPP102-range-not-cidr.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let text = pool.spec.range.text().unwrap_or_default();
        if !text.is_empty() && pool.range().is_none() {
            report.invalid(PATH, text, format!("must be a valid CIDR value, {}", hint(text)));
        }
    }),
};

/// The same network in another spelling than whereabouts and every tool that looks the pool up use.
pub static RANGE_NOT_CANONICAL: Rule = Rule {
    info: RuleInfo {
        id: "IPP103",
        name: "range-not-canonical",
        summary: "spec.range spells its network in an unusual way",
        normalized: true,
        page: include_str!("IPP103-range-not-canonical.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let Some((text, range)) = readable(pool) else { return };
        if range.host_bits() == 0 && !range.is_mapped_too_wide() && text != range.network().to_string() {
            report.invalid(PATH, text, format!("must be written {}", range.network()));
        }
    }),
};

/// Whereabouts counts from the address as written and writes back mirrored offsets.
pub static RANGE_HOST_BITS: Rule = Rule {
    info: RuleInfo {
        id: "IPP104",
        name: "range-host-bits",
        summary: "the address of spec.range has bits set past the prefix",
        normalized: true,
        page: include_str!("IPP104-range-host-bits.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Write(|pool, stored, report| {
        let Some((text, range)) = readable(pool) else { return };
        if range.host_bits() == 0 {
            return;
        }
        let network = range.network();
        let offsets = canonical_offsets(range, &entries_brought_in(pool, stored));
        if stored.is_some_and(|stored| stored.spec.range == pool.spec.range) {
            let detail =
                format!("must be \"{network}\", with every offset rewritten; `check --diff` shows how");
            report.invalid(PATH, text, detail);
        } else if offsets.total() == 0 {
            report.invalid(PATH, text, format!("must be \"{network}\", from which offsets count"));
        } else {
            let detail = format!("must be \"{network}\", from which offsets count: ");
            report.invalid(PATH, text, detail).listing(offsets);
        }
    }),
};

/// The entries that are not stored, under the same key and the same in every field.
fn entries_brought_in<'a>(pool: &'a Pool<'_>, stored: Option<&Pool<'_>>) -> Vec<&'a Allocation<'a>> {
    let stored = stored.into_iter().flat_map(|stored| stored.spec.allocations.iter());
    let stored: HashMap<_, _> = stored.map(|it| (it.key.as_ref(), it)).collect();
    let is_new = |it: &&Allocation<'_>| stored.get(it.key.as_ref()) != Some(it);
    let mut entries: Vec<_> = pool.spec.allocations.iter().filter(is_new).collect();
    entries.sort_by_key(|it| it.offset.ok());
    entries
}

/// For each entry inside the range the offset of the same address, counted from the network.
fn canonical_offsets(range: &Range, entries: &[&Allocation<'_>]) -> List {
    let canonical = range.canonical();
    let mut list = List::default();
    for entry in entries {
        let address = entry.offset.ok().and_then(|offset| range.address_at(offset));
        let Some(address) = address.filter(|address| range.contains(*address)) else { continue };
        let key = Quoted(&entry.key);
        list.push(|| match canonical.offset_of(address) {
            Some(offset) => format!("{key} becomes \"{offset}\" ({address})"),
            None => format!("{key} ({address}) is past the last offset that whereabouts reads"),
        });
    }
    list
}

/// Whereabouts creates such a pool and then cannot allocate from it.
pub static RANGE_WITHOUT_USABLE_ADDRESS: Rule = Rule {
    info: RuleInfo {
        id: "IPP105",
        name: "range-without-usable-address",
        summary: "a /31, /32, /127 or /128: whereabouts cannot allocate from it",
        operations: &[Operation::Create],
        page: include_str!("IPP105-range-without-usable-address.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let Some((text, range)) = readable(pool) else { return };
        if !range.has_usable_addresses() {
            let longest = range.network().max_prefix_len() - 2;
            report.invalid(
                PATH,
                text,
                format!("must be /{longest} or shorter: whereabouts cannot allocate from this range"),
            );
        }
    }),
};

/// The base is IPv4 and the network IPv6, so that no address is inside.
pub static RANGE_MAPPED_TOO_WIDE: Rule = Rule {
    info: RuleInfo {
        id: "IPP106",
        name: "range-mapped-too-wide",
        summary: "an IPv4-mapped address with a prefix shorter than /96: no address is inside",
        page: include_str!("IPP106-range-mapped-too-wide.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let Some((text, range)) = readable(pool) else { return };
        if range.is_mapped_too_wide() {
            const DETAIL: &str = "must have a prefix of /96 or longer: \
                an IPv4-mapped address is read as IPv4, and none is inside this network";
            report.invalid(PATH, text, DETAIL);
        }
    }),
};

/// Offsets have 64 bits; the upper bits of an address in such a range are lost.
pub static RANGE_WIDER_THAN_OFFSETS: Rule = Rule {
    info: RuleInfo {
        id: "IPP107",
        name: "range-wider-than-offsets",
        summary: "IPv6 shorter than /64: whereabouts keeps only 64 bits of an offset",
        operations: &[Operation::Create],
        page: include_str!("IPP107-range-wider-than-offsets.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Pool(|pool, report| {
        let Some((text, range)) = readable(pool) else { return };
        let is_ipv6 = matches!(range.base(), IpAddr::V6(_));
        if is_ipv6 && range.network().prefix_len() < 64 {
            report.invalid(PATH, text, "must be /64 or longer: whereabouts keeps only 64 bits of an offset");
        }
    }),
};

fn readable<'a>(pool: &'a Pool<'a>) -> Option<(&'a str, &'a Range)> {
    Some((pool.spec.range.text()?, pool.range()?))
}
