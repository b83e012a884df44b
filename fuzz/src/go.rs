//! `net.ParseCIDR` and `strconv.ParseInt` of Go, written after their sources and with none of Rust's parsers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, and how many bits it has.
type Address = (u128, u32);

/// What `ParseCIDR` returns: the address as written, and the text of the network.
pub fn parse_cidr(text: &str) -> Option<(IpAddr, String)> {
    let (address, mask) = text.split_once('/')?;
    let (address, bits) = parse_address(address.as_bytes())?;
    let prefix = dtoi(mask).filter(|prefix| *prefix <= bits)?;
    let network = address & u128::MAX.checked_shl(bits - prefix).unwrap_or(0);
    Some((ip(address, bits), cidr(network, bits, prefix)))
}

/// `IP.String` and the length of the mask: a network that is still mapped is written as the IPv4 one.
fn cidr(network: u128, bits: u32, prefix: u32) -> String {
    match ip(network, bits) {
        IpAddr::V4(it) if bits == 128 => format!("{it}/{}", prefix - 96),
        it => format!("{it}/{prefix}"),
    }
}

/// Go keeps IPv4 and mapped addresses as one.
fn ip(address: u128, bits: u32) -> IpAddr {
    match bits {
        32 => Ipv4Addr::from_bits(address as u32).into(),
        _ => Ipv6Addr::from_bits(address).to_canonical(),
    }
}

/// Go's `dtoi`, and that nothing may follow the digits.
fn dtoi(text: &str) -> Option<u32> {
    let add = |number: u32, byte: u8| {
        let number = number * 10 + u32::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        (number < 0xff_ffff).then_some(number)
    };
    (!text.is_empty()).then(|| text.bytes().try_fold(0, add))?
}

/// `netip.ParseAddr`, which decides by the first separator; a zone is refused by `ParseCIDR`.
fn parse_address(text: &[u8]) -> Option<Address> {
    match text.iter().find(|byte| b".:%".contains(byte))? {
        b'.' => Some((u128::from(parse_ipv4(text)?), 32)),
        b':' => Some((parse_ipv6(text)?, 128)),
        _ => None,
    }
}

fn parse_ipv4(text: &[u8]) -> Option<u32> {
    let fields: Vec<_> = text.split(|byte| *byte == b'.').collect();
    let octet = |address: u32, field: &&[u8]| {
        let leading_zero = field.len() > 1 && field[0] == b'0';
        let digits = !field.is_empty() && field.len() <= 3 && field.iter().all(u8::is_ascii_digit);
        let add = |value, byte: &u8| value * 10 + u32::from(byte - b'0');
        let value = (digits && !leading_zero).then(|| field.iter().fold(0, add));
        value.filter(|value| *value < 256).map(|value| address << 8 | value)
    };
    (fields.len() == 4).then(|| fields.iter().try_fold(0, octet))?
}

fn parse_ipv6(text: &[u8]) -> Option<u128> {
    let (mut bytes, mut ellipsis) = (Vec::new(), None);
    let mut rest = text;
    if let Some(after) = rest.strip_prefix(b"::") {
        ellipsis = Some(0);
        rest = after;
    }
    while bytes.len() < 16 && !(rest.is_empty() && ellipsis == Some(bytes.len())) {
        let length = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (group, after) = rest.split_at(length);
        if after.first() == Some(&b'.') {
            bytes.extend(embedded(rest, bytes.len(), ellipsis)?.to_be_bytes());
            rest = b"";
            break;
        }
        bytes.extend(hexadecimal(group)?.to_be_bytes());
        rest = after;
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix(b":").filter(|after| !after.is_empty())?;
        if let Some(after) = rest.strip_prefix(b":") {
            if ellipsis.replace(bytes.len()).is_some() {
                return None;
            }
            rest = after;
        }
    }
    rest.is_empty().then(|| expanded(bytes, ellipsis))?
}

/// The IPv4 address at the end, which has to come last and to fit.
fn embedded(text: &[u8], before: usize, ellipsis: Option<usize>) -> Option<u32> {
    let fits = before + 4 <= 16 && (ellipsis.is_some() || before == 12);
    fits.then(|| parse_ipv4(text))?
}

fn hexadecimal(group: &[u8]) -> Option<u16> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let add = |value: u32, byte| Some(value * 16 + digit(byte)?);
    let value = (1..=4).contains(&group.len()).then(|| group.iter().try_fold(0, add))?;
    value.and_then(|value| u16::try_from(value).ok())
}

/// `::` is one group of zeros or more.
fn expanded(mut bytes: Vec<u8>, ellipsis: Option<usize>) -> Option<u128> {
    match ellipsis {
        Some(at) if bytes.len() < 16 => drop(bytes.splice(at..at, vec![0; 16 - bytes.len()])),
        Some(_) => return None,
        None => {}
    }
    bytes.try_into().ok().map(u128::from_be_bytes)
}

/// `strconv.ParseInt(text, 10, 64)`.
pub fn parse_int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    let add = |value: i128, byte: &u8| {
        byte.is_ascii_digit().then(|| (value * 10 + i128::from(byte - b'0')).min(1 << 100))
    };
    let value = digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())?;
    i64::try_from(sign * value).ok()
}
