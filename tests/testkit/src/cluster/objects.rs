//! The objects of a [`Cluster`].

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::{
    ALLOCATIONS, Cluster, EXCLUDED, KUBE_SYSTEM, MOVED_TO, NETWORKS, PodState, PoolState, address, network,
    pool_name, range,
};

const GROUP: &str = "whereabouts.cni.cncf.io/v1alpha1";
const CREATED: &str = "2026-03-01T10:00:00Z";

pub fn pool(cluster: &Cluster, pool: usize) -> Value {
    let offsets = || (1..=ALLOCATIONS).map(|offset| offset.to_string());
    let entry = |(at, offset): (usize, String)| {
        let number = pool * ALLOCATIONS + at;
        let owner = cluster.owner(number);
        (offset, json!({ "id": format!("{number:064x}"), "ifname": "net1", "podref": owner }))
    };
    let field = |offset: String| {
        (format!("f:{offset}"), json!({ ".": {}, "f:id": {}, "f:ifname": {}, "f:podref": {} }))
    };
    let allocations: Map<_, _> = offsets().enumerate().map(entry).collect();
    let fields: Map<_, _> = offsets().map(field).chain([(".".to_owned(), json!({}))]).collect();
    json!({
        "apiVersion": GROUP,
        "kind": "IPPool",
        "metadata": metadata(
            KUBE_SYSTEM,
            &pool_name(pool),
            pool,
            &json!({ "f:spec": { ".": {}, "f:allocations": fields, "f:range": {} } }),
        ),
        "spec": { "allocations": allocations, "range": range(pool) },
    })
}

pub fn reservation(address: Ipv4Addr, podref: &str) -> Value {
    let number = address.to_bits() as usize;
    json!({
        "apiVersion": GROUP,
        "kind": "OverlappingRangeIPReservation",
        "metadata": metadata(
            KUBE_SYSTEM,
            &address.to_string(),
            number,
            &json!({ "f:spec": { ".": {}, "f:ifname": {}, "f:podref": {} } }),
        ),
        "spec": { "ifname": "net1", "podref": podref },
    })
}

pub fn attachment(pool: usize) -> Value {
    let excluded =
        (PoolState::of(pool) == PoolState::Excluded).then(|| format!("{}/32", address(pool, EXCLUDED)));
    let config = json!({
        "cniVersion": "1.0.0",
        "name": network(pool),
        "type": "macvlan",
        "master": "ens5",
        "ipam": { "type": "whereabouts", "range": range(pool), "exclude": Vec::from_iter(excluded) },
    });
    let mut metadata =
        metadata(NETWORKS, &network(pool), pool, &json!({ "f:spec": { ".": {}, "f:config": {} } }));
    metadata["managedFields"][0]["manager"] = json!("kubectl-create");
    json!({
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": metadata,
        "spec": { "config": config.to_string() },
    })
}

pub fn pod(cluster: &Cluster, pod: usize) -> Value {
    let full_name = cluster.pod_name(pod);
    let (namespace, name) = full_name.split_once('/').unwrap();
    let mut object: Value = serde_json::from_str(include_str!("../../../fixtures/pod.json")).unwrap();
    let state = PodState::of(pod);
    let own =
        Ipv4Addr::from_bits(u32::from_be_bytes([100, 64, 0, 0]) + u32::try_from(pod).unwrap()).to_string();
    let host = format!("192.168.{}.{}", pod % 1_000 / 250, pod % 250);
    let metadata = &mut object["metadata"];
    metadata["name"] = json!(name);
    metadata["namespace"] = json!(namespace);
    metadata["uid"] = json!(uid(pod));
    metadata["resourceVersion"] = json!((1_000_000 + pod).to_string());
    let networks: Vec<_> =
        cluster.allocations_of(pod).map(|it| format!("{NETWORKS}/{}", network(it / ALLOCATIONS))).collect();
    metadata["annotations"] = json!({
        "k8s.v1.cni.cncf.io/networks": networks.join(","),
        "k8s.v1.cni.cncf.io/network-status": network_status(cluster, pod, state, &own),
    });
    object["spec"]["nodeName"] = json!(format!("node-{:03}", pod % 1_000));
    let status = &mut object["status"];
    status["podIP"] = json!(own);
    status["podIPs"] = json!([{ "ip": own }]);
    status["hostIP"] = json!(host);
    status["hostIPs"] = json!([{ "ip": host }]);
    if state == PodState::Finished {
        status["phase"] = json!("Succeeded");
    }
    object
}

/// What Multus says of a pod. It writes an array of objects, each of them indented by itself.
fn network_status(cluster: &Cluster, pod: usize, state: PodState, own: &str) -> String {
    let mut interfaces = vec![json!({
        "name": "ovn-kubernetes", "interface": "eth0", "ips": [own], "mac": mac(pod, 0), "default": true, "dns": {},
    })];
    for (number, allocation) in cluster.allocations_of(pod).enumerate() {
        let is_moved = state == PodState::Moved && number == 0;
        let offset = if is_moved { MOVED_TO } else { allocation % ALLOCATIONS + 1 };
        let pool = allocation / ALLOCATIONS;
        interfaces.push(json!({
            "name": format!("{NETWORKS}/{}", network(pool)),
            "interface": format!("net{}", number + 1),
            "ips": [address(pool, offset)],
            "mac": mac(pod, number + 1),
            "dns": {},
        }));
    }
    let texts: Vec<_> = interfaces.iter().map(super::dump::indented).collect();
    format!("[{}]", texts.join(","))
}

fn mac(pod: usize, number: usize) -> String {
    let [.., a, b, c] = pod.to_be_bytes();
    format!("0a:58:{number:02x}:{a:02x}:{b:02x}:{c:02x}")
}

fn uid(number: usize) -> String {
    format!("3f2a{:04x}-91c7-4f0e-8d55-{number:012x}", number % 65_521)
}

/// Metadata of an object that the plugin wrote.
fn metadata(namespace: &str, name: &str, number: usize, fields: &Value) -> Value {
    json!({
        "creationTimestamp": CREATED,
        "generation": 1,
        "managedFields": [{
            "apiVersion": GROUP,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
            "manager": "whereabouts",
            "operation": "Update",
            "time": CREATED,
        }],
        "name": name,
        "namespace": namespace,
        "resourceVersion": (500_000 + number).to_string(),
        "uid": uid(number),
    })
}

/// The object as a client creates it: what the apiserver fills in is left out.
pub fn without_server_fields(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"] {
            metadata.remove(field);
        }
    }
    object
}
