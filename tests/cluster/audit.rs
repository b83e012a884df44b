//! `audit` of a real control plane, with pools that the plugin wrote and that were then broken in every way the rules know.
//! No kubelet runs there, so the tests write what a kubelet and Multus would.

mod busy;
mod every_rule;
mod listen;
mod self_check;

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::attachments;
use crate::plane::{Identity, Plane};
use crate::plugin::Plugin;
use crate::pools::{MERGE_PATCH, PoolApi};
use crate::process::{Ran, command};

/// A control plane that also knows attachments.
fn plane(name: &str) -> Plane {
    let plane = Plane::start(name);
    attachments::define(&plane);
    plane
}

fn create(plane: &Plane, object: &Value) {
    plane.kubectl_with(&["create", "-f", "-"], &object.to_string(), &[]).ok();
}

/// The attachment `default/<name>`, which leads whereabouts to the same pools as the plugin with these settings.
fn attach(plane: &Plane, name: &str, mut ipam: Value) {
    ipam["type"] = json!("whereabouts");
    let config = json!({ "cniVersion": "1.0.0", "name": name, "type": "bridge", "ipam": ipam }).to_string();
    create(
        plane,
        &json!({
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": { "name": name, "namespace": "default" },
            "spec": { "config": config },
        }),
    );
}

/// A pod that shows these addresses of an attachment, as far as Multus and the kubelet would have said.
fn pod(plane: &Plane, name: &str, phase: &str, attachment: &str, addresses: &[&str]) {
    let status = json!([{ "name": format!("default/{attachment}"), "interface": "net1", "ips": addresses }]);
    create(
        plane,
        &json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "default",
                "annotations": { "k8s.v1.cni.cncf.io/network-status": status.to_string() },
            },
            "spec": { "containers": [{ "name": "c", "image": "x" }] },
        }),
    );
    let status = json!({ "status": { "phase": phase } }).to_string();
    let path = format!("/api/v1/namespaces/default/pods/{name}/status");
    let (code, answer) = plane.request("PATCH", &path, MERGE_PATCH, &status, Identity::Admin);
    assert_eq!(code, 200, "{answer}");
}

fn pools(plane: &Plane) -> PoolApi<'_> {
    PoolApi { plane, namespace: "kube-system", identity: Identity::Admin }
}

/// Runs an audit as the administrator.
fn audit(plane: &Plane, arguments: &[&str]) -> Ran {
    let mut program = command(Path::new(env!("CARGO_BIN_EXE_ippool-webhook")));
    program.args(["audit", "--format=json"]).args(arguments).current_dir(&plane.scratch);
    Ran::of(program, "")
}

/// `rule object path address` of each finding.
fn found(ran: &Ran) -> Vec<String> {
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    let line = |it: &Value| {
        let text = |pointer: &str| it.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let object =
            format!("{} {}/{}", text("/object/kind"), text("/object/namespace"), text("/object/name"));
        format!("{} {object} {} {}", text("/rule"), text("/path"), text("/address")).trim_end().to_owned()
    };
    report["findings"].as_array().unwrap().iter().map(line).collect()
}

const LIVE: [&str; 4] = ["--kubeconfig=admin.kubeconfig", "-A", "--grace=1", "--fail-on=warn"];

/// A control plane with everything broken.
fn broken() -> &'static Plane {
    static BROKEN: OnceLock<Plane> = OnceLock::new();
    BROKEN.get_or_init(|| break_everything("audit"))
}

fn break_everything(name: &str) -> Plane {
    let plane = plane(name);
    let plugin = Plugin::new(&plane);
    gone_and_moved(&plane, &plugin);
    overlapping(&plane, &plugin);
    sliced(&plane, &plugin);
    changed_and_old(&plane, &plugin);
    let unused = |name: &str, namespace: &str| {
        json!({
            "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
            "kind": "IPPool",
            "metadata": { "name": name, "namespace": namespace },
            "spec": { "range": name.replace("-24", "/24"), "allocations": {} },
        })
    };
    create(&plane, &unused("10.81.0.0-24", "default"));
    create(&plane, &unused("10.82.0.0-24", "kube-system"));
    plane
}

/// Pods that ended, are gone or show another address; reservations that are gone or left; a network of another name.
fn gone_and_moved(plane: &Plane, plugin: &Plugin) {
    attach(plane, "a", json!({ "range": "10.80.0.0/24" }));
    attach(plane, "blue", json!({ "range": "10.80.0.0/24", "network_name": "blue" }));
    let network = plugin.network("a", json!({ "range": "10.80.0.0/24" }));
    for (number, name) in ["a-0", "a-1", "a-2", "a-3"].iter().enumerate() {
        assert_eq!(network.add(name, name).unwrap()[0].to_string(), format!("10.80.0.{}/24", number + 1));
    }
    let blue = plugin.network("blue", json!({ "range": "10.80.0.0/24", "network_name": "blue" }));
    assert_eq!(blue.add("blue-0", "blue-0").unwrap()[0].to_string(), "10.80.0.1/24");
    pod(plane, "a-0", "Running", "a", &["10.80.0.1"]);
    pod(plane, "a-1", "Succeeded", "a", &["10.80.0.2"]);
    pod(plane, "a-3", "Running", "a", &["10.80.0.99"]);
    pod(plane, "blue-0", "Running", "blue", &["10.80.0.1"]);
    let reservation = "overlappingrangeipreservations.whereabouts.cni.cncf.io";
    plane.kubectl(&["delete", reservation, "10.80.0.1", "-n", "kube-system"]).ok();
    reserve(plane, "10.80.0.50", "default/nobody");
}

fn reserve(plane: &Plane, address: &str, podref: &str) {
    create(
        plane,
        &json!({
            "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
            "kind": "OverlappingRangeIPReservation",
            "metadata": { "name": address, "namespace": "kube-system" },
            "spec": { "podref": podref },
        }),
    );
}

/// Two pools of one network, each of which gives out its first address.
fn overlapping(plane: &Plane, plugin: &Plugin) {
    for (name, range) in [("wide", "10.83.0.0/24"), ("narrow", "10.83.0.0/25")] {
        let ipam = json!({ "range": range, "enable_overlapping_ranges": false });
        attach(plane, name, ipam.clone());
        let address = plugin.network(name, ipam).add(name, name).unwrap()[0];
        assert_eq!(address.addr().to_string(), "10.83.0.1");
        pod(plane, name, "Running", name, &["10.83.0.1"]);
    }
}

/// A slice of a node that is gone, beside one that is there.
fn sliced(plane: &Plane, plugin: &Plugin) {
    let ipam = json!({ "range": "10.85.0.0/24", "node_slice_size": "/26" });
    attach(plane, "slices", ipam.clone());
    create(plane, &json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "node1" } }));
    create(
        plane,
        &json!({
            "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
            "kind": "NodeSlicePool",
            "metadata": { "name": "slices", "namespace": "kube-system" },
            "spec": { "range": "10.85.0.0/24", "sliceSize": "/26" },
            "status": { "allocations": [
                { "nodeName": "node1", "sliceRange": "10.85.0.64/26" },
                { "nodeName": "node2", "sliceRange": "10.85.0.128/26" },
            ] },
        }),
    );
    let network = plugin.network("slices", ipam).on_node("node1");
    assert_eq!(network.add("s-0", "s-0").unwrap()[0].to_string(), "10.85.0.65/24");
    pod(plane, "s-0", "Running", "slices", &["10.85.0.65"]);
}

/// An address that the attachment no longer hands out, and an entry as 0.7 wrote it.
fn changed_and_old(plane: &Plane, plugin: &Plugin) {
    let network = plugin.network("d", json!({ "range": "10.84.0.0/24" }));
    assert_eq!(network.add("d-0", "d-0").unwrap()[0].to_string(), "10.84.0.1/24");
    attach(plane, "d", json!({ "range": "10.84.0.0/24", "range_start": "10.84.0.100" }));
    let old = json!([{ "op": "add", "path": "/spec/allocations/150",
        "value": { "id": "d-1", "podref": "default/d-1" } }]);
    let (code, answer) = pools(plane).patch("10.84.0.0-24", &old);
    assert_eq!(code, 200, "{answer}");
    reserve(plane, "10.84.0.150", "default/d-1");
    pod(plane, "d-0", "Running", "d", &["10.84.0.1"]);
    pod(plane, "d-1", "Running", "d", &["10.84.0.150"]);
}

const EXPECTED: [&str; 13] = [
    "IPP506 IPPool default/10.81.0.0-24 metadata.namespace",
    "IPP503 IPPool kube-system/10.80.0.0-24 spec.allocations[1].podref 10.80.0.1",
    "IPP504 IPPool kube-system/10.80.0.0-24 spec.allocations[2].podref 10.80.0.2",
    "IPP504 IPPool kube-system/10.80.0.0-24 spec.allocations[3].podref 10.80.0.3",
    "IPP505 IPPool kube-system/10.80.0.0-24 spec.allocations[4].podref 10.80.0.4",
    "IPP506 IPPool kube-system/10.82.0.0-24 metadata.name",
    "IPP502 IPPool kube-system/10.83.0.0-25 spec.allocations[1].podref 10.83.0.1",
    "IPP501 IPPool kube-system/10.83.0.0-25 spec.range",
    "IPP508 IPPool kube-system/10.84.0.0-24 spec.allocations[1] 10.84.0.1",
    "IPP509 IPPool kube-system/10.84.0.0-24 spec.allocations[150].ifname 10.84.0.150",
    "IPP507 NodeSlicePool kube-system/slices status.allocations[1].nodeName",
    "IPP503 OverlappingRangeIPReservation kube-system/10.80.0.50 metadata.name 10.80.0.50",
    "IPP505 Pod default/a-3 metadata.annotations[k8s.v1.cni.cncf.io/network-status] 10.80.0.99",
];

#[test]
fn what_is_broken_is_found_and_nothing_else() {
    let plane = broken();
    let live = audit(plane, &LIVE);
    assert_eq!(found(&live), EXPECTED, "{}", live.stderr);
    assert_eq!((live.code, live.stderr.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&live.stdout).unwrap();
    assert_eq!(report["notDone"], json!([]));
}

#[test]
fn a_dump_of_the_cluster_gives_the_same_findings() {
    let plane = broken();
    let kinds = "ippools,overlappingrangeipreservations,nodeslicepools,network-attachment-definitions,pods";
    for (format, file) in [("json", "dump.json"), ("yaml", "dump.yaml")] {
        let dump = plane.kubectl(&["get", kinds, "-A", "-o", format, "--show-managed-fields"]).ok();
        let nodes = plane.kubectl(&["get", "nodes", "-o", format]).ok();
        std::fs::write(plane.scratch.join(file), dump).unwrap();
        std::fs::write(plane.scratch.join(format!("nodes.{format}")), nodes).unwrap();
        let ran = audit(plane, &["--from", file, "--from", &format!("nodes.{format}"), "--fail-on=warn"]);
        assert_eq!(found(&ran), found(&audit(plane, &LIVE)), "{format}");
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{format}");
    }
}

#[test]
fn a_reader_without_pods_is_told_what_was_not_done() {
    let plane = broken();
    let token = plane.token("kube-system", "auditor");
    let role =
        ["create", "clusterrole", "auditor", "--verb=list", "--resource=ippools.whereabouts.cni.cncf.io"];
    plane.kubectl(&role).ok();
    let binding = [
        "create",
        "clusterrolebinding",
        "auditor",
        "--clusterrole=auditor",
        "--serviceaccount=kube-system:auditor",
    ];
    plane.kubectl(&binding).ok();
    plane.write_kubeconfig(&plane.scratch.join("auditor.kubeconfig"), &json!({ "token": token }));
    let ran = audit(plane, &["--kubeconfig=auditor.kubeconfig", "--grace=0"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    let reasons: Vec<_> =
        report["notDone"].as_array().unwrap().iter().map(|it| it["why"].as_str().unwrap()).collect();
    let of_pods: Vec<_> =
        reasons.iter().filter(|it| it.starts_with("Pods cannot be listed: pods is forbidden: ")).collect();
    assert_eq!(of_pods.len(), 1, "{reasons:?}");
    assert!(found(&ran).iter().all(|it| !it.starts_with("IPP504")), "{:?}", found(&ran));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
