//! `audit` of a live cluster, for which an apiserver in this process stands in.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use testkit::apiserver::{kubeconfig, status};

use crate::cli_support::program;
use crate::cluster::{Cluster, list};
use crate::objects::{
    NONE, attachment, audit_with, entry, in_namespace, node, node_slices, pod, pool, pool_of, reservation,
};

/// Objects with a finding of nearly every rule, and none that depends on the moment.
fn objects() -> Vec<Value> {
    vec![
        pool_of(&[("1", entry("default/web-0")), ("2", json!({ "id": "old", "podref": "default/web-1" }))]),
        pool("10.0.9.0-25", "10.0.9.0/25", &[("one", entry("default/web-0"))]),
        in_namespace("default", pool("10.0.8.0-24", "10.0.8.0/24", &[])),
        pod("default/web-0", &["10.0.9.1"]),
        pod("default/web-1", &["10.0.9.2"]),
        attachment("macvlan", json!({ "range": "10.0.9.0/24", "range_start": "10.0.9.2" })),
        attachment("narrow", json!({ "range": "10.0.9.0/25", "enable_overlapping_ranges": false })),
        node_slices("macvlan", "10.0.9.0/24", &[("node-1", "10.0.9.0/26")]),
        node("node-1"),
        reservation("10.0.9.1", "default/web-0"),
        reservation("10.0.9.2", "default/web-1"),
    ]
}

pub const FLAGS: [&str; 3] = ["-A", "--grace=0", "--whereabouts-namespace=kube-system"];

#[test]
fn a_live_cluster_and_its_dump_give_the_same_report() {
    let objects = objects();
    let live = Cluster::of(&objects).audit(&FLAGS);
    let dump = audit_with(&objects, &["--whereabouts-namespace=kube-system"]);
    assert!(live.found().len() >= 5, "{:?} {}", live.found(), live.stderr);
    assert_eq!(live.report, dump.report);
    assert_eq!((live.stderr.as_str(), live.code), ("", dump.code));
}

#[test]
fn objects_are_listed_in_pages() {
    let pods: Vec<_> = (0..1_201).map(|number| pod(&format!("default/web-{number}"), &[])).collect();
    let cluster = Cluster::of(&[vec![pool_of(&[("1", entry("default/web-1200"))])], pods].concat());
    let audit = cluster.audit(&["-A", "--grace=0"]);
    assert_eq!(audit.of("IPP504"), NONE);
    let page = |token: &str| format!("/api/v1/pods?limit=500&continue={token}");
    assert_eq!(cluster.asked("pods"), [page(""), page("500"), page("1000")]);
}

#[test]
fn a_token_that_expires_restarts_the_list() {
    let pods: Vec<_> = (0..600).map(|number| pod(&format!("default/web-{number}"), &[])).collect();
    let objects = [vec![pool_of(&[("1", entry("default/web-0"))])], pods].concat();
    let first = list(&objects, "/api/v1/pods", "limit=500&continue=");
    let answers = BTreeMap::from([("pods", vec![(200, first), status(410, "Expired")])]);
    let cluster = Cluster::answering(&objects, answers);
    let audit = cluster.audit(&["-A", "--grace=0"]);
    assert_eq!((audit.of("IPP504"), audit.stderr.as_str()), (Vec::new(), ""));
    let tokens: Vec<_> =
        cluster.asked("pods").iter().map(|it| it.rsplit('=').next().unwrap().to_owned()).collect();
    assert_eq!(tokens, ["", "500", "", "500"]);
}

#[test]
fn a_page_that_fails_is_asked_for_again() {
    let answers =
        BTreeMap::from([("ippools", vec![status(500, "InternalError"), status(429, "TooManyRequests")])]);
    let cluster = Cluster::answering(&objects(), answers);
    assert_eq!(cluster.audit(&FLAGS).report["pools"].as_array().unwrap().len(), 3);
    assert_eq!(cluster.asked("ippools").len(), 3);
    for code in [500, 503] {
        let answers = BTreeMap::from([("ippools", vec![status(code, "broken"); 4])]);
        let cluster = Cluster::answering(&objects(), answers);
        let audit = cluster.audit(&FLAGS);
        let said = format!("error: IPPools cannot be listed: the apiserver says: broken ({code})\n");
        assert_eq!((audit.stderr, audit.code), (said, Some(2)));
        assert_eq!(cluster.asked("ippools").len(), 4);
    }
}

#[test]
fn what_is_not_a_list_is_not_taken_for_an_empty_one() {
    for answer in [json!({}), json!({ "kind": "Status", "apiVersion": "v1" })] {
        let answers = BTreeMap::from([("ippools", vec![(200, answer); 4])]);
        let audit = Cluster::answering(&objects(), answers).audit(&FLAGS);
        assert_eq!(audit.stderr, "error: IPPools cannot be listed: what the apiserver sent is not a list\n");
        assert_eq!(audit.code, Some(2));
    }
}

#[test]
fn a_server_that_knows_no_pods_is_no_apiserver() {
    let answers = BTreeMap::from([("pods", vec![status(404, "page not found"); 4])]);
    let audit = Cluster::answering(&objects(), answers).audit(&FLAGS);
    let said = "error: Pods cannot be listed: is this an apiserver? It says: page not found (404)\n";
    assert_eq!((audit.stderr.as_str(), audit.code), (said, Some(2)));
}

#[test]
fn a_kind_without_permission_is_said_once_and_the_rest_is_checked() {
    let answers = BTreeMap::from([("pods", vec![status(403, "pods is forbidden")])]);
    let cluster = Cluster::answering(&objects(), answers);
    let audit = cluster.audit(&FLAGS);
    assert_eq!(audit.of("IPP504"), NONE);
    assert!(audit.found().len() >= 5, "{:?}", audit.found());
    let why = "Pods cannot be listed: pods is forbidden";
    assert_eq!(audit.not_done("IPP504"), [why]);
    let said = audit.report["notDone"].as_array().unwrap().iter().filter(|it| it["why"] == why).count();
    assert_eq!((said, audit.stderr.as_str(), audit.code), (1, "", Some(1)));
}

#[test]
fn without_permission_for_any_kind_nothing_can_be_done() {
    let forbidden = || vec![status(403, "forbidden")];
    let resources = [
        "ippools",
        "overlappingrangeipreservations",
        "network-attachment-definitions",
        "nodeslicepools",
        "pods",
    ];
    let answers = resources.into_iter().map(|resource| (resource, forbidden())).collect();
    let audit = Cluster::answering(&objects(), answers).audit(&FLAGS);
    assert_eq!(audit.stderr, "error: nothing can be read: IPPools cannot be listed: forbidden\n");
    assert_eq!(audit.code, Some(2));
}

#[test]
fn without_permission_for_pools_no_rule_about_them_is_done() {
    let answers = BTreeMap::from([("ippools", vec![status(403, "forbidden")])]);
    let audit = Cluster::answering(&objects(), answers).audit(&FLAGS);
    for rule in ["IPP501", "IPP502", "IPP503", "IPP504", "IPP505", "IPP506", "IPP508", "IPP509"] {
        assert!(audit.not_done(rule).contains(&"IPPools cannot be listed: forbidden".to_owned()), "{rule}");
    }
    assert_eq!(audit.not_done("IPP507"), NONE);
}

#[test]
fn a_kind_that_the_cluster_does_not_know_has_no_objects() {
    let answers = BTreeMap::from([("nodeslicepools", vec![status(404, "NotFound")])]);
    let cluster = Cluster::answering(&objects(), answers);
    let audit = cluster.audit(&FLAGS);
    assert_eq!(audit.not_done("IPP507"), NONE);
    assert_eq!(cluster.asked("nodes"), NONE, "nodes matter only for slices");
}

#[test]
fn a_cluster_without_whereabouts_or_its_reservations_is_not_judged() {
    let unknown = |resource| BTreeMap::from([(resource, vec![status(404, "NotFound")])]);
    let without_pools = Cluster::answering(&[], unknown("ippools")).audit(&FLAGS);
    assert_eq!(without_pools.not_done("IPP504"), ["the cluster does not know the kind IPPool"]);
    let objects =
        [pool_of(&[("1", entry("default/web-0"))]), attachment("macvlan", json!({ "range": "10.0.9.0/24" }))];
    let audit = Cluster::answering(&objects, unknown("overlappingrangeipreservations")).audit(&FLAGS);
    assert_eq!(audit.of("IPP503"), NONE);
    let why = "the cluster does not know the kind OverlappingRangeIPReservation";
    assert_eq!(audit.not_done("IPP503"), [why]);
}

#[test]
fn without_any_attachment_no_pool_is_taken_for_unused() {
    let answers = BTreeMap::from([("network-attachment-definitions", vec![status(404, "NotFound")])]);
    let audit = Cluster::answering(&[pool_of(&[])], answers).audit(&FLAGS);
    assert_eq!(audit.found(), NONE);
    let why = "there is no NetworkAttachmentDefinition: the configurations are on the nodes";
    assert_eq!(audit.not_done("IPP506"), [why]);
}

#[test]
fn without_a_finding_of_the_moment_there_is_one_look() {
    let cluster = Cluster::of(&objects());
    assert_eq!(cluster.audit(&["-A", "--whereabouts-namespace=kube-system"]).code, Some(1));
    assert_eq!(cluster.asked("ippools").len(), 1);
}

#[test]
fn the_namespace_is_that_of_the_flag_or_of_the_context() {
    let cluster = Cluster::of(&objects());
    let audit_of_one = cluster.audit(&["-n", "kube-system", "--grace=0"]);
    assert_eq!(audit_of_one.report["pools"].as_array().unwrap().len(), 2);
    let path = "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/kube-system/ippools";
    assert!(cluster.asked("ippools")[0].starts_with(path), "{:?}", cluster.asked("ippools"));
    assert!(cluster.asked("pods")[0].starts_with("/api/v1/pods?"), "owners may be anywhere");
    let of_context = cluster.audit(&["--grace=0"]);
    assert_eq!(of_context.report["pools"].as_array().unwrap().len(), 1);
    let nowhere = cluster.audit(&["-n", "tenant", "--grace=0"]);
    assert_eq!(
        nowhere.stderr,
        "note: namespace tenant: has no IPPool; -A audits the pools of all namespaces\n"
    );
}

#[test]
fn an_apiserver_that_cannot_be_reached_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("kubeconfig"), kubeconfig("http://127.0.0.1:1")).unwrap();
    let run = program(&["audit", "-A", "--kubeconfig=kubeconfig"]).in_dir(folder.path()).run();
    assert!(
        run.stderr.starts_with("error: IPPools cannot be listed: is the apiserver reachable?"),
        "{}",
        run.stderr
    );
    assert_eq!(run.code, Some(2));
    let none = program(&["audit", "-A"]).in_dir(folder.path()).run();
    assert!(none.stderr.starts_with("error: no cluster is configured"), "{}", none.stderr);
}
