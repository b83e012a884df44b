//! What may be of the moment is a finding only if a second look still finds it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::{Cluster, list};
use crate::live::FLAGS;
use crate::objects::{NONE, entry, pod, pool, pool_of, reservation};

#[test]
fn a_reservation_that_is_missing_for_a_moment_lets_no_pools_overlap() {
    let objects = [
        pool_of(&[("1", entry("default/web-0"))]),
        pool("10.0.9.0-25", "10.0.9.0/25", &[("2", entry("default/web-1"))]),
        reservation("10.0.9.1", "default/web-0"),
        reservation("10.0.9.2", "default/web-1"),
        pod("default/web-0", &["10.0.9.1"]),
        pod("default/web-1", &["10.0.9.2"]),
    ];
    let path = "/apis/whereabouts.cni.cncf.io/v1alpha1/overlappingrangeipreservations";
    let first = || (200, list(&objects[2..3], path, "limit=500&continue="));
    let answers = || BTreeMap::from([("overlappingrangeipreservations", vec![first()])]);
    let once = Cluster::answering(&objects, answers()).audit(&FLAGS);
    assert_eq!(once.of("IPP501"), ["kube-system/10.0.9.0-25 spec.range"]);
    let twice = Cluster::answering(&objects, answers()).audit(&["-A", "--grace=1"]);
    assert_eq!(twice.found(), NONE);
}

/// The answers of two looks to a list of `objects`, one of which is there only at the first.
fn only_at_first(objects: &[Value], path: &str, momentary: &Value) -> Vec<(u16, Value)> {
    let first: Vec<_> = objects.iter().chain([momentary]).cloned().collect();
    [first.as_slice(), objects].map(|it| (200, list(it, path, "limit=500&continue="))).into()
}

#[test]
fn a_mismatch_that_is_gone_at_a_second_look_is_no_finding() {
    let objects = [
        pool_of(&[("1", entry("default/web-0")), ("2", entry("default/gone"))]),
        pod("default/web-0", &["10.0.9.1"]),
        reservation("10.0.9.1", "default/web-0"),
        reservation("10.0.9.2", "default/gone"),
    ];
    let path = "/apis/whereabouts.cni.cncf.io/v1alpha1/overlappingrangeipreservations";
    let momentary = reservation("10.0.9.7", "default/passing");
    let answers =
        || BTreeMap::from([("overlappingrangeipreservations", only_at_first(&objects, path, &momentary))]);
    let once = Cluster::answering(&objects, answers()).audit(&["-A", "--grace=0"]);
    assert_eq!(once.of("IPP503").len(), 1);
    let cluster = Cluster::answering(&objects, answers());
    let twice = cluster.audit(&["-A", "--grace=1"]);
    assert_eq!(twice.found(), ["IPP504 kube-system/10.0.9.0-24 spec.allocations[2].podref 10.0.9.2"]);
    assert_eq!(twice.report["pools"][0]["leaked"], 1);
    assert_eq!(cluster.asked("ippools").len(), 2);
}

#[test]
fn an_overlap_is_not_found_because_an_address_was_released_meanwhile() {
    let pools = |id: &str| {
        let mut held = entry("default/web-0");
        held["id"] = json!(id);
        [
            pool("10.0.9.0-24", "10.0.9.0/24", &[("1", held)]),
            pool("10.0.9.0-25", "10.0.9.0/25", &[("2", entry("default/web-1"))]),
        ]
    };
    let path = "/apis/whereabouts.cni.cncf.io/v1alpha1/ippools";
    // At both looks the reservation of the first address is gone when reservations are listed, but it is another entry.
    let looks = ["first", "second"].map(|id| (200, list(&pools(id), path, "limit=500&continue=")));
    let objects = [
        pod("default/web-0", &["10.0.9.1"]),
        pod("default/web-1", &["10.0.9.2"]),
        reservation("10.0.9.2", "default/web-1"),
    ];
    let audit = |looks: Vec<(u16, Value)>| {
        let cluster = Cluster::answering(&objects, BTreeMap::from([("ippools", looks)]));
        cluster.audit(&["-A", "--grace=1"]).of("IPP501")
    };
    assert_eq!(audit(looks.to_vec()), NONE);
    assert_eq!(audit(vec![looks[0].clone(), looks[0].clone()]), ["kube-system/10.0.9.0-25 spec.range"]);
}

#[test]
fn an_address_that_was_released_and_allocated_again_is_not_the_same() {
    let path = "/apis/whereabouts.cni.cncf.io/v1alpha1/ippools";
    let pool_with = |id: &str| {
        let mut held = entry("default/gone");
        held["id"] = json!(id);
        pool_of(&[("2", held)])
    };
    let looks = ["first", "second"].map(|id| (200, list(&[pool_with(id)], path, "limit=500&continue=")));
    let objects = [pod("default/web-0", &[])];
    let cluster = Cluster::answering(&objects, BTreeMap::from([("ippools", looks.into())]));
    let audit = cluster.audit(&["-A", "--grace=1"]);
    assert_eq!(audit.found(), NONE);
    assert_eq!(audit.report["pools"][0]["leaked"], 0);
}
