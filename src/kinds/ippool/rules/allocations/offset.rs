//! IPP202, IPP203 and IPP205 to IPP208: the key of one entry.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::finding::RuleInfo;
use crate::kinds::ippool::rules::{Check, Entries, Rule, entry_path};
use crate::kinds::ippool::{Pool, Unreadable};

/// Whereabouts skips the key, takes its address for free and erases the entry with its next write.
pub static OFFSET_NOT_A_NUMBER: Rule = Rule {
    info: RuleInfo {
        id: "IPP202",
        name: "offset-not-a-number",
        summary: "a key of spec.allocations that whereabouts cannot read as a number",
        page: include_str!("../IPP202-offset-not-a-number.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |pool, entry, report| {
        if entry.offset == Err(Unreadable::NotANumber) {
            let detail = match address_as_key(pool, &entry.key) {
                Some((address, offset)) => {
                    let base = other_base(pool);
                    format!("must be an offset: {address} is offset {offset}{base}").into()
                }
                None => Cow::Borrowed("must be a decimal number, counted from the address of spec.range"),
            };
            report.invalid(entry_path(entry), entry.key.as_ref(), detail);
        }
    }),
};

/// Whereabouts writes the key back as a plain number; a manifest that is applied again then adds its own key
/// beside that one.
pub static OFFSET_NOT_CANONICAL: Rule = Rule {
    info: RuleInfo {
        id: "IPP203",
        name: "offset-not-canonical",
        summary: "a number spelled with a sign or leading zeros",
        page: include_str!("../IPP203-offset-not-canonical.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |pool, entry, report| {
        if let Ok(offset) = entry.offset
            && !entry.key_is_canonical()
        {
            let detail = format!("must be written {offset}{}", other_base(pool));
            report.invalid(entry_path(entry), entry.key.as_ref(), detail);
        }
    }),
};

/// Whereabouts finds no address for it, and every later write of the pool fails or moves the entry.
pub static OFFSET_NEGATIVE: Rule = Rule {
    info: RuleInfo {
        id: "IPP205",
        name: "offset-negative",
        summary: "an offset below 0",
        page: include_str!("../IPP205-offset-negative.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |_, entry, report| {
        if let Ok(offset @ ..0) = entry.offset {
            report.invalid(entry_path(entry), offset.to_string(), "must be greater than or equal to 0");
        }
    }),
};

/// An address that belongs to another network, or to none.
pub static OFFSET_OUT_OF_RANGE: Rule = Rule {
    info: RuleInfo {
        id: "IPP206",
        name: "offset-out-of-range",
        summary: "an offset whose address lies outside spec.range",
        page: include_str!("../IPP206-offset-out-of-range.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |pool, entry, report| {
        let (Some(range), Ok(offset @ 0..)) = (pool.range(), entry.offset) else { return };
        if range.holds(offset) {
            return;
        }
        let network = range.network();
        let detail = match range.last_offset() {
            Some(last) => format!("must be at most {last}, the last offset in {network}{}", other_base(pool)),
            None => format!("must not be there: no address is inside {network}"),
        };
        report.invalid(entry_path(entry), offset.to_string(), detail);
    }),
};

/// Written by whereabouts itself in wide IPv6 ranges, and skipped by it when it reads the pool.
pub static OFFSET_UNREADABLE: Rule = Rule {
    info: RuleInfo {
        id: "IPP207",
        name: "offset-unreadable",
        summary: "an offset past 2^63-1, which whereabouts skips",
        page: include_str!("../IPP207-offset-unreadable.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |_, entry, report| {
        if entry.offset == Err(Unreadable::TooLarge) {
            let detail = if entry.key.starts_with('-') {
                Cow::Borrowed("must be greater than or equal to 0")
            } else {
                format!("must be at most {}: whereabouts skips it", i64::MAX).into()
            };
            report.invalid(entry_path(entry), entry.key.as_ref(), detail);
        }
    }),
};

/// Whereabouts hands these out no longer; old versions did, and people reserve them.
pub static OFFSET_ON_EDGE_ADDRESS: Rule = Rule {
    info: RuleInfo {
        id: "IPP208",
        name: "offset-on-edge-address",
        summary: "an offset of the network or broadcast address",
        page: include_str!("../IPP208-offset-on-edge-address.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |pool, entry, report| {
        let (Some(range), Ok(offset)) = (pool.range(), entry.offset) else { return };
        if let Some(edge) = range.edge_at(offset) {
            let detail = format!("must not be the {edge} address of {}", range.network());
            report.invalid(entry_path(entry), offset.to_string(), detail);
        }
    }),
};

/// The address from which an offset counts, where that is not the network: IPP104 gives the number for the network.
fn other_base(pool: &Pool<'_>) -> String {
    let range = pool.range().filter(|range| range.host_bits() != 0);
    range.map(|range| format!(", counted from {}", range.base())).unwrap_or_default()
}

/// The address somebody wrote in place of its offset, if it is inside the range.
fn address_as_key(pool: &Pool<'_>, key: &str) -> Option<(IpAddr, i64)> {
    let address = key.parse().ok()?;
    Some((address, pool.range()?.offset_of(address)?))
}
