//! Ranges and offsets as Go itself decided them: `net.ParseCIDR` and `strconv.ParseInt`, and the address
//! whereabouts takes an offset for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::net::IpAddr;

use ippool_webhook::kinds::ippool::cidr::{Edge, Range};
use ippool_webhook::kinds::ippool::{Pool, read_offset};
use ippool_webhook::policy::Policy;
use serde::Deserialize;
use serde_json::json;

const RANGES: &str = include_str!("fixtures/vectors/ranges.jsonl");
const OFFSETS: &str = include_str!("fixtures/vectors/offsets.jsonl");

#[derive(Debug, Deserialize)]
struct RangeVector {
    range: String,
    ok: bool,
    canonical: Option<String>,
    first: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
struct OffsetVector {
    range: String,
    offset: String,
    read: bool,
    ip: Option<IpAddr>,
    inside: bool,
    edge: Option<String>,
    canonical: Option<String>,
}

fn vectors<T: for<'de> Deserialize<'de>>(lines: &str) -> Vec<T> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rules that deny or warn about one allocation at `offset`.
fn rules_about(vector: &OffsetVector) -> Vec<&'static str> {
    let entry = json!({ "id": "a", "podref": "default/a" });
    let object = json!({ "spec": { "range": vector.range, "allocations": { &vector.offset: entry } } });
    let json = object.to_string();
    let pool = Pool::parse(&json).unwrap();
    let findings = ippool_webhook::lint::<ippool_webhook::kinds::ippool::IpPool>(&pool, &Policy::default());
    findings.iter().filter(|it| it.rule.id.starts_with("IPP2")).map(|it| it.rule.id).collect()
}

#[test]
fn every_range_is_read_as_go_reads_it() {
    let vectors = vectors::<RangeVector>(RANGES);
    assert_eq!(vectors.len(), 2_000);
    for vector in vectors {
        let read = Range::parse(&vector.range).ok();
        assert_eq!(read.is_some(), vector.ok, "{vector:?}");
        assert_eq!(read.map(|range| range.network().to_string()), vector.canonical, "{vector:?}");
        assert_eq!(read.map(|range| range.base()), vector.first, "{vector:?}");
    }
}

#[test]
fn a_range_is_rejected_exactly_where_go_cannot_read_it() {
    for vector in vectors::<RangeVector>(RANGES) {
        let json = json!({ "spec": { "range": vector.range, "allocations": {} } }).to_string();
        let pool = Pool::parse(&json).unwrap();
        let findings =
            ippool_webhook::lint::<ippool_webhook::kinds::ippool::IpPool>(&pool, &Policy::default());
        let unreadable = |it: &&str| ["IPP101", "IPP102"].contains(it);
        let rules: Vec<_> = findings.iter().map(|it| it.rule.id).filter(|id| unreadable(id)).collect();
        let expected: &[&str] = match vector.range.as_str() {
            _ if vector.ok => &[],
            "" => &["IPP101"],
            _ => &["IPP102"],
        };
        assert_eq!(rules, expected, "{vector:?}");
    }
}

#[test]
fn every_offset_is_read_as_whereabouts_reads_it() {
    let vectors = vectors::<OffsetVector>(OFFSETS);
    assert_eq!(vectors.len(), 4_001);
    for vector in vectors {
        let range = Range::parse(&vector.range).unwrap();
        let offset = read_offset(&vector.offset);
        assert_eq!(offset.is_ok(), vector.read, "{vector:?}");
        let Ok(offset) = offset else { continue };
        assert_eq!(Some(offset.to_string()), vector.canonical, "{vector:?}");
        let address = range.address_at(offset);
        assert_eq!(address, vector.ip, "{vector:?}");
        assert_eq!(address.is_some_and(|it| range.contains(it)), vector.inside, "{vector:?}");
        let edge = address.and_then(|it| range.edge(it)).map(|edge: Edge| edge.to_string());
        assert_eq!(edge, vector.edge, "{vector:?}");
    }
}

#[test]
fn the_rules_about_an_offset_follow_from_what_go_decided() {
    for vector in vectors::<OffsetVector>(OFFSETS) {
        let mut expected = Vec::new();
        let digits = vector.offset.trim_start_matches(['+', '-']);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = is_number && vector.offset.len() - digits.len() <= 1;
        if !vector.read {
            expected.push(if is_number { "IPP207" } else { "IPP202" });
        }
        let negative = vector.canonical.as_ref().is_some_and(|it| it.starts_with('-'));
        if vector.canonical.as_ref().is_some_and(|it| *it != vector.offset) {
            expected.push("IPP203");
        }
        if negative {
            expected.push("IPP205");
        } else if vector.read && !vector.inside {
            expected.push("IPP206");
        }
        if vector.edge.is_some() {
            expected.push("IPP208");
        }
        assert_eq!(rules_about(&vector), expected, "{vector:?}");
    }
}

#[test]
fn the_last_offset_is_the_last_one_inside() {
    for vector in vectors::<RangeVector>(RANGES) {
        let Ok(range) = Range::parse(&vector.range) else { continue };
        let inside = |offset: i64| range.address_at(offset).is_some_and(|it| range.contains(it));
        match range.last_offset() {
            None => assert!(!inside(0), "{vector:?}"),
            Some(last) => {
                assert!(inside(last), "{vector:?}: {last} must be inside");
                assert!(last == i64::MAX || !inside(last + 1), "{vector:?}: {last} must be the last");
            }
        }
    }
}

#[test]
fn an_address_inside_has_the_offset_that_whereabouts_reads_as_it() {
    for vector in vectors::<OffsetVector>(OFFSETS) {
        let range = Range::parse(&vector.range).unwrap();
        if let (Some(address), true, Some(canonical)) = (vector.ip, vector.inside, &vector.canonical) {
            assert_eq!(
                range.offset_of(address).map(|it| it.to_string()).as_ref(),
                Some(canonical),
                "{vector:?}"
            );
        }
    }
}
