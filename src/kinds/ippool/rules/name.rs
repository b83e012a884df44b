//! IPP4xx: `metadata.name`, the only thing by which whereabouts finds a pool.

use ipnet::IpNet;

use super::{Check, Rule};
use crate::finding::{FieldPath, RuleInfo};
use crate::kinds::ippool::{Pool, Range};

/// The longest name the apiserver accepts, in bytes; it says so itself, and before this webhook is asked.
const MAX_NAME_BYTES: usize = 253;

/// Whereabouts finds the pool by its name and records the addresses of another network in it, or never looks
/// it up and makes a second pool.
pub static NAME_CONTRADICTS_RANGE: Rule = Rule {
    info: RuleInfo {
        id: "IPP401",
        name: "name-contradicts-range",
        summary: "metadata.name ends in another CIDR, in the range spelled otherwise, or in none",
        page: include_str!("IPP401-name-contradicts-range.md"),
        ..RuleInfo::DENY_ON_WRITE
    },
    check: Check::Write(|pool, stored, report| {
        const PATH: FieldPath<'static> = FieldPath::of("metadata.name");
        let (Some(name), Some(range)) = (name(pool), pool.range()) else { return };
        let before = stored.and_then(Pool::range).map(Range::network);
        if before == Some(range.network()) || range.is_mapped_too_wide() || name.len() > MAX_NAME_BYTES {
            return;
        }
        let expected = name_of(range);
        match Suffix::of(name, range, &expected) {
            Suffix::Agrees => {}
            Suffix::Misspelled { prefix } => {
                let detail = format!("must be {prefix}{expected}, or whereabouts never looks it up");
                report.invalid(PATH, name, detail);
            }
            Suffix::Other(network) if stored.is_some() => {
                let detail = format!(
                    "must stay the pool of {network}: \
                     a network is widened or moved in its network attachment definition"
                );
                report.invalid(PATH, name, detail);
            }
            Suffix::Other(network) => {
                let detail = format!("must end in {expected}: this is the name of the pool of {network}");
                report.invalid(PATH, name, detail);
            }
            Suffix::None => {
                let detail = format!("must end in {expected}, or whereabouts never looks it up");
                report.invalid(PATH, name, detail).as_warning();
            }
        }
    }),
};

/// What the end of a name says of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suffix<'n> {
    /// It is the range, as whereabouts spells it.
    Agrees,
    /// It is the same network in another spelling, after this prefix.
    Misspelled { prefix: &'n str },
    /// It is another network.
    Other(IpNet),
    /// It is not a range at all.
    None,
}

impl<'n> Suffix<'n> {
    /// `expected` is how whereabouts spells the range.
    fn of(name: &'n str, range: &Range, expected: &str) -> Self {
        if ends_in(name, expected) {
            return Self::Agrees;
        }
        let same = ranges_in(name).find(|(_, named)| named.network() == range.network());
        match (same, ranges_in(name).next()) {
            // Whereabouts masks the range of an unnamed network only.
            (Some((prefix, named)), _)
                if !prefix.is_empty() && name.strip_prefix(prefix) == Some(&spelled(&named)) =>
            {
                Self::Agrees
            }
            (Some((prefix, _)), _) => Self::Misspelled { prefix },
            (None, Some((_, other))) => Self::Other(other.network()),
            (None, None) => Self::None,
        }
    }
}

/// What the name of a pool of `range` has before the CIDR that it ends in; `None` where it ends in none.
pub(super) fn prefix<'n>(name: &'n str, range: &Range) -> Option<&'n str> {
    let own = [name_of(range), spelled(range)].into_iter().find_map(|suffix| name.strip_suffix(&suffix));
    let own = own.filter(|prefix| prefix.is_empty() || prefix.ends_with('-'));
    let prefix = own.or_else(|| ranges_in(name).next().map(|(prefix, _)| prefix))?;
    Some(prefix.strip_suffix('-').unwrap_or(prefix))
}

/// Whether the name of the pool says another range than this one.
pub(super) fn contradicts(pool: &Pool<'_>, range: &Range) -> bool {
    matches!(suffix(pool, range), Suffix::Misspelled { .. } | Suffix::Other(_))
}

/// Whether the name of the pool says this range.
pub(super) fn agrees(pool: &Pool<'_>, range: &Range) -> bool {
    suffix(pool, range) == Suffix::Agrees
}

fn suffix<'p>(pool: &'p Pool<'_>, range: &Range) -> Suffix<'p> {
    name(pool).map_or(Suffix::None, |name| Suffix::of(name, range, &name_of(range)))
}

/// The name, or what the apiserver will make it from.
fn name<'a>(pool: &'a Pool<'_>) -> Option<&'a str> {
    pool.metadata.name.text().or_else(|| pool.metadata.generate_name.text()).filter(|name| !name.is_empty())
}

/// How whereabouts since 0.4 names the pool of a range: `10.0.0.0-24`, `fd00-1---64`.
fn name_of(range: &Range) -> String {
    range.network().to_string().replace([':', '/'], "-")
}

/// The same with host bits.
fn spelled(range: &Range) -> String {
    format!("{}/{}", range.base(), range.network().prefix_len()).replace([':', '/'], "-")
}

/// Whether the name is `suffix`, or a network or node name, a dash and `suffix`.
fn ends_in(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
}

/// The ranges that the last parts of the name spell, the longest first, each with what comes before it. An
/// IPv6 range has to start with digits here: the dashes before `::` could as well belong to the name of the
/// network.
fn ranges_in(name: &str) -> impl Iterator<Item = (&str, Range)> {
    let (address, prefix_length) = name.rsplit_once('-').unwrap_or_default();
    let starts = std::iter::once(0).chain(address.match_indices('-').map(|(dash, _)| dash + 1));
    starts.filter_map(move |start| {
        let (prefix, address) = address.split_at_checked(start)?;
        if address.starts_with('-') {
            return None;
        }
        let text = format!("{}/{prefix_length}", address.replace('-', ":"));
        Some((prefix, Range::parse(&text).ok()?))
    })
}
