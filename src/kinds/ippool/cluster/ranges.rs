//! Finds the pools whose range has an address.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::kinds::ippool::cidr::to_bits;

/// Networks, each with a number, by their length: an address is looked up once for each length that occurs.
#[derive(Clone, Debug, Default)]
pub struct RangeIndex {
    by_length: BTreeMap<(bool, u8), HashMap<u128, Vec<usize>>>,
}

impl RangeIndex {
    /// Adds a network.
    pub fn add(&mut self, network: IpNet, number: usize) {
        let length = (network.addr().is_ipv4(), network.prefix_len());
        let at = self.by_length.entry(length).or_default().entry(to_bits(network.network())).or_default();
        at.push(number);
    }

    /// The numbers of the networks that contain `address`, the widest first.
    pub fn of(&self, address: IpAddr) -> impl Iterator<Item = usize> + Clone {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        self.up_to(address, longest)
    }

    /// The numbers of the networks that contain `network`, itself included, the widest first.
    pub fn around(&self, network: IpNet) -> impl Iterator<Item = usize> + Clone {
        self.up_to(network.network(), network.prefix_len())
    }

    fn up_to(&self, address: IpAddr, longest: u8) -> impl Iterator<Item = usize> + Clone {
        let is_ipv4 = address.is_ipv4();
        let lengths = self.by_length.range((is_ipv4, 0)..=(is_ipv4, longest));
        lengths
            .filter_map(move |((_, length), networks)| {
                let network = IpNet::new(address, *length).ok()?.network();
                networks.get(&to_bits(network))
            })
            .flatten()
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_each_network_around_it() {
        let mut index = RangeIndex::default();
        for (number, network) in
            ["10.0.0.0/8", "10.0.9.0/24", "10.0.9.0/24", "fd00::/64", "0.0.0.0/0"].iter().enumerate()
        {
            index.add(network.parse().unwrap(), number);
        }
        let of = |address: &str| index.of(address.parse().unwrap()).collect::<Vec<_>>();
        assert_eq!(of("10.0.9.255"), [4, 0, 1, 2]);
        assert_eq!(of("10.0.10.0"), [4, 0]);
        assert_eq!(of("fd00::ffff"), [3]);
        let around = |network: &str| index.around(network.parse().unwrap()).collect::<Vec<_>>();
        assert_eq!(around("10.0.0.0/16"), [4, 0]);
        assert_eq!(around("10.0.9.0/24"), [4, 0, 1, 2]);
    }
}
