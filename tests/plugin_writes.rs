//! A write of the CNI plugin is told from other changes of a pool.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use ippool_webhook::finding::Operation;
use ippool_webhook::kinds::ippool::{IpPool, Pool};
use ippool_webhook::review::{Request, is_plugin_write};

const CONTAINER: &str = "3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c";
const RANGE: &str = "10.0.9.0/24";

/// A pool of entries: the key, the id and the pod of each.
fn pool(range: &str, entries: &[(&str, &str, &str)]) -> String {
    let mut text = format!(r#"{{"spec":{{"range":"{range}","allocations":{{"#);
    for (place, (key, id, pod)) in entries.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(text, r#"{comma}"{key}":{{"id":"{id}","podref":"default/{pod}"}}"#).unwrap();
    }
    text + "}}}"
}

fn is_write(old: &str, new: &str) -> bool {
    let username = "system:serviceaccount:kube-system:cni";
    let (object, old_object) = (Some(Pool::parse(new).unwrap()), Some(Pool::parse(old).unwrap()));
    is_plugin_write::<IpPool>(&Request { operation: Operation::Update, username, object, old_object })
}

#[test]
fn one_entry_added_removed_or_given_another_id_is_a_write_of_the_plugin() {
    let (a, b, c) = (("1", CONTAINER, "a"), ("10", CONTAINER, "b"), ("2", CONTAINER, "c"));
    let all = pool(RANGE, &[a, b, c]);
    for fewer in [&[b, c][..], &[a, c], &[a, b]] {
        assert!(is_write(&pool(RANGE, fewer), &all) && is_write(&all, &pool(RANGE, fewer)));
    }
    assert!(
        is_write(&pool(RANGE, &[]), &pool(RANGE, &[a])) && is_write(&pool(RANGE, &[a]), &pool(RANGE, &[]))
    );
    assert!(is_write(&pool(RANGE, &[a, ("10", "before", "b"), c]), &all));
}

#[test]
fn any_other_change_is_not_a_write_of_the_plugin() {
    let (a, b, c) = (("1", CONTAINER, "a"), ("10", CONTAINER, "b"), ("2", CONTAINER, "c"));
    let (all, other) = (pool(RANGE, &[a, b, c]), CONTAINER.replace('3', "4"));
    assert!(is_write(&all, &pool(RANGE, &[a, ("10", &other, "b"), c])));
    let others = [
        pool(RANGE, &[a, b, c]),
        pool(RANGE, &[a]),
        pool(RANGE, &[a, b, ("3", CONTAINER, "c")]),
        pool(RANGE, &[a, b, ("2", CONTAINER, "d")]),
        pool(RANGE, &[a, ("10", "short", "b"), c]),
        pool(RANGE, &[a, ("10", &other, "d"), c]),
        pool(RANGE, &[a, ("11", &other, "b"), c]),
        pool(RANGE, &[("1", "other", "a"), ("10", "other", "b"), c]),
        pool(RANGE, &[a, b, c, ("3", "reserved-by-hand", "d")]),
        pool(RANGE, &[a, b, c, ("3", &CONTAINER.to_uppercase(), "d")]),
        pool(RANGE, &[a, b, c, ("3", &CONTAINER[1..], "d")]),
        pool("10.0.8.0/24", &[a, b]),
    ];
    for other in others {
        assert!(!is_write(&all, &other), "{other}");
    }
}
