//! `spec.range` exactly as whereabouts reads it, and the arithmetic between offsets and addresses.
//!
//! Whereabouts hands the text to Go's `net.ParseCIDR` and counts offsets from the address **as written**,
//! host bits included. Both are reproduced here, not improved: a stricter reading would check other
//! addresses than the ones whereabouts hands out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The shortest prefix of an IPv4-mapped address that still leaves an IPv4 network (RFC 4291, 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;

/// IPv4 offsets from this one on make whereabouts lose the address (`IPAddOffset`).
const IPV4_OFFSET_LIMIT: u128 = u32::MAX as u128;

/// A range whereabouts can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    base: IpAddr,
    network: IpNet,
    /// Computed once, since it is needed for every allocation.
    last_offset: Option<i64>,
}

/// `net.ParseCIDR` rejects the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCidr;

impl Range {
    /// Reads `text` as Go 1.26's `net.ParseCIDR` does: `/024` and host bits are accepted, leading zeros in
    /// octets, zones, whitespace and a missing prefix are not; an IPv4-mapped address counts as IPv4.
    pub fn parse(text: &str) -> Result<Self, NotCidr> {
        let (address, prefix) = text.split_once('/').ok_or(NotCidr)?;
        let prefix = parse_prefix(prefix)?;
        if let Ok(address) = address.parse::<Ipv4Addr>() {
            let network = Ipv4Net::new(address, prefix).map_err(|_| NotCidr)?;
            return Ok(Self::new(IpAddr::V4(address), IpNet::V4(network.trunc())));
        }
        let address = address.parse::<Ipv6Addr>().map_err(|_| NotCidr)?;
        let network = Ipv6Net::new(address, prefix).map_err(|_| NotCidr)?.trunc();
        Ok(Self::new(IpAddr::V6(address).to_canonical(), unmapped(network)))
    }

    fn new(base: IpAddr, network: IpNet) -> Self {
        let last_offset = last_offset(base, network);
        Self { base, network, last_offset }
    }

    /// The address as written, from which the offsets count.
    pub fn base(&self) -> IpAddr {
        self.base
    }

    /// The masked network; displays as Go's `(*net.IPNet).String()` does.
    pub fn network(&self) -> IpNet {
        self.network
    }

    /// The same network without host bits.
    pub fn canonical(&self) -> Self {
        Self::new(self.network.network(), self.network)
    }

    /// How far the base is past the network address. 0 for a range without host bits, and for a mapped one
    /// that is too wide.
    pub fn host_bits(&self) -> u128 {
        if self.is_mapped_too_wide() {
            return 0;
        }
        to_bits(self.base) - to_bits(self.network.network())
    }

    /// An IPv4-mapped address with a prefix shorter than /96: the base is IPv4 and the network IPv6, so
    /// that no address is inside.
    pub fn is_mapped_too_wide(&self) -> bool {
        self.base.is_ipv4() != self.network.addr().is_ipv4()
    }

    /// Whether the network has addresses besides the network and the broadcast address, which are the
    /// ones whereabouts hands out.
    pub fn has_usable_addresses(&self) -> bool {
        self.network.max_prefix_len() - self.network.prefix_len() >= 2
    }

    /// The address whereabouts takes `offset` for: `base + offset`. `None` where it finds none: below the
    /// base, past the end of the address family.
    pub fn address_at(&self, offset: i64) -> Option<IpAddr> {
        self.address_at_wide(u128::try_from(offset).ok()?)
    }

    /// The same for an offset that whereabouts may be unable to read.
    pub fn address_at_wide(&self, offset: u128) -> Option<IpAddr> {
        match self.base {
            IpAddr::V4(_) if offset >= IPV4_OFFSET_LIMIT => None,
            IpAddr::V4(base) => {
                let sum = u128::from(base.to_bits()) + offset;
                u32::try_from(sum).ok().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
            }
            IpAddr::V6(base) => {
                base.to_bits().checked_add(offset).map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
            }
        }
    }

    /// The offset that whereabouts would read as `address`, if it is inside and can be expressed.
    pub fn offset_of(&self, address: IpAddr) -> Option<i64> {
        if !self.contains(address) {
            return None;
        }
        to_bits(address).checked_sub(to_bits(self.base)).and_then(|offset| i64::try_from(offset).ok())
    }

    /// Whether `address` lies in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        !self.is_mapped_too_wide() && self.network.contains(&address)
    }

    /// The largest offset that stands for an address inside; `None` if there is none.
    pub fn last_offset(&self) -> Option<i64> {
        self.last_offset
    }

    /// Whether the address of `offset` is inside.
    pub fn holds(&self, offset: i64) -> bool {
        self.last_offset.is_some_and(|last| (0..=last).contains(&offset))
    }

    /// How many addresses whereabouts can hand out: those of the network without the first and the last.
    pub fn capacity(&self) -> u128 {
        if !self.has_usable_addresses() || self.is_mapped_too_wide() {
            return 0;
        }
        to_bits(self.network.broadcast()) - to_bits(self.network.network()) - 1
    }

    /// Which unusable address `offset` has, if it is one; see [`Range::edge`].
    pub fn edge_at(&self, offset: i64) -> Option<Edge> {
        // What is between the first and the last offset is between the edges.
        if offset == 0 || Some(offset) == self.last_offset {
            self.edge(self.address_at(offset)?)
        } else {
            None
        }
    }

    /// Which unusable address of a range that has usable ones `address` is, if it is one.
    pub fn edge(&self, address: IpAddr) -> Option<Edge> {
        if !self.has_usable_addresses() || self.is_mapped_too_wide() {
            None
        } else if address == self.network.network() {
            Some(Edge::Network)
        } else if address == self.network.broadcast() {
            Some(Edge::Broadcast)
        } else {
            None
        }
    }
}

/// The first and the last address of a network, which whereabouts never hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// All host bits 0.
    Network,
    /// All host bits 1; IPv6 has no broadcast, but whereabouts leaves the address out all the same.
    Broadcast,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "network",
            Self::Broadcast => "broadcast",
        })
    }
}

/// The prefix length as Go's `dtoi` reads it: ASCII digits only, any number of leading zeros.
fn parse_prefix(text: &str) -> Result<u8, NotCidr> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotCidr);
    }
    match text.trim_start_matches('0') {
        "" => Ok(0),
        digits => digits.parse().map_err(|_| NotCidr),
    }
}

fn last_offset(base: IpAddr, network: IpNet) -> Option<i64> {
    if base.is_ipv4() != network.addr().is_ipv4() {
        return None;
    }
    let span = to_bits(network.broadcast()) - to_bits(base);
    let readable = match base {
        IpAddr::V4(_) => span.min(IPV4_OFFSET_LIMIT - 1),
        IpAddr::V6(_) => span,
    };
    Some(i64::try_from(readable).unwrap_or(i64::MAX))
}

/// Go prints a masked network that is still IPv4-mapped as the IPv4 network it maps.
fn unmapped(network: Ipv6Net) -> IpNet {
    match (network.addr().to_ipv4_mapped(), network.prefix_len().checked_sub(MAPPED_PREFIX)) {
        (Some(address), Some(prefix)) => Ipv4Net::new(address, prefix).map_or(IpNet::V6(network), IpNet::V4),
        _ => IpNet::V6(network),
    }
}

/// An address as a number within its family.
pub(crate) fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}
