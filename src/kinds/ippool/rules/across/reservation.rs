//! IPP503: allocations and reservations that do not match.

use std::net::IpAddr;

use super::facts::{Facts, Reserved};
use super::pool_facts::PoolFacts;
use super::{AUDIT, Across, Findings, Object, entry_path};
use crate::finding::{FieldPath, RuleInfo};
use crate::kinds::ippool::cluster::{Moment, Reservations, listed, name_of, readings};
use crate::kinds::ippool::rules::{Check, Rule};
use crate::text::Quoted;

const KIND: &str = "OverlappingRangeIPReservation";

/// Another pool can hand out the address, or none can.
pub static RESERVATION_MISMATCH: Rule = Rule {
    info: RuleInfo {
        id: "IPP503",
        name: "reservation-mismatch",
        summary: "an allocation without its OverlappingRangeIPReservation, or the reverse",
        page: include_str!("../IPP503-reservation-mismatch.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: KIND,
        is_momentary: true,
        check: |facts, findings| {
            let mut gap = None;
            for pool in &facts.pools {
                let Some(true) = uses_reservations(facts, pool) else { continue };
                match facts.gap_in_reservations(pool) {
                    None => check_pool(facts, pool, findings),
                    why => gap = why,
                }
            }
            for (namespace, reservations) in &facts.cluster.reservations {
                if facts.cluster.read.pools.has(namespace) {
                    check_reservations(facts, namespace, reservations, findings);
                } else {
                    gap = facts.cluster.read.pools.gap("IPPool");
                }
            }
            gap.into_iter().for_each(|why| findings.not_done(why));
        },
    }),
};

/// Whether the addresses of a pool are reserved beside it. Without a configuration, one reservation is enough evidence.
fn uses_reservations(facts: &Facts<'_>, pool: &PoolFacts<'_>) -> Option<bool> {
    if !pool.leads.is_empty() && (facts.leads.gaps.is_empty() || pool.reserves() != Some(true)) {
        return pool.reserves();
    }
    let is_reserved = |entry| {
        let address = pool.pool.address(entry)?;
        Some(facts.reserved(pool, entry, address) == Reserved::Yes)
    };
    pool.pool.entries.iter().any(|entry| is_reserved(entry) == Some(true)).then_some(true)
}

fn check_pool<'a>(facts: &'a Facts<'a>, pool: &PoolFacts<'a>, findings: &mut Findings<'_, 'a>) {
    for (index, entry) in pool.pool.entries.iter().enumerate() {
        let owner = facts.owner(entry);
        // An address that is reserved by hand has no reservation, and that of a claim may have another owner.
        if owner.is_empty() || entry.has_claim {
            continue;
        }
        let Some(address) = pool.pool.address(entry) else { continue };
        let name = name_of(pool.networks.first().copied().unwrap_or_default(), address);
        let detail = match facts.reserved(pool, entry, address) {
            Reserved::Yes => continue,
            Reserved::No => format!("must have the {KIND} {name}"),
            Reserved::ForOther(other) => {
                format!("must have the {KIND} {name}, which is for {}", Quoted(other))
            }
        };
        findings.on(&Object::pool(pool.pool), entry.id, |report| {
            let path = entry_path(pool.pool, index).field("podref");
            report.invalid(path, owner, dated(facts, detail)).at(Some(address));
        });
    }
}

fn check_reservations<'a>(
    facts: &'a Facts<'a>,
    namespace: &'a str,
    reservations: &'a Reservations,
    findings: &mut Findings<'_, 'a>,
) {
    for (name, number) in &reservations.without_address {
        let object = Object { kind: KIND, namespace, name: name.as_ref().into() };
        findings.on(&object, reservations.stamp(*number), |report| {
            let detail = "must end in an address, with - in place of :";
            report.invalid(FieldPath::of("metadata.name"), name.as_ref(), detail);
        });
    }
    let of_namespace = facts.pools.iter().map(|it| it.pool).filter(|it| it.meta.namespace == namespace);
    let unreadable: Vec<_> =
        of_namespace.filter(|it| it.range.is_none()).map(|it| it.meta.name.as_str()).collect();
    let mut has_unknown = false;
    for reservation in &reservations.reservations {
        let name = reservations.name(reservation, &facts.cluster.names);
        let has = |(network, address): (&str, IpAddr)| has_allocation(facts, namespace, network, address);
        if readings(&name).any(has) {
            continue;
        }
        if !unreadable.is_empty() {
            has_unknown = true;
            continue;
        }
        let owner = reservation.owner.map(|owner| facts.cluster.names.text(owner)).unwrap_or_default();
        let object = Object { kind: KIND, namespace, name: name.clone().into() };
        findings.on(&object, reservations.stamp(reservation.number), |report| {
            let detail = format!("must have an allocation for {} in a pool", Quoted(owner));
            let address = Some(reservation.address());
            report.invalid(FieldPath::of("metadata.name"), name, dated(facts, detail)).at(address);
        });
    }
    if has_unknown {
        let pools = listed(&unreadable);
        findings.not_done(format!("pools whose range cannot be read may hold any address: {pools}"));
    }
}

/// Whether a pool of the network holds the address, or may hold it, or does not need its reservation any more.
fn has_allocation(facts: &Facts<'_>, namespace: &str, network: &str, address: IpAddr) -> bool {
    let pools = facts.containing_in(network, address).filter(|it| it.pool.meta.namespace == namespace);
    let (mut is_known, mut is_needed) = (false, false);
    for pool in pools {
        if pool.pool.is_truncated || pool.pool.holds(address) {
            return true;
        }
        is_known = true;
        is_needed |= pool.reserves() != Some(false);
    }
    is_known && !is_needed
}

/// The text, with a sentence about the age of the lists.
fn dated(facts: &Facts<'_>, detail: String) -> String {
    match facts.cluster.read.moment {
        Moment::Live => detail,
        Moment::Dump => detail + "; the lists of a dump may be of different moments",
    }
}
