//! Whereabouts under the names that others install it by, and a service account that nobody has told the webhook of.

use serde_json::{Value, json};

use super::super::plane::{Identity, Plane};
use super::super::plugin::Plugin;
use super::super::pools::{JSON, PoolApi};
use super::{Cluster, enforcing};

/// A container id as a runtime makes it.
const CONTAINER: &str = "3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c3b0f5a1c";

/// Installs whereabouts in a namespace of its own, with the role that upstream gives it.
fn installed(plane: &Plane, namespace: &str, account: &str) -> Plugin {
    plane.kubectl(&["create", "namespace", namespace]).ok();
    let account_of = format!("--serviceaccount={namespace}:{account}");
    let name = format!("{namespace}-{account}");
    plane
        .kubectl(&["create", "clusterrolebinding", &name, "--clusterrole=whereabouts-cni", &account_of])
        .ok();
    Plugin::of(plane, namespace, account)
}

fn allocations(plane: &Plane, namespace: &str, pool: &str) -> Value {
    let api = PoolApi { plane, namespace, identity: Identity::Admin };
    api.send("GET", &format!("/{pool}"), JSON, "").1["spec"]["allocations"].clone()
}

fn entry(pod: &str) -> Value {
    json!({ "id": CONTAINER, "podref": format!("default/{pod}"), "ifname": "net1" })
}

/// A network whose first address is past the offsets that whereabouts reads, 2^63-1.
fn far(network: &str) -> Value {
    json!({ "range": format!("{network}::/64"), "range_start": format!("{network}:8000::1") })
}

#[test]
fn whereabouts_in_any_namespace_is_trusted_and_never_waits() {
    let installations =
        [("nvidia-network-operator", "nvidia-whereabouts-sa"), ("networking", "my-release-whereabouts")];
    let mut cluster = Cluster::start("everyday-writers", &[], &[]);
    let plugins = installations.map(|(namespace, account)| installed(&cluster.plane, namespace, account));
    let validated = |cluster: &Cluster| cluster.webhook.as_ref().unwrap().reviews(&["endpoint=\"validate\""]);
    let before = validated(&cluster);
    for ((namespace, _), plugin) in installations.iter().zip(&plugins) {
        plugin.network("near", json!({ "range": "10.63.0.0/24" })).add(CONTAINER, "web-0").unwrap();
        plugin.network("far", far("fd00:63:0:0")).add(CONTAINER, "web-1").unwrap();
        let near = json!({ "1": entry("web-0") });
        assert_eq!(allocations(&cluster.plane, namespace, "10.63.0.0-24"), near);
        let far = json!({ "9223372036854775809": entry("web-1") });
        assert_eq!(allocations(&cluster.plane, namespace, "fd00-63---64"), far);
    }
    assert_eq!(validated(&cluster), before, "it was called for the plugin");
    cluster.webhook = None;
    for ((namespace, _), plugin) in installations.iter().zip(&plugins) {
        plugin.network("near", json!({ "range": "10.63.0.0/24" })).add("another", "web-2").unwrap();
        let recorded = allocations(&cluster.plane, namespace, "10.63.0.0-24");
        assert_eq!(recorded["2"]["podref"], "default/web-2", "{recorded}");
    }
}

#[test]
fn an_untrusted_plugin_is_logged_with_both_places_and_counted() {
    const USER: &str = "system:serviceaccount:net-tools:ipam";
    let cluster = enforcing();
    let plugin = installed(&cluster.plane, "net-tools", "ipam");
    let webhook = cluster.webhook.as_ref().unwrap();
    let counted = || webhook.metric("ippool_webhook_untrusted_plugin_writes_total");
    let network = plugin.network("near", json!({ "range": "10.63.0.0/24" }));
    network.add(CONTAINER, "web-0").unwrap();
    assert_eq!(allocations(&cluster.plane, "net-tools", "10.63.0.0-24"), json!({ "1": entry("web-0") }));
    assert_eq!(counted(), 1.0, "an entry was added");
    network.del(CONTAINER, "web-0");
    assert_eq!(allocations(&cluster.plane, "net-tools", "10.63.0.0-24"), json!({}));
    assert_eq!(counted(), 2.0, "an entry was removed");
    let far = plugin.network("far", far("fd00:63:0:0")).add(CONTAINER, "web-1");
    assert_eq!(allocations(&cluster.plane, "net-tools", "fd00-63---64"), json!({}), "{far:?}");
    let log = webhook.log();
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<_> = events.filter(|event| event["user"] == USER && event["level"] == "WARN").collect();
    assert!(told.len() >= 3 && counted() == told.len() as f64, "{told:?}");
    assert_eq!(
        told[0]["message"],
        "an untrusted service account writes like the CNI plugin; if it is that of whereabouts, add the user to \
         trustedWriters in the policy and to the matchConditions of the webhooks"
    );
    let about = [&told[0]["namespace"], &told[0]["name"]];
    assert_eq!(about, ["net-tools", "10.63.0.0-24"]);
}
