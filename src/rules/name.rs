//! IPP401: the name, by which alone whereabouts finds a pool.

use super::{Check, PoolRule};
use crate::path::FieldPath;
use crate::pool::Pool;
use crate::range::Range;
use crate::report::{Operation, Rule, Severity};

/// The longest name the apiserver accepts, in bytes; it says so itself, and before this webhook is asked.
const MAX_NAME_BYTES: usize = 253;

/// Whereabouts finds the pool by its name and records the addresses of another network in it.
pub static NAME_CONTRADICTS_RANGE: PoolRule = PoolRule {
    rule: Rule {
        id: "IPP401",
        name: "name-contradicts-range",
        summary: "metadata.name ends in another CIDR than spec.range, or in none",
        on: &[Operation::Create],
        severity: Severity::Deny,
        normalized: false,
        page: include_str!("IPP401-name-contradicts-range.md"),
    },
    check: Check::Pool(|pool, report| {
        let path = FieldPath::of("metadata.name");
        let Some(range) = pool.range().filter(|range| !range.is_mapped_too_wide()) else { return };
        let (Some(name), expected) = (name(pool), name_of(range)) else { return };
        if name.len() > MAX_NAME_BYTES || ends_in(name, &expected) || ends_in(name, &old_name_of(range)) {
            return;
        }
        match range_in(name) {
            Some(named) if named.network() == range.network() => {}
            Some(named) => {
                let detail =
                    format!("must end in {expected}: this is the name of the pool of {}", named.network());
                report.invalid(path, name, detail);
            }
            None => {
                report.invalid(
                    path,
                    name,
                    format!("must end in {expected}, or whereabouts never looks it up"),
                );
                report.only_warns();
            }
        }
    }),
};

/// The name, or what the apiserver will make it from.
fn name<'a>(pool: &'a Pool<'a>) -> Option<&'a str> {
    pool.metadata.name.text().or_else(|| pool.metadata.generate_name.text()).filter(|name| !name.is_empty())
}

/// How whereabouts since 0.4 names the pool of a range: `10.0.0.0-24`, `fd00-1---64`.
fn name_of(range: &Range) -> String {
    range.network().to_string().replace([':', '/'], "-")
}

/// How whereabouts 0.3 did: two colons became one dash.
fn old_name_of(range: &Range) -> String {
    range.network().to_string().replace("::", "-").replace('/', "-")
}

/// Whether the name is `suffix`, or a network or node name, a dash and `suffix`.
fn ends_in(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
}

/// The longest range that the last parts of the name spell. An IPv6 range has to start with digits here:
/// the dashes in front of `::` could as well belong to the name of the network.
fn range_in(name: &str) -> Option<Range> {
    let (address, prefix) = name.rsplit_once('-')?;
    let parts = std::iter::once(0).chain(address.match_indices('-').map(|(dash, _)| dash + 1));
    parts
        .map(|start| &address[start..])
        .filter(|address| !address.starts_with('-'))
        .find_map(|address| Range::parse(&format!("{}/{prefix}", address.replace('-', ":"))).ok())
}
