//! IPP202, IPP203, IPP205 to IPP208: the key of an allocation by itself.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Check, PoolRule};
use crate::path::FieldPath;
use crate::pool::{Allocation, Pool, Unreadable};
use crate::report::Rule;

/// Whereabouts skips the key, takes its address for free and erases the entry with its next write.
pub static OFFSET_NOT_A_NUMBER: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP202",
        name: "offset-not-a-number",
        summary: "a key of spec.allocations that whereabouts cannot read as a number",
        page: include_str!("IPP202-offset-not-a-number.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Allocation(|pool, allocation, report| {
        if allocation.offset == Err(Unreadable::NotANumber) {
            let detail = match address_as_key(pool, &allocation.key) {
                Some((address, offset)) => {
                    let base = other_base(pool);
                    format!("must be an offset: {address} is offset {offset}{base}").into()
                }
                None => Cow::Borrowed("must be a decimal number, counted from the address of spec.range"),
            };
            report.invalid(place(allocation), allocation.key.as_ref(), detail);
        }
    }),
};

/// Whereabouts writes the key back as a plain number; a manifest that is applied again then adds its own key
/// beside that one.
pub static OFFSET_NOT_CANONICAL: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP203",
        name: "offset-not-canonical",
        summary: "a number spelled with a sign or leading zeros",
        page: include_str!("IPP203-offset-not-canonical.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Allocation(|pool, allocation, report| {
        if let Ok(offset) = allocation.offset
            && !allocation.key_is_canonical()
        {
            let detail = format!("must be written {offset}{}", other_base(pool));
            report.invalid(place(allocation), allocation.key.as_ref(), detail);
        }
    }),
};

/// Whereabouts finds no address for it, and every later write of the pool fails or moves the entry.
pub static OFFSET_NEGATIVE: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP205",
        name: "offset-negative",
        summary: "an offset below 0",
        page: include_str!("IPP205-offset-negative.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Allocation(|_, allocation, report| {
        if let Ok(offset @ ..0) = allocation.offset {
            report.invalid(place(allocation), offset.to_string(), "must be greater than or equal to 0");
        }
    }),
};

/// An address that belongs to another network, or to none.
pub static OFFSET_OUT_OF_RANGE: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP206",
        name: "offset-out-of-range",
        summary: "an offset whose address lies outside spec.range",
        page: include_str!("IPP206-offset-out-of-range.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Allocation(|pool, allocation, report| {
        let (Some(range), Ok(offset @ 0..)) = (pool.range(), allocation.offset) else { return };
        if range.holds(offset) {
            return;
        }
        let network = range.network();
        let detail = match range.last_offset() {
            Some(last) => format!("must be at most {last}, the last offset in {network}{}", other_base(pool)),
            None => format!("must not be there: no address is inside {network}"),
        };
        report.invalid(place(allocation), offset.to_string(), detail);
    }),
};

/// Written by whereabouts itself in wide IPv6 ranges, and skipped by it when it reads the pool.
pub static OFFSET_UNREADABLE: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP207",
        name: "offset-unreadable",
        summary: "an offset past 2^63-1, which whereabouts skips",
        page: include_str!("IPP207-offset-unreadable.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Allocation(|_, allocation, report| {
        if allocation.offset == Err(Unreadable::TooLarge) {
            let detail = if allocation.key.starts_with('-') {
                Cow::Borrowed("must be greater than or equal to 0")
            } else {
                format!("must be at most {}: whereabouts skips it", i64::MAX).into()
            };
            report.invalid(place(allocation), allocation.key.as_ref(), detail);
        }
    }),
};

/// Whereabouts hands these out no longer; old versions did, and people reserve them.
pub static OFFSET_ON_EDGE_ADDRESS: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP208",
        name: "offset-on-edge-address",
        summary: "an offset of the network or broadcast address",
        page: include_str!("IPP208-offset-on-edge-address.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Allocation(|pool, allocation, report| {
        let (Some(range), Ok(offset)) = (pool.range(), allocation.offset) else { return };
        if let Some(edge) = range.edge_at(offset) {
            let detail = format!("must not be the {edge} address of {}", range.network());
            report.invalid(place(allocation), offset.to_string(), detail);
        }
    }),
};

/// `spec.allocations[key]`.
pub(super) fn place<'a>(allocation: &'a Allocation<'a>) -> FieldPath<'a> {
    FieldPath::entry("spec.allocations", &allocation.key, allocation.offset.ok())
}

/// From where an offset counts, where that is not the network: IPP104 gives the number for the network.
fn other_base(pool: &Pool<'_>) -> String {
    let range = pool.range().filter(|range| range.host_bits() != 0);
    range.map(|range| format!(", counted from {}", range.base())).unwrap_or_default()
}

/// The address somebody wrote in place of its offset, if it is inside the range.
fn address_as_key(pool: &Pool<'_>, key: &str) -> Option<(IpAddr, i64)> {
    let address = key.parse().ok()?;
    Some((address, pool.range()?.offset_of(address)?))
}
