//! Objects of a cluster, and what an audit of them finds.

use serde_json::{Value, json};

use crate::cli_support::{Program, program};

const GROUP: &str = "whereabouts.cni.cncf.io/v1alpha1";

/// Where whereabouts runs.
pub const KUBE_SYSTEM: &str = "kube-system";

/// A pool in `kube-system` with these entries.
pub fn pool(name: &str, range: &str, entries: &[(&str, Value)]) -> Value {
    let allocations: serde_json::Map<_, _> =
        entries.iter().map(|(offset, entry)| ((*offset).to_owned(), entry.clone())).collect();
    json!({
        "apiVersion": GROUP,
        "kind": "IPPool",
        "metadata": { "name": name, "namespace": KUBE_SYSTEM },
        "spec": { "range": range, "allocations": allocations },
    })
}

/// The pool of 10.0.9.0/24.
pub fn pool_of(entries: &[(&str, Value)]) -> Value {
    pool("10.0.9.0-24", "10.0.9.0/24", entries)
}

/// An entry as whereabouts writes it.
pub fn entry(podref: &str) -> Value {
    json!({ "id": format!("id-of-{podref}"), "ifname": "net1", "podref": podref })
}

/// An entry that somebody made by hand.
pub fn reserved() -> Value {
    json!({ "id": "gateway", "ifname": "net1", "podref": "" })
}

/// A running pod that shows these addresses on the attachment `default/macvlan`.
pub fn pod(podref: &str, addresses: &[&str]) -> Value {
    let (namespace, name) = podref.split_once('/').unwrap();
    let status = json!([
        { "name": "cluster", "default": true, "ips": ["10.244.0.7"] },
        { "name": "default/macvlan", "interface": "net1", "ips": addresses },
    ]);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": { "k8s.v1.cni.cncf.io/network-status": status.to_string() },
        },
        "status": { "phase": "Running" },
    })
}

/// A reservation.
pub fn reservation(name: &str, podref: &str) -> Value {
    json!({
        "apiVersion": GROUP,
        "kind": "OverlappingRangeIPReservation",
        "metadata": { "name": name, "namespace": KUBE_SYSTEM },
        "spec": { "podref": podref, "ifname": "net1" },
    })
}

/// The attachment `default/<name>` with this configuration of whereabouts.
pub fn attachment(name: &str, mut ipam: Value) -> Value {
    ipam["type"] = json!("whereabouts");
    plain_attachment(name, &json!({ "cniVersion": "1.0.0", "name": name, "type": "macvlan", "ipam": ipam }))
}

/// The attachment `default/<name>` with this configuration.
pub fn plain_attachment(name: &str, config: &Value) -> Value {
    json!({
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "config": config.to_string() },
    })
}

/// A node.
pub fn node(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } })
}

/// The slices of a network, each of a node.
pub fn node_slices(name: &str, range: &str, slices: &[(&str, &str)]) -> Value {
    let slices: Vec<_> =
        slices.iter().map(|(node, range)| json!({ "nodeName": node, "sliceRange": range })).collect();
    json!({
        "apiVersion": GROUP,
        "kind": "NodeSlicePool",
        "metadata": { "name": name, "namespace": KUBE_SYSTEM },
        "spec": { "range": range, "sliceSize": "/26" },
        "status": { "allocations": slices },
    })
}

/// The same object in another namespace.
pub fn in_namespace(namespace: &str, mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(namespace);
    object
}

/// The same object with another value at a pointer.
pub fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value;
    object
}

/// What an audit printed.
#[derive(Debug)]
pub struct Audit {
    pub report: Value,
    pub stderr: String,
    pub code: Option<i32>,
}

/// Audits a list of these objects, as kubectl writes it.
pub fn audit(objects: &[Value]) -> Audit {
    audit_with(objects, &[])
}

/// The same with more arguments.
pub fn audit_with(objects: &[Value], arguments: &[&str]) -> Audit {
    let list = json!({ "apiVersion": "v1", "items": objects, "kind": "List", "metadata": {} });
    audit_text(&format!("{list:#}"), arguments)
}

/// Audits this text.
pub fn audit_text(text: &str, arguments: &[&str]) -> Audit {
    let run = program(&["audit", "--format=json", "--from=-"]);
    let run = arguments.iter().fold(run, Program::arg).stdin(text).run();
    let report = serde_json::from_str(&run.stdout).unwrap_or_default();
    Audit { report, stderr: run.stderr, code: run.code }
}

impl Audit {
    /// `rule namespace/name path address` of each finding, the kind before the name where it is not a pool.
    pub fn found(&self) -> Vec<String> {
        let findings = self.report["findings"].as_array().unwrap_or_else(|| panic!("{}", self.stderr));
        let line = |it: &Value| {
            let text = |pointer: &str| it.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let kind = Some(text("/object/kind")).filter(|kind| *kind != "IPPool");
            let kind = kind.map(|kind| format!("{kind} ")).unwrap_or_default();
            let (namespace, name) = (text("/object/namespace"), text("/object/name"));
            let line =
                format!("{} {kind}{namespace}/{name} {} {}", text("/rule"), text("/path"), text("/address"));
            line.trim_end().to_owned()
        };
        findings.iter().map(line).collect()
    }

    /// The findings of one rule, without its id.
    pub fn of(&self, rule: &str) -> Vec<String> {
        self.found().iter().filter_map(|it| it.strip_prefix(rule)).map(|it| it.trim().to_owned()).collect()
    }

    /// The messages of a rule.
    pub fn messages(&self, rule: &str) -> Vec<String> {
        let findings = self.report["findings"].as_array().unwrap().iter();
        findings
            .filter(|it| it["rule"] == rule)
            .map(|it| it["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Why a rule was not checked, or not everywhere.
    pub fn not_done(&self, rule: &str) -> Vec<String> {
        let reasons = self.report["notDone"].as_array().unwrap().iter();
        let reasons = reasons.filter(|it| it["rules"].as_array().unwrap().contains(&json!(rule)));
        reasons.map(|it| it["why"].as_str().unwrap().to_owned()).collect()
    }
}

/// No text at all.
pub const NONE: [&str; 0] = [];
