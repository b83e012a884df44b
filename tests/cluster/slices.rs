//! Pools that each belong to a node, which the plugin makes of the slices that were cut of a network.

use serde_json::{Value, json};

use super::numbers;
use super::plane::Plane;
use super::plugin::{Network, Plugin};
use super::webhook::{Hook, Webhook};

const POOL: &str = "node2-10.54.0.133-26";

/// Two slices of a network, which a controller would have cut: that of node2 is not written as a network.
pub fn cut_slices(plane: &Plane) {
    let slices = json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "NodeSlicePool",
        "metadata": { "name": "slices", "namespace": "kube-system" },
        "spec": { "range": "10.54.0.0/24", "sliceSize": "/26" },
        "status": { "allocations": [
            { "nodeName": "node1", "sliceRange": "10.54.0.64/26" },
            { "nodeName": "node2", "sliceRange": "10.54.0.133/26" },
        ] },
    });
    plane.kubectl_with(&["create", "-f", "-"], &slices.to_string(), &[]).ok();
}

fn address(network: &Network<'_>, pod: &str) -> String {
    network.add(pod, pod).unwrap()[0].to_string()
}

fn spec(plane: &Plane) -> Value {
    let pool = plane.kubectl(&["get", "ippool", POOL, "-o", "json"]).ok();
    serde_json::from_str::<Value>(&pool).unwrap()["spec"].clone()
}

#[test]
fn a_node_slice_with_host_bits_becomes_a_pool_with_right_addresses() {
    let plane = Plane::start("slices");
    cut_slices(&plane);
    let webhook = Webhook::serve(&plane, &[]);
    webhook.register(&plane, &Hook::ALL);
    let plugin = Plugin::new(&plane);
    let ipam = json!({ "range": "10.54.0.0/24", "node_slice_size": "/26" });
    let network = plugin.network("slices", ipam).on_node("node2");
    let entry = |pod: &str| json!({ "id": pod, "podref": format!("default/{pod}"), "ifname": "net1" });

    assert_eq!(address(&network, "first"), "10.54.0.129/24");
    assert_eq!(address(&network, "second"), "10.54.0.130/24");
    let both = json!({ "1": entry("first"), "2": entry("second") });
    assert_eq!(spec(&plane), json!({ "range": "10.54.0.128/26", "allocations": both }));

    network.del("first", "first");
    let rest = json!({ "2": entry("second") });
    assert_eq!(spec(&plane), json!({ "range": "10.54.0.128/26", "allocations": rest }));
    assert_eq!(address(&network, "third"), "10.54.0.129/24");

    network.del("second", "second");
    network.del("third", "third");
    assert_eq!(spec(&plane), json!({ "range": "10.54.0.128/26", "allocations": {} }));
    assert_eq!(webhook.refusals_of_trusted(), 0, "{}", webhook.log());
    numbers::record("CNI operations with the webhook", plugin.operations());
    numbers::record("refusals of trusted writers", webhook.refusals_of_trusted());
}
