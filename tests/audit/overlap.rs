//! IPP501 and IPP502.

use serde_json::{Value, json};

use crate::objects::{
    NONE, attachment, audit, audit_with, entry, in_namespace, node, node_slices, pod, pool, pool_of,
    reservation, reserved, with,
};

const WIDE: (&str, &str) = ("10.0.9.0-24", "10.0.9.0/24");
const NARROW: (&str, &str) = ("10.0.9.0-25", "10.0.9.0/25");

/// What shows that no address is reserved: an attachment that leads to the narrow pool.
fn without_reservations() -> Value {
    attachment("narrow", json!({ "range": NARROW.1, "enable_overlapping_ranges": false }))
}

fn wide_attachment() -> Value {
    attachment("wide", json!({ "range": WIDE.1 }))
}

fn two(wide: &[(&str, Value)], narrow: &[(&str, Value)]) -> [Value; 2] {
    [pool(WIDE.0, WIDE.1, wide), pool(NARROW.0, NARROW.1, narrow)]
}

#[test]
fn two_pools_that_share_addresses_overlap() {
    let objects = [two(&[], &[]).to_vec(), vec![without_reservations(), wide_attachment()]].concat();
    let audit = audit(&objects);
    assert_eq!(audit.found(), ["IPP501 kube-system/10.0.9.0-25 spec.range"]);
    assert_eq!(
        audit.messages("IPP501"),
        ["Invalid value: \"10.0.9.0/25\": must not share addresses with kube-system/10.0.9.0-24 [IPP501]"]
    );
}

#[test]
fn pools_beside_each_other_do_not_overlap() {
    let pools = [pool("10.0.9.0-25", "10.0.9.0/25", &[]), pool("10.0.9.128-25", "10.0.9.128/25", &[])];
    assert_eq!(audit(&pools).found(), NONE);
}

#[test]
fn pools_of_different_network_names_do_not_overlap() {
    let one = ("1", entry("default/web-0"));
    let other = ("1", entry("default/web-1"));
    let pools = [
        pool("10.0.9.0-24", "10.0.9.0/24", &[one]),
        pool("blue-10.0.9.0-24", "10.0.9.0/24", &[other]),
        pool("red-net-10.0.9.0-24", "10.0.9.0/24", &[]),
    ];
    assert_eq!(audit(&pools).found(), NONE);
}

#[test]
fn slices_of_nodes_beside_each_other_do_not_overlap() {
    let slices = [("node-1", "10.0.9.0/26"), ("node-2", "10.0.9.64/26")];
    let audit = audit(&[
        pool("node-1-10.0.9.0-26", "10.0.9.0/26", &[("1", entry("default/web-0"))]),
        pool("node-2-10.0.9.64-26", "10.0.9.64/26", &[("1", entry("default/web-1"))]),
        node_slices("macvlan", "10.0.9.0/24", &slices),
        node("node-1"),
        node("node-2"),
    ]);
    assert_eq!(audit.found(), NONE);
}

#[test]
fn a_slice_of_a_node_overlaps_with_the_pool_of_its_network() {
    let audit = audit(&[
        pool("10.0.9.0-24", "10.0.9.0/24", &[]),
        pool("node-1-10.0.9.0-26", "10.0.9.0/26", &[]),
        node_slices("macvlan", "10.0.9.0/24", &[("node-1", "10.0.9.0/26")]),
        attachment("macvlan", json!({ "range": WIDE.1, "node_slice_size": "/26" })),
        attachment("wide", json!({ "range": WIDE.1, "enable_overlapping_ranges": false })),
    ]);
    assert_eq!(audit.of("IPP501"), ["kube-system/node-1-10.0.9.0-26 spec.range"]);
}

#[test]
fn reservations_of_every_shared_address_keep_pools_apart() {
    let [wide, narrow] = two(
        &[("1", entry("default/web-0")), ("200", entry("default/web-9"))],
        &[("2", entry("default/web-1"))],
    );
    let both = [
        wide.clone(),
        narrow.clone(),
        reservation("10.0.9.1", "default/web-0"),
        reservation("10.0.9.2", "default/web-1"),
        reservation("10.0.9.200", "default/web-9"),
    ];
    assert_eq!(audit(&both).found(), NONE);
    let one_missing = [wide, narrow, reservation("10.0.9.1", "default/web-0")];
    assert_eq!(audit(&one_missing).of("IPP501"), ["kube-system/10.0.9.0-25 spec.range"]);
}

#[test]
fn empty_pools_are_kept_apart_by_attachments_that_reserve() {
    let [wide, narrow] = two(&[], &[]);
    let objects = |reserves| {
        let wide_nad = attachment("wide", json!({ "range": WIDE.1 }));
        let narrow_nad = json!({ "range": NARROW.1, "enable_overlapping_ranges": reserves });
        [wide.clone(), narrow.clone(), wide_nad, attachment("narrow", narrow_nad)]
    };
    assert_eq!(audit(&objects(true)).of("IPP501"), NONE);
    assert_eq!(audit(&objects(false)).of("IPP501"), ["kube-system/10.0.9.0-25 spec.range"]);
}

#[test]
fn what_keeps_pools_apart_is_not_guessed() {
    let [wide, narrow] = two(&[("1", entry("default/web-0"))], &[("2", entry("default/web-1"))]);
    let of_two = audit(&[wide.clone(), narrow.clone()]);
    assert_eq!(of_two.found(), NONE, "reservations may keep them apart");
    assert_eq!(of_two.not_done("IPP501"), ["the dump has no OverlappingRangeIPReservation"]);
    let of_empty = audit(&[two(&[], &[]).as_slice(), &[reservation("10.9.9.9", "default/web-9")]].concat());
    assert_eq!(of_empty.of("IPP501"), NONE, "attachments may have addresses reserved");
    assert_eq!(of_empty.not_done("IPP501"), ["the dump has no NetworkAttachmentDefinition"]);
    // A configuration that nobody can read does not make reservations disappear.
    let in_file = with(attachment("file", json!({})), "/spec", json!({}));
    let both = [reservation("10.0.9.1", "default/web-0"), reservation("10.0.9.2", "default/web-1")];
    let apart = audit(&[[wide, narrow].as_slice(), &both, &[in_file, wide_attachment()]].concat());
    assert_eq!((apart.of("IPP501"), apart.not_done("IPP501")), (Vec::new(), Vec::new()));
}

#[test]
fn a_pool_that_nobody_looks_at_overlaps_with_none() {
    let [wide, narrow] = two(&[("1", entry("default/web-0"))], &[("1", entry("default/web-1"))]);
    let audit =
        audit_with(&[wide, in_namespace("default", narrow)], &["--whereabouts-namespace=kube-system"]);
    assert_eq!(audit.found(), ["IPP506 default/10.0.9.0-25 metadata.namespace"]);
}

#[test]
fn pools_of_two_namespaces_are_compared_where_whereabouts_runs_in_both() {
    let [wide, narrow] = two(&[("1", entry("default/web-0"))], &[("1", entry("default/web-1"))]);
    let objects = [wide, in_namespace("openshift-multus", narrow)];
    assert_eq!(audit(&objects).found(), NONE, "nobody knows where it runs");
    let both = ["--whereabouts-namespace=kube-system,openshift-multus"];
    assert_eq!(
        audit_with(&objects, &both).found(),
        [
            "IPP502 openshift-multus/10.0.9.0-25 spec.allocations[1].podref 10.0.9.1",
            "IPP501 openshift-multus/10.0.9.0-25 spec.range",
        ]
    );
}

#[test]
fn one_address_in_two_pools_for_two_owners_is_held_twice() {
    let pools = two(
        &[("1", entry("default/web-0")), ("2", entry("default/web-2")), ("3", reserved())],
        &[("1", entry("default/web-1")), ("2", entry("default/web-2")), ("3", reserved())],
    );
    let audit = audit(&pools);
    assert_eq!(audit.of("IPP502"), ["kube-system/10.0.9.0-25 spec.allocations[1].podref 10.0.9.1"]);
    assert_eq!(
        audit.messages("IPP502"),
        [
            "Duplicate value: \"default/web-1\": holds the address of spec.allocations[1] of kube-system/10.0.9.0-24 as well, which is for \"default/web-0\" (10.0.9.1) [IPP502]"
        ]
    );
    let conflicting: Vec<_> =
        audit.report["pools"].as_array().unwrap().iter().map(|it| it["conflicting"].clone()).collect();
    assert_eq!(conflicting, [json!(1), json!(1)]);
}

#[test]
fn one_address_at_two_keys_of_a_pool_is_held_twice() {
    let other = pool_of(&[("1", entry("default/web-0")), ("01", entry("default/web-1"))]);
    let audit_of_two = audit(&[other]);
    assert_eq!(audit_of_two.of("IPP502").len(), 1);
    assert!(audit_of_two.of("IPP502")[0].ends_with(" 10.0.9.1"), "{:?}", audit_of_two.of("IPP502"));
    assert_eq!(audit_of_two.report["pools"][0]["conflicting"], 2);
    let same = pool_of(&[("1", entry("default/web-0")), ("01", entry("default/web-0"))]);
    assert_eq!(audit(&[same]).of("IPP502"), NONE);
}

#[test]
fn an_address_in_ipv6_pools_is_held_twice() {
    let pools = [
        pool("fd00---64", "fd00::/64", &[("65536", entry("default/web-0"))]),
        pool("fd00---112", "fd00::/112", &[]),
        pool("fd00--1-0-112", "fd00::1:0/112", &[("0", entry("default/web-1"))]),
    ];
    let audit = audit(&pools);
    assert_eq!(audit.of("IPP502"), ["kube-system/fd00--1-0-112 spec.allocations[0].podref fd00::1:0"]);
    assert_eq!(audit.of("IPP501"), ["kube-system/fd00--1-0-112 spec.range"]);
}

#[test]
fn a_pod_with_addresses_of_two_pools_is_no_finding() {
    let pools = [
        pool_of(&[("1", entry("default/web-0"))]),
        pool("10.0.10.0-24", "10.0.10.0/24", &[("1", entry("default/web-0"))]),
        pod("default/web-0", &["10.0.9.1", "10.0.10.1"]),
    ];
    assert_eq!(audit(&pools).found(), NONE);
}
