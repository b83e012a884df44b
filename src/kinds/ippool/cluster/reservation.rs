//! `OverlappingRangeIPReservation`: an address that no pool of a network may hand out again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::de::{DeserializeSeed, MapAccess};

use super::head::Metadata;
use super::pool::digest;
use super::{Meta, Name, Names};
use crate::json::{Field, Fill, Target, Text, skip};

/// One as it is written.
#[derive(Debug, Default)]
pub struct ReservationObject<'a> {
    metadata: Metadata<'a>,
    spec: Spec<'a>,
}

#[derive(Debug, Default)]
struct Spec<'a> {
    podref: Field<'a>,
}

/// The reservations of a namespace; there may be a million.
#[derive(Clone, Debug, Default)]
pub struct Reservations {
    /// By address and network. The name of a reservation with an IPv6 address can be ambiguous; this is the reading with the
    /// longest address.
    pub reservations: Vec<Reservation>,
    /// The newest `resourceVersion` of each, by number.
    versions: Vec<u64>,
    /// The names that are not spelled as whereabouts spells them.
    spellings: HashMap<u32, Box<str>>,
    /// The names that have no address, with the number of each.
    pub without_address: Vec<(Box<str>, u32)>,
}

/// An address in a network that a pod has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The address, as a number; IPv4 is mapped.
    address: u128,
    /// The network, empty for the unnamed one.
    pub network: Name,
    /// `spec.podref`; `None` if there is none, as before whereabouts 0.8.
    pub owner: Option<Name>,
    /// Which reservation it is.
    pub number: u32,
}

impl<'a> ReservationObject<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// If the text is not JSON, or cannot be represented.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        let mut object = Self::default();
        Fill(&mut object).deserialize(&mut serde_json::Deserializer::from_str(json))?;
        Ok(object)
    }

    /// Its namespace and name.
    pub fn meta(&self) -> Meta {
        self.metadata.meta()
    }
}

impl<'a> Target<'a> for ReservationObject<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "metadata" => map.next_value_seed(Fill(&mut self.metadata)),
            "spec" => map.next_value_seed(Fill(&mut self.spec)),
            _ => skip(map),
        }
    }
}

impl<'a> Target<'a> for Spec<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "podref" => self.podref = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Reservation {
    /// The address.
    pub fn address(&self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from_bits(self.address)).to_canonical()
    }
}

impl Reservations {
    /// Adds a reservation.
    pub fn add(&mut self, object: &ReservationObject<'_>, names: &mut Names) {
        let name = object.metadata.name.text().unwrap_or_default();
        // etcd cannot hold this many.
        let number = u32::try_from(self.versions.len()).unwrap_or(u32::MAX);
        self.versions.push(object.metadata.version());
        let owner = object.spec.podref.text().map(|podref| names.add(podref));
        match readings(name).next() {
            None => self.without_address.push((name.into(), number)),
            Some((network, address)) => {
                if name_of(network, address) != name {
                    self.spellings.insert(number, name.into());
                }
                let network = names.add(network);
                self.reservations.push(Reservation { address: number_of(address), network, owner, number });
            }
        }
    }

    /// Sorts the reservations, and drops older copies. Returns how many were dropped.
    pub fn sort(&mut self) -> usize {
        let Self { reservations, versions, without_address, .. } = self;
        let version = |it: &Reservation| versions.get(it.number as usize).copied().unwrap_or_default();
        reservations.sort_by_key(|it| (it.address, it.network, std::cmp::Reverse((version(it), it.number))));
        let mut older = 0;
        reservations.dedup_by(|copy, kept| {
            let is_copy = (copy.address, copy.network) == (kept.address, kept.network);
            older += usize::from(is_copy && version(copy) != version(kept));
            is_copy
        });
        without_address.sort_unstable();
        without_address.dedup_by(|a, b| a.0 == b.0);
        older
    }

    /// The reservations of an address in a network.
    pub fn of<'r>(
        &'r self,
        network: &str,
        address: IpAddr,
        names: &'r Names,
    ) -> impl Iterator<Item = &'r Reservation> {
        let (network, address) = longest(network, address);
        let address = number_of(address);
        let start = self.reservations.partition_point(|it| it.address < address);
        let rest = self.reservations.get(start..).unwrap_or_default().iter();
        let of_address = rest.take_while(move |it| it.address == address);
        of_address.filter(move |it| names.text(it.network) == network)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// The name of one.
    pub fn name(&self, reservation: &Reservation, names: &Names) -> String {
        match self.spellings.get(&reservation.number) {
            Some(name) => name.to_string(),
            None => name_of(names.text(reservation.network), reservation.address()),
        }
    }

    /// Identifies it across two evaluations. A reservation is never updated, so another `resourceVersion` is another one.
    pub fn stamp(&self, number: u32) -> u32 {
        let version = self.versions.get(number as usize).copied().unwrap_or_default();
        digest(&version.to_string())
    }
}

/// An address as a number; IPv4 is mapped.
fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// How whereabouts names the reservation of an address in a network.
pub fn name_of(network: &str, address: IpAddr) -> String {
    let mut name = address.to_string().replace(':', "-");
    // A name may not end in a dash.
    if name.ends_with('-') {
        name.push('0');
    }
    if network.is_empty() { name } else { format!("{network}-{name}") }
}

/// The network and the address to which the name of their reservation is parsed. The address is taken to be as long as possible,
/// because the end of the name of a network can look like the beginning of an IPv6 address.
fn longest(network: &str, address: IpAddr) -> (Cow<'_, str>, IpAddr) {
    if address.is_ipv4() || network.is_empty() {
        return (network.into(), address);
    }
    let name = name_of(network, address);
    let longest = readings(&name).next().map(|(network, address)| (network.to_owned().into(), address));
    longest.unwrap_or((network.into(), address))
}

/// The networks and addresses that a name can mean, the longest address first.
pub fn readings(name: &str) -> impl Iterator<Item = (&str, IpAddr)> {
    let dashes = name.match_indices('-').map(|(dash, _)| (dash, dash + 1));
    std::iter::once((0, 0)).chain(dashes).filter_map(|(end, start)| {
        let (network, text) = (name.get(..end)?, name.get(start..)?);
        Some((network, address(text)?))
    })
}

fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(IpAddr::V4(address));
    }
    let text = text.replace('-', ":");
    Some(IpAddr::V6(text.parse::<Ipv6Addr>().ok()?).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Vec<(&str, String)> {
        readings(name).map(|(network, address)| (network, address.to_string())).collect()
    }

    #[test]
    fn a_name_is_an_address_after_the_name_of_a_network() {
        let owned = |network, address: &str| vec![(network, address.to_owned())];
        assert_eq!(read("10.0.0.1"), owned("", "10.0.0.1"));
        assert_eq!(read("blue-net-10.0.0.1"), owned("blue-net", "10.0.0.1"));
        assert_eq!(read("2001-db8-0-0-0-0-0-1"), owned("", "2001:db8::1"));
        assert_eq!(read("blue-2001-db8--0")[0], ("blue", "2001:db8::".to_owned()));
        assert_eq!(read("not-an-address"), []);
        assert_eq!(read(""), []);
    }

    #[test]
    fn the_beginning_of_an_address_may_be_the_name_of_a_network() {
        let all = [
            ("", "cafe:2001:db8::1".to_owned()),
            ("cafe", "2001:db8::1".to_owned()),
            ("cafe-2001", "db8::1".to_owned()),
        ];
        assert_eq!(read("cafe-2001-db8--1"), all);
        let (network, address) = longest("cafe", "2001:db8::1".parse().unwrap());
        assert_eq!((network.as_ref(), address.to_string()), ("", "cafe:2001:db8::1".to_owned()));
    }

    #[test]
    fn a_name_is_spelled_as_whereabouts_spells_it() {
        assert_eq!(name_of("", "10.0.0.1".parse().unwrap()), "10.0.0.1");
        assert_eq!(name_of("blue", "2001:db8::".parse().unwrap()), "blue-2001-db8--0");
    }

    #[test]
    fn of_two_copies_the_newer_counts() {
        let (mut names, mut reservations) = (Names::default(), Reservations::default());
        for (version, podref) in [(9, "default/old"), (10, "default/new")] {
            let json = format!(
                r#"{{"metadata":{{"name":"10.0.0.1","resourceVersion":"{version}"}},"spec":{{"podref":"{podref}"}}}}"#
            );
            reservations.add(&ReservationObject::parse(&json).unwrap(), &mut names);
        }
        assert_eq!(reservations.sort(), 1);
        let of: Vec<_> = reservations.of("", "10.0.0.1".parse().unwrap(), &names).collect();
        let [reservation] = of.as_slice() else { panic!("one") };
        assert_eq!(names.text(reservation.owner.unwrap()), "default/new");
        assert_eq!(reservations.name(reservation, &names), "10.0.0.1");
    }
}
