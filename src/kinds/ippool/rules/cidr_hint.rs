//! What would be right in place of a range that is not a CIDR. A suggestion keeps the address as written, since offsets
//! count from it.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::kinds::ippool::Range;
use crate::text::Shortened;

/// What to suggest where no mistake is recognized.
const EXAMPLE: Cow<'static, str> = Cow::Borrowed("for example 10.0.0.0/24 or fd00:1::/64");

/// A longer text is not a mistyped CIDR, in bytes: two IPv6 addresses in full and a netmask.
const MAX_MISTYPED_BYTES: usize = 128;

/// What would be right in place of `text`, which is not a CIDR.
pub(super) fn hint(text: &str) -> Cow<'static, str> {
    if text.len() > MAX_MISTYPED_BYTES {
        return EXAMPLE;
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Cow::Borrowed("not whitespace, for example 10.0.0.0/24");
    }
    if trimmed != text {
        return match Range::parse(trimmed) {
            Ok(_) => format!("without whitespace around it: {trimmed}").into(),
            Err(_) => hint(trimmed),
        };
    }
    let Some((address, prefix)) = text.split_once('/') else { return without_prefix(text) };
    if let Some(start) = start_of_span(address) {
        return network_of_span(start, prefix);
    }
    if address.contains('%') {
        return Cow::Borrowed("without a zone");
    }
    let plain = without_leading_zeros(address);
    match plain.parse::<IpAddr>() {
        Err(_) => EXAMPLE,
        Ok(ip) if plain != address => {
            format!("without leading zeros: {ip}/{}, if that is meant", Shortened(prefix)).into()
        }
        Ok(ip) => wrong_prefix(ip, prefix),
    }
}

fn without_prefix(text: &str) -> Cow<'static, str> {
    match text.parse::<IpAddr>() {
        Ok(ip) => {
            format!("with a prefix length after the address, for example {}", in_common_network(ip)).into()
        }
        Err(_) if start_of_span(text).is_some() => {
            Cow::Borrowed("not start-end: write the network, for example 10.0.0.0/24")
        }
        Err(_) => EXAMPLE,
    }
}

/// The network of a common size around an address, as an example.
fn in_common_network(ip: IpAddr) -> String {
    let prefix = if ip.is_ipv4() { 24 } else { 64 };
    Range::parse(&format!("{ip}/{prefix}"))
        .map_or(format!("{ip}/{prefix}"), |range| range.network().to_string())
}

fn wrong_prefix(ip: IpAddr, prefix: &str) -> Cow<'static, str> {
    if let Ok(mask) = prefix.parse::<IpAddr>() {
        return match ipnet::ip_mask_to_prefix(mask) {
            Ok(length) if mask.is_ipv4() == ip.is_ipv4() => {
                format!("with a prefix length in place of the netmask: {ip}/{length}").into()
            }
            _ => Cow::Borrowed("with a prefix length in place of the netmask"),
        };
    }
    if prefix.contains(',') {
        return Cow::Borrowed("one network only: each has a pool of its own");
    }
    if !prefix.strip_prefix(['+', '-']).unwrap_or(prefix).bytes().all(|byte| byte.is_ascii_digit()) {
        return EXAMPLE;
    }
    let (family, longest) = if ip.is_ipv4() { ("IPv4", 32) } else { ("IPv6", 128) };
    format!("with a prefix length from 0 to {longest} for {family}").into()
}

/// The `a` of `a-b`, the notation of whereabouts' own configuration.
fn start_of_span(text: &str) -> Option<IpAddr> {
    let (start, end) = text.split_once('-')?;
    end.trim().parse::<IpAddr>().ok()?;
    start.trim().parse().ok()
}

fn network_of_span(start: IpAddr, prefix: &str) -> Cow<'static, str> {
    match Range::parse(&format!("{start}/{prefix}")) {
        Ok(range) => {
            format!("not start-end: {} here, range_start and range_end in the network", range.network())
                .into()
        }
        Err(_) => wrong_prefix(start, prefix),
    }
}

/// Octets without leading zeros, which some read as octal.
fn without_leading_zeros(address: &str) -> String {
    let octet = |octet: &str| match octet.trim_start_matches('0') {
        "" if !octet.is_empty() => "0".to_owned(),
        rest => rest.to_owned(),
    };
    if address.contains(':') {
        return address.to_owned();
    }
    address.split('.').map(octet).collect::<Vec<_>>().join(".")
}
