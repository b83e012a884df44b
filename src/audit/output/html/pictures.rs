//! The addresses of each pool, as data that the script draws.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::MAX_PICTURES;
use crate::audit::report::{Entry, Pool, Report, State};
use crate::text::printable;

/// The data of a pool for the script.
#[derive(Default, Serialize)]
struct Picture {
    /// `None` if there is nothing to draw.
    network: Option<Network>,
    /// The distance of each entry from the one before it, in hexadecimal; the first counts from one before the network.
    positions: String,
    /// A letter for the state of each entry.
    states: String,
    /// The owners in the file, by the number of the entry.
    owners: BTreeMap<usize, String>,
    /// A note about what is not shown.
    why: String,
}

/// Numbers are strings, because JavaScript has 53 bits for a number.
#[derive(Serialize)]
struct Network {
    text: String,
    base: String,
    size: String,
    ipv6: bool,
}

/// Which owners the file contains.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owners {
    All,
    /// The owners of addresses that leaked or are in conflict.
    OfFindings,
}

pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    write!(out, "<script type=\"application/json\" id=\"pictures\">[")?;
    let (mut texts, is_complete) = pictures(report, Owners::All)?;
    if !is_complete {
        (texts, _) = pictures(report, Owners::OfFindings)?;
    }
    for (number, text) in texts.iter().enumerate() {
        write!(out, "{}{text}", if number == 0 { "\n" } else { ",\n" })?;
    }
    writeln!(out, "\n]</script>")
}

/// The pictures as JSON, and whether all fit into the file. With all owners, it ends at the first that does not.
fn pictures(report: &Report, owners: Owners) -> io::Result<(Vec<String>, bool)> {
    let (mut texts, mut bytes, mut is_complete) = (Vec::new(), 0, true);
    for pool in &report.pools {
        let mut text = json(&Picture::of(report, pool, owners))?;
        if bytes + text.len() > MAX_PICTURES {
            is_complete = false;
            if owners == Owners::All {
                break;
            }
            let why = "The picture is left out: this file would be larger than 20 MB. Audit fewer pools."
                .to_owned();
            text = json(&Picture { why, ..Picture::default() })?;
        }
        bytes += text.len();
        texts.push(text);
    }
    Ok((texts, is_complete))
}

/// JSON that can be embedded in a script element.
fn json(picture: &Picture) -> io::Result<String> {
    Ok(serde_json::to_string(picture)?.replace('<', "\\u003c"))
}

impl Picture {
    fn of(report: &Report, pool: &Pool, owners: Owners) -> Self {
        let Some(network) = pool.network() else {
            let why = "Whereabouts cannot read the range, so that no entry has an address.".to_owned();
            return Self { why, ..Self::default() };
        };
        let mut picture = Self { network: Some(Network::of(network)), ..Self::default() };
        let (mut before, mut outside, mut shown) = (None, 0, 0);
        for entry in &pool.entries {
            let Some(position) = position(network, pool, entry) else {
                outside += 1;
                continue;
            };
            let distance = before.map_or(position + 1, |before| position - before);
            if before.replace(position).is_some() {
                picture.positions.push(' ');
            }
            picture.positions.push_str(&format!("{distance:x}"));
            picture.states.push(letter(entry.state));
            let is_shown = owners == Owners::All || matches!(entry.state, State::Leaked | State::Conflicting);
            let owner = report.owner(entry);
            if is_shown && !owner.is_empty() {
                picture.owners.insert(shown, printable(owner));
            }
            shown += 1;
        }
        picture.why = said(pool, outside, owners);
        picture
    }
}

/// What a picture does not show.
fn said(pool: &Pool, outside: usize, owners: Owners) -> String {
    let mut said = Vec::new();
    let unreadable = pool.allocated.saturating_sub(pool.entries.len());
    if outside + unreadable > 0 {
        said.push(format!("{} of {} entries have no address in it.", outside + unreadable, pool.allocated));
    }
    if owners == Owners::OfFindings {
        said.push(
            "Only owners of leaked addresses and of those in conflict are shown, for the size of this file."
                .to_owned(),
        );
    }
    said.join(" ")
}

/// The place of an entry in the network of its pool, which may begin before the base of its offsets.
fn position(network: IpNet, pool: &Pool, entry: &Entry) -> Option<u128> {
    let address = pool.address(entry).filter(|address| network.contains(address))?;
    Some(number(address) - number(network.network()))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    fn of(network: IpNet) -> Self {
        let bits = network.max_prefix_len() - network.prefix_len();
        // 2^128 is the only size that does not fit.
        let size = 1_u128
            .checked_shl(u32::from(bits))
            .map_or("340282366920938463463374607431768211456".to_owned(), |it| it.to_string());
        let base = number(network.network()).to_string();
        Self { text: network.to_string(), base, size, ipv6: network.addr().is_ipv6() }
    }
}

const fn letter(state: State) -> char {
    match state {
        State::Used => 'u',
        State::Reserved => 'r',
        State::Leaked => 'l',
        State::Conflicting => 'c',
    }
}
