//! Which address a key stands for, counted as whereabouts counts: from the range as written.
//!
//! Written apart from the code under test, so that a mistake there is not repeated here.

use std::net::IpAddr;

use serde_json::Value;

/// The address a range begins to count from, and its prefix, both as of IPv6, so that families cannot meet.
pub fn base(range: &str) -> Option<(u128, u32)> {
    let (address, prefix) = range.split_once('/')?;
    let digits = !prefix.is_empty() && prefix.bytes().all(|it| it.is_ascii_digit());
    let prefix: u32 = digits.then(|| prefix.parse().ok())??;
    match address.parse().ok()? {
        IpAddr::V4(it) => (prefix <= 32).then(|| (it.to_ipv6_mapped().to_bits(), prefix + 96)),
        IpAddr::V6(it) => (prefix <= 128).then(|| (it.to_bits(), prefix)),
    }
}

/// The network address of a base.
pub fn network((base, prefix): (u128, u32)) -> u128 {
    base & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

/// The address that `key` stands for in `range`, or nothing where whereabouts cannot read either of them.
pub fn address(range: &str, key: &str) -> Option<u128> {
    let (base, _) = base(range)?;
    base.checked_add_signed(i128::from(key.parse::<i64>().ok()?))
}

/// The text of `spec.range`, empty where there is none.
pub fn range_of(object: &Value) -> &str {
    object["spec"]["range"].as_str().unwrap_or_default()
}

/// The address that `key` stands for in this object.
pub fn address_in(object: &Value, key: &str) -> Option<u128> {
    address(range_of(object), key)
}

/// The entries of an object, none where they are absent.
pub fn entries(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object["spec"]["allocations"].as_object().into_iter().flatten()
}
