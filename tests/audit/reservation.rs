//! IPP503.

use serde_json::json;

use crate::objects::{NONE, attachment, audit, entry, pod, pool, pool_of, reservation, reserved, with};

const DUMP: &str = "; the lists of a dump may be of different moments";

#[test]
fn an_allocation_without_its_reservation_does_not_match() {
    let audit = audit(&[
        pool_of(&[("1", entry("default/web-0")), ("2", entry("default/web-1")), ("3", reserved())]),
        reservation("10.0.9.1", "default/web-0"),
    ]);
    assert_eq!(audit.of("IPP503"), ["kube-system/10.0.9.0-24 spec.allocations[2].podref 10.0.9.2"]);
    let message = "must have the OverlappingRangeIPReservation 10.0.9.2";
    assert_eq!(
        audit.messages("IPP503"),
        [format!("Invalid value: \"default/web-1\": {message}{DUMP} (10.0.9.2) [IPP503]")]
    );
}

#[test]
fn a_reservation_without_its_allocation_does_not_match() {
    let audit = audit(&[
        pool_of(&[("1", entry("default/web-0"))]),
        reservation("10.0.9.1", "default/web-0"),
        reservation("10.0.9.7", "default/web-1"),
        reservation("10.9.9.9", "default/web-2"),
    ]);
    assert_eq!(
        audit.found(),
        [
            "IPP503 OverlappingRangeIPReservation kube-system/10.0.9.7 metadata.name 10.0.9.7",
            "IPP503 OverlappingRangeIPReservation kube-system/10.9.9.9 metadata.name 10.9.9.9",
        ]
    );
    let message = "must have an allocation for \"default/web-1\" in a pool";
    assert_eq!(
        audit.messages("IPP503")[0],
        format!("Invalid value: \"10.0.9.7\": {message}{DUMP} (10.0.9.7) [IPP503]")
    );
}

#[test]
fn a_pool_whose_range_cannot_be_read_may_hold_any_address() {
    let broken = pool("10.0.8.0-24", "10.0.8.0/33", &[("7", entry("default/web-1"))]);
    let audit = audit(&[
        pool_of(&[("1", entry("default/web-0"))]),
        broken,
        reservation("10.0.9.1", "default/web-0"),
        reservation("10.0.8.7", "default/web-1"),
    ]);
    assert_eq!(audit.of("IPP503"), NONE);
    assert_eq!(
        audit.not_done("IPP503"),
        ["pools whose range cannot be read may hold any address: 10.0.8.0-24"]
    );
}

#[test]
fn a_reservation_for_another_owner_does_not_match() {
    let audit = audit(&[
        pool_of(&[("1", entry("default/web-0")), ("2", entry("default/web-1"))]),
        reservation("10.0.9.1", "default/web-0"),
        reservation("10.0.9.2", "default/web-2"),
    ]);
    assert_eq!(audit.found(), ["IPP503 kube-system/10.0.9.0-24 spec.allocations[2].podref 10.0.9.2"]);
    assert!(audit.messages("IPP503")[0].contains("10.0.9.2, which is for \"default/web-2\""));
}

#[test]
fn a_name_without_an_address_is_no_reservation() {
    let audit = audit(&[reservation("not-an-address", "default/web-0"), pool_of(&[])]);
    assert_eq!(
        audit.found(),
        ["IPP503 OverlappingRangeIPReservation kube-system/not-an-address metadata.name"]
    );
}

#[test]
fn a_name_carries_the_network_and_the_spelling_of_ipv6() {
    let objects = [
        pool("blue-10.0.9.0-24", "10.0.9.0/24", &[("1", entry("default/web-0"))]),
        pool("cafe-2001-db8---64", "2001:db8::/64", &[("1", entry("default/web-0"))]),
        pool(
            "2001-db9---64",
            "2001:db9::/64",
            &[("0", entry("default/web-0")), ("1", entry("default/web-1"))],
        ),
        reservation("blue-10.0.9.1", "default/web-0"),
        reservation("cafe-2001-db8--1", "default/web-0"),
        reservation("2001-db9--0", "default/web-0"),
        reservation("2001-0db9-0000-0000-0000-0000-0000-0001", "default/web-1"),
    ];
    let audit_of_all = audit(&objects);
    assert_eq!(audit_of_all.of("IPP503"), NONE);
    let other_network =
        [objects[0].clone(), objects[3].clone(), reservation("red-10.0.9.1", "default/web-0")];
    assert_eq!(
        audit(&other_network).of("IPP503"),
        ["OverlappingRangeIPReservation kube-system/red-10.0.9.1 metadata.name 10.0.9.1"]
    );
}

#[test]
fn without_reservations_in_use_none_is_missed() {
    let pool = pool_of(&[("1", entry("default/web-0"))]);
    assert_eq!(audit(std::slice::from_ref(&pool)).found(), NONE);
    let disabled =
        attachment("macvlan", json!({ "range": "10.0.9.0/24", "enable_overlapping_ranges": false }));
    // What is left of the time when they were in use is no mismatch either.
    let left = reservation("10.0.9.7", "default/web-1");
    assert_eq!(audit(&[pool.clone(), disabled, left]).of("IPP503"), NONE);
    let enabled = attachment("macvlan", json!({ "range": "10.0.9.0/24" }));
    let unread = audit(&[pool.clone(), enabled.clone()]);
    assert_eq!(unread.of("IPP503"), NONE);
    assert_eq!(unread.not_done("IPP503"), ["the dump has no OverlappingRangeIPReservation"]);
    let other = reservation("10.9.9.9", "default/web-2");
    let read = audit(&[pool, enabled, other]);
    assert_eq!(read.of("IPP503")[0], "kube-system/10.0.9.0-24 spec.allocations[1].podref 10.0.9.1");
}

#[test]
fn an_address_that_a_claim_keeps_needs_no_reservation() {
    let claimed = with(entry("vms/vm-a"), "/ipamclaimref", json!("vms/vm-a.net1"));
    let audit = audit(&[
        pool_of(&[("1", entry("default/web-0")), ("2", claimed)]),
        reservation("10.0.9.1", "default/web-0"),
    ]);
    assert_eq!(audit.found(), NONE);
}

#[test]
fn a_reservation_from_before_podref_matches_any_owner() {
    let old = with(reservation("10.0.9.1", "x"), "/spec", json!({ "containerid": "id-of-default/web-0" }));
    let audit = audit(&[pool_of(&[("1", entry("default/web-0"))]), old]);
    assert_eq!(audit.found(), NONE);
}

#[test]
fn pods_do_not_matter_for_reservations() {
    let audit = audit(&[
        pool_of(&[("1", entry("default/web-0"))]),
        reservation("10.0.9.1", "default/web-0"),
        pod("default/web-0", &["10.0.9.1"]),
    ]);
    assert_eq!(audit.found(), NONE);
}
