//! IPP209 to IPP212, IPP214 and IPP216: the fields of one entry.

use crate::finding::{Report, RuleInfo};
use crate::json::{Field, Shape};
use crate::kinds::ippool::Allocation;
use crate::kinds::ippool::rules::well_formed::{is_ifname, is_podref};
use crate::kinds::ippool::rules::{Check, Entries, Rule, entry_path};

/// Whereabouts reads it as empty, and the CRD refuses every later write of the pool.
pub static ALLOCATION_FIELD_MISSING: Rule = Rule {
    info: RuleInfo {
        id: "IPP209",
        name: "allocation-field-missing",
        summary: "id or podref is absent, null or not a string, or the allocation is not an object",
        page: include_str!("../IPP209-allocation-field-missing.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |_, entry, report| match &entry.shape {
        Shape::Object => {
            require(entry, "id", &entry.id, report);
            require(entry, "podref", &entry.podref, report);
        }
        Shape::Other(found) => {
            report.wrong_type(entry_path(entry), found.as_str(), "must be an object with id and podref");
        }
        _ => {
            report.required(entry_path(entry), "must be an object with id and podref");
        }
    }),
};

fn require<'a>(
    entry: &'a Allocation<'a>,
    name: &'static str,
    field: &'a Field<'a>,
    report: &mut Report<'_, 'a>,
) {
    let wanted = match name {
        "id" => "must be the id of the container",
        _ => "must be namespace/name of the pod",
    };
    match field {
        Field::Text(_) => {}
        Field::Absent => {
            report.required(entry_path(entry).field(name), wanted);
        }
        Field::Other(found) => {
            report.wrong_type(entry_path(entry).field(name), found.as_str(), wanted);
        }
    }
}

/// The reconciler takes the pod for dead and frees the address while it is in use.
pub static PODREF_MALFORMED: Rule = Rule {
    info: RuleInfo {
        id: "IPP210",
        name: "podref-malformed",
        summary: "podref is neither empty nor namespace/name in valid DNS names",
        page: include_str!("../IPP210-podref-malformed.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |_, entry, report| {
        let podref = entry.owner();
        if !podref.is_empty() && !is_podref(podref) {
            let detail = "must be namespace/name of the pod, or the address is freed";
            report.invalid(entry_path(entry).field("podref"), podref, detail);
        }
    }),
};

/// Never reclaimed: right for a reservation by hand, a leak otherwise.
pub static PODREF_EMPTY: Rule = Rule {
    info: RuleInfo {
        id: "IPP211",
        name: "podref-empty",
        summary: "podref is empty, so that the address is never reclaimed",
        page: include_str!("../IPP211-podref-empty.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |_, entry, report| {
        if entry.podref.text() == Some("") {
            let detail = "is never reclaimed; right only for a reservation by hand";
            report.invalid(entry_path(entry).field("podref"), "", detail);
        }
    }),
};

/// The release looks for the id of the container and does not find the entry.
pub static ID_EMPTY: Rule = Rule {
    info: RuleInfo {
        id: "IPP212",
        name: "id-empty",
        summary: "id is empty, so that the release of the container cannot find it",
        page: include_str!("../IPP212-id-empty.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |_, entry, report| {
        if entry.id.text() == Some("") {
            report.invalid(
                entry_path(entry).field("id"),
                "",
                "cannot be found when the container is released",
            );
        }
    }),
};

/// No interface can have this name, so that the release does not find the entry.
pub static IFNAME_MALFORMED: Rule = Rule {
    info: RuleInfo {
        id: "IPP214",
        name: "ifname-malformed",
        summary: "ifname is not the name of a Linux network interface",
        page: include_str!("../IPP214-ifname-malformed.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Entry(Entries::Malformed, |_, entry, report| {
        const WANTED: &str = "must be an interface name: 1 to 15 bytes, no /, : or whitespace";
        match &entry.ifname {
            Field::Absent => {}
            Field::Text(name) if is_ifname(name) => {}
            Field::Text(name) => {
                report.invalid(entry_path(entry).field("ifname"), name.as_ref(), WANTED);
            }
            Field::Other(found) => {
                report.wrong_type(entry_path(entry).field("ifname"), found.as_str(), WANTED);
            }
        }
    }),
};

/// No pod can have an address on it beside the loopback address.
pub static IFNAME_RESERVED: Rule = Rule {
    info: RuleInfo {
        id: "IPP216",
        name: "ifname-reserved",
        summary: "ifname is lo, the loopback interface of every network namespace",
        page: include_str!("../IPP216-ifname-reserved.md"),
        ..RuleInfo::WARN_ON_WRITE
    },
    check: Check::Entry(Entries::All, |_, entry, report| {
        if entry.ifname.text() == Some("lo") {
            let detail = "must not be lo: every network namespace has it already";
            report.invalid(entry_path(entry).field("ifname"), "lo", detail);
        }
    }),
};
