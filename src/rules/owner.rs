//! IPP209 to IPP212 and IPP214: who holds an address.

use super::key::place;
use super::{Check, PoolRule};
use crate::pool::{Allocation, Field, Shape};
use crate::report::{Report, Rule};

/// The longest name of a Linux network interface in bytes (`IFNAMSIZ` less the closing 0).
const MAX_IFNAME_BYTES: usize = 15;
/// The longest DNS label in bytes (RFC 1123); a namespace is one.
const MAX_LABEL_BYTES: usize = 63;
/// The longest DNS name in bytes (RFC 1123); a pod's name is one.
const MAX_NAME_BYTES: usize = 253;

/// Whereabouts reads it as empty, and the CRD refuses every later write of the pool.
pub static ALLOCATION_FIELD_MISSING: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP209",
        name: "allocation-field-missing",
        summary: "id or podref is absent, null or not a string, or the allocation is not an object",
        page: include_str!("IPP209-allocation-field-missing.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Allocation(|_, allocation, report| match &allocation.shape {
        Shape::Object => {
            require(allocation, "id", &allocation.id, report);
            require(allocation, "podref", &allocation.podref, report);
        }
        Shape::Other(found) => {
            report.wrong_type(place(allocation), found.as_str(), "must be an object with id and podref");
        }
        _ => {
            report.required(place(allocation), "must be an object with id and podref");
        }
    }),
};

fn require<'a>(
    allocation: &'a Allocation<'a>,
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
        Field::Absent | Field::Null => {
            report.required(place(allocation).field(name), wanted);
        }
        Field::Other(found) => {
            report.wrong_type(place(allocation).field(name), found.as_str(), wanted);
        }
    }
}

/// The reconciler takes the pod for dead and frees the address while it is in use.
pub static PODREF_MALFORMED: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP210",
        name: "podref-malformed",
        summary: "podref is neither empty nor namespace/name in valid DNS names",
        page: include_str!("IPP210-podref-malformed.md"),
        ..Rule::DENY_ON_WRITE
    },
    check: Check::Allocation(|_, allocation, report| {
        let podref = allocation.owner();
        if !podref.is_empty() && !is_podref(podref) {
            let detail = "must be namespace/name of the pod, or the address is freed";
            report.invalid(place(allocation).field("podref"), podref, detail);
        }
    }),
};

/// Never reclaimed: right for a reservation by hand, a leak otherwise.
pub static PODREF_EMPTY: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP211",
        name: "podref-empty",
        summary: "podref is empty, so that the address is never reclaimed",
        page: include_str!("IPP211-podref-empty.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Allocation(|_, allocation, report| {
        if allocation.podref.text() == Some("") {
            let detail = "is never reclaimed; right only for a reservation by hand";
            report.invalid(place(allocation).field("podref"), "", detail);
        }
    }),
};

/// The release looks for the id of the container and does not find the entry.
pub static ID_EMPTY: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP212",
        name: "id-empty",
        summary: "id is empty, so that the release of the container cannot find it",
        page: include_str!("IPP212-id-empty.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Allocation(|_, allocation, report| {
        if allocation.id.text() == Some("") {
            report.invalid(
                place(allocation).field("id"),
                "",
                "cannot be found when the container is released",
            );
        }
    }),
};

/// No interface can have this name, so that the release does not find the entry.
pub static IFNAME_MALFORMED: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP214",
        name: "ifname-malformed",
        summary: "ifname is not the name of a Linux network interface",
        page: include_str!("IPP214-ifname-malformed.md"),
        ..Rule::WARN_ON_WRITE
    },
    check: Check::Allocation(|_, allocation, report| {
        const WANTED: &str = "must be an interface name: 1 to 15 bytes, no slash, colon or blank";
        match &allocation.ifname {
            Field::Absent | Field::Null => {}
            Field::Text(name) if is_ifname(name) => {}
            Field::Text(name) => {
                report.invalid(place(allocation).field("ifname"), name.as_ref(), WANTED);
            }
            Field::Other(found) => {
                report.wrong_type(place(allocation).field("ifname"), found.as_str(), WANTED);
            }
        }
    }),
};

/// `namespace/name` as Kubernetes allows them.
pub(super) fn is_podref(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(slash) = bytes.iter().position(|byte| !is_label_byte(*byte)) else { return false };
    let (namespace, name) = (&bytes[..slash], &bytes[slash + 1..]);
    bytes[slash] == b'/'
        && namespace.len() <= MAX_LABEL_BYTES
        && is_closed(namespace)
        && name.len() <= MAX_NAME_BYTES
        && if have_label_bytes_alone(name) {
            is_closed(name)
        } else {
            name.split(|byte| *byte == b'.').all(|label| is_closed(label) && have_label_bytes_alone(label))
        }
}

/// Whether the bytes of a label begin and end with one that is no dash (RFC 1123).
fn is_closed(label: &[u8]) -> bool {
    label.first().is_some_and(|first| *first != b'-') && label.last().is_some_and(|last| *last != b'-')
}

/// Whether these bytes are such as a label has. They are looked at in blocks, of which the processor takes
/// one at once; the last block may overlap the one before.
fn have_label_bytes_alone(bytes: &[u8]) -> bool {
    const BLOCK: usize = 16;
    let fits = |block: &[u8; BLOCK]| block.iter().fold(true, |fits, byte| fits & is_label_byte(*byte));
    match bytes.last_chunk() {
        Some(last) => fits(last) && bytes.as_chunks().0.iter().all(fits),
        None => bytes.iter().all(|byte| is_label_byte(*byte)),
    }
}

/// A lower-case letter, a digit or a dash.
fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'-')
}

/// What Linux accepts (`dev_valid_name`).
pub(super) fn is_ifname(name: &str) -> bool {
    (1..=MAX_IFNAME_BYTES).contains(&name.len())
        && name != "."
        && name != ".."
        && !name
            .bytes()
            .any(|byte| matches!(byte, b'/' | b':' | b'\0' | b'\x0b') || byte.is_ascii_whitespace())
}
