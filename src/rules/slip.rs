//! The usual slips behind a range that is no CIDR, and what would be right. What is suggested keeps the
//! address as written: offsets count from it.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::range::Range;
use crate::text::Shortened;

/// What to say of a text in which no slip is recognised.
const EXAMPLE: Cow<'static, str> = Cow::Borrowed("for example 10.0.0.0/24 or fd00:1::/64");

/// No slip of a person is longer, in bytes: two IPv6 addresses in full and a netmask.
const LONGEST_SLIP_BYTES: usize = 128;

/// Names the slip behind a text that is no CIDR, and what would be right.
pub(super) fn slip(text: &str) -> Cow<'static, str> {
    if text.len() > LONGEST_SLIP_BYTES {
        return EXAMPLE;
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Cow::Borrowed("not blanks, for example 10.0.0.0/24");
    }
    if trimmed != text {
        return match Range::parse(trimmed) {
            Ok(_) => format!("without blanks around it: {trimmed}").into(),
            Err(_) => slip(trimmed),
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
            format!("with a prefix length after the address, for example {}", in_usual_network(ip)).into()
        }
        Err(_) if start_of_span(text).is_some() => {
            Cow::Borrowed("not start-end: write the network, for example 10.0.0.0/24")
        }
        Err(_) => EXAMPLE,
    }
}

/// The network of the usual size around an address, as an example.
fn in_usual_network(ip: IpAddr) -> String {
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
        return Cow::Borrowed("one network alone: each has a pool of its own");
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

/// Octets without the zeros in front, for which nobody agrees whether they mean octal.
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
