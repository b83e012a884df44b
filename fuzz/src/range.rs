//! A range on the first line, a key of `spec.allocations` after it: both are read as Go reads them.

use ippool_webhook::kinds::ippool::Range;
use ippool_webhook::kinds::ippool::{Pool, read_offset};
use ippool_webhook::policy::Policy;
use serde_json::json;

use crate::go;

/// Holds the reader of ranges and keys to it.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (range, key) = text.split_once('\n').unwrap_or((&text, "1"));
    assert_eq!(read_offset(key).ok(), go::parse_int(key), "{key:?}");
    let read = Range::parse(range).ok();
    let decided = go::parse_cidr(range);
    assert_eq!(read.map(|it| (it.base(), it.network().to_string())), decided, "{range:?}");
    is_judged(range, key, read.is_some());
    let Some(range) = read else { return };
    canonical_form_is_the_same_network(&range);
    for offset in [read_offset(key).ok(), Some(0), range.last_offset()].into_iter().flatten() {
        for offset in [offset.checked_sub(1), Some(offset), offset.checked_add(1)].into_iter().flatten() {
            offset_and_address_agree(&range, offset);
        }
    }
}

/// Some rule speaks of a range that cannot be read, and none says so of one that can.
fn is_judged(range: &str, key: &str, readable: bool) {
    let entry = json!({ "id": "a", "podref": "default/a" });
    let object = json!({ "spec": { "range": range, "allocations": { key: entry } } }).to_string();
    let pool = Pool::parse(&object).expect("this is JSON");
    let findings = ippool_webhook::lint::<ippool_webhook::kinds::ippool::IpPool>(&pool, &Policy::default());
    let unreadable = findings.iter().any(|it| ["IPP101", "IPP102"].contains(&it.rule.id));
    assert_eq!(unreadable, !readable, "{range:?}");
}

fn canonical_form_is_the_same_network(range: &Range) {
    let text = range.network().to_string();
    let canonical = Range::parse(&text).expect("the canonical form can be read");
    assert_eq!(canonical.network(), range.network());
    assert_eq!(canonical.network().to_string(), text);
    assert_eq!(canonical.host_bits(), 0);
    if !range.is_mapped_too_wide() {
        assert_eq!(canonical, range.canonical());
        assert_eq!(canonical.canonical(), canonical);
    }
}

fn offset_and_address_agree(range: &Range, offset: i64) {
    let address = range.address_at(offset);
    let inside = address.filter(|it| range.contains(*it));
    assert_eq!(range.holds(offset), inside.is_some(), "{offset} in {range:?}");
    assert_eq!(range.edge_at(offset), address.and_then(|it| range.edge(it)), "{offset} in {range:?}");
    if let Some(address) = inside {
        assert_eq!(range.offset_of(address), Some(offset), "{range:?}");
    }
}
