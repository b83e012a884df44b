//! What `check --diff` rewrites in a file.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ippool_webhook::kinds::ippool::{IpPool, MAX_ALLOCATIONS, Pool};
use ippool_webhook::kinds::{FileEdit, Kind as _};
use serde_json::Value;
use testkit::review::holding;

#[test]
fn a_pool_in_a_file_is_not_rewritten_where_an_address_could_move() {
    for (why, object) in [
        ("an unreadable key", holding("10.0.0.5/24", &["1", "one"])),
        ("two keys that are one", holding("10.0.0.5/24", &["1", "01"])),
        ("a key below the base", holding("10.0.0.5/24", &["-1"])),
        ("a key past the family", holding("10.0.0.5/24", &["4294967294"])),
        ("a shift past 2^63-1", holding("fd00::ffff:ffff:ffff:ffff/64", &["1"])),
        ("a key that a shift would push past 2^63-1", holding("fd00::5/64", &["9223372036854775807"])),
        ("a mapped range with no address inside", holding("::ffff:10.0.0.5/90", &["1"])),
    ] {
        assert_eq!(IpPool::file_edits(&Pool::parse(&object.to_string()).unwrap()), [], "{why}");
    }
}

#[test]
fn a_pool_in_a_file_is_rewritten_with_its_offsets() {
    let edits = |object: Value| IpPool::file_edits(&Pool::parse(&object.to_string()).unwrap());
    let range = || FileEdit { path: ["spec", "range"], key: None, text: "10.0.0.0/24".to_owned() };
    let key = |key: &str, text: &str| FileEdit {
        path: ["spec", "allocations"],
        key: Some(key.to_owned()),
        text: text.to_owned(),
    };
    let rewritten = edits(holding(" 10.0.0.5/24", &["5", "010"]));
    assert_eq!(rewritten.iter().find(|it| it.key.is_none()), Some(&range()));
    assert!(rewritten.contains(&key("5", "10")) && rewritten.contains(&key("010", "15")), "{rewritten:?}");
    assert_eq!(edits(holding("10.0.0.5/24", &["5"])), [range(), key("5", "10")]);
    assert_eq!(edits(holding("10.0.0.0/24", &["007"])), [key("007", "7")]);
    assert_eq!(edits(holding("10.0.0.0/024", &["one"])), [range()]);
}

#[test]
fn a_pool_of_more_entries_than_are_read_is_not_rewritten() {
    let offsets: Vec<_> = (1..=MAX_ALLOCATIONS + 1).map(|offset| offset.to_string()).collect();
    let offsets: Vec<_> = offsets.iter().map(String::as_str).collect();
    let edits = |offsets: &[&str]| {
        IpPool::file_edits(&Pool::parse(&holding("10.0.0.5/8", offsets).to_string()).unwrap()).len()
    };
    assert_eq!((edits(&offsets), edits(&offsets[1..])), (0, 1 + MAX_ALLOCATIONS));
}
