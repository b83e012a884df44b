//! Broken pools from before the webhook was installed: nobody is kept from working with them, or from getting
//! rid of them.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::numbers;
use super::plane::Plane;
use super::plugin::Plugin;
use super::webhook::{Hook, Webhook};

const FINALIZER: &str = "example.com/held";

/// A control plane that took two broken pools before the webhook was registered, and how often that had
/// refused until it was known to be in force.
fn inherited() -> &'static (Plane, Webhook, usize) {
    static INHERITED: OnceLock<(Plane, Webhook, usize)> = OnceLock::new();
    INHERITED.get_or_init(|| {
        let plane = Plane::start("legacy");
        store(&plane, "10.1.0.0-24", "10.1.0.0/24");
        store(&plane, "10.0.0.0-24", "10.0.0.5/24");
        let webhook = Webhook::serve(&plane, &[]);
        webhook.register(&plane, &Hook::ALL);
        let refusals = webhook.refusals();
        (plane, webhook, refusals)
    })
}

/// Of its offsets, one is good, one no number, and one past the end.
fn store(plane: &Plane, name: &str, range: &str) {
    let pool = json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": name, "finalizers": [FINALIZER] },
        "spec": { "range": range, "allocations": { "9": entry("nine"), "one": entry("one"), "300": entry("far") } },
    });
    plane.kubectl_with(&["create", "-f", "-"], &pool.to_string(), &[]).ok();
}

/// The allocation of a container called as its pod.
fn entry(pod: &str) -> Value {
    json!({ "id": pod, "podref": format!("default/{pod}"), "ifname": "net1" })
}

fn spec(plane: &Plane, name: &str) -> Value {
    let pool = plane.kubectl(&["get", "ippool", name, "-o", "json"]).ok();
    serde_json::from_str::<Value>(&pool).unwrap()["spec"].clone()
}

/// Works with the inherited pool of `range`. Three pods get the addresses that end in these numbers, recorded at
/// these offsets; the third comes when the first has left.
fn work_with(range: &str, [a, b, c]: [(u8, &str); 3], warnings: &[&str]) {
    let (plane, webhook, refusals_before) = inherited();
    let name = &range.replace('/', "-");
    let plugin = Plugin::new(plane);
    let network = plugin.network("legacy", json!({ "range": range }));
    let address = |(last, _): (u8, &str)| range.replace("0/24", &format!("{last}/24"));
    let allocations = || spec(plane, name)["allocations"].clone();
    let warned = |arguments: &[&str]| {
        let ran = plane.kubectl(arguments);
        for warning in warnings {
            assert!(ran.stderr.contains(warning), "{arguments:?}: {}", ran.stderr);
        }
        ran.ok();
    };

    // The plugin cannot read `one`, and so writes the pool without it.
    assert_eq!(network.add("a", "a").unwrap()[0].to_string(), address(a));
    assert_eq!(network.add("b", "b").unwrap()[0].to_string(), address(b));
    let four = json!({ a.1: entry("a"), b.1: entry("b"), "9": entry("nine"), "300": entry("far") });
    assert_eq!(allocations(), four);
    network.del("a", "a");
    network.del("nine", "nine");
    assert_eq!(allocations(), json!({ b.1: entry("b"), "300": entry("far") }));

    // A write of metadata only does not reach the webhook; one of the spec does, and is told what the pool has.
    assert_eq!(plane.kubectl(&["label", "ippool", name, "team=net"]).stderr, "");
    let release = format!(r#"[{{"op":"remove","path":"/spec/allocations/{}"}}]"#, b.1);
    warned(&["patch", "ippool", name, "--dry-run=server", "--type=json", "-p", &release]);
    plane.kubectl(&["delete", "ippool", name, "--wait=false"]).ok();
    assert_eq!(network.add("c", "c").unwrap()[0].to_string(), address(c), "the pool is terminating");
    network.del("b", "b");
    assert_eq!(allocations(), json!({ c.1: entry("c"), "300": entry("far") }));
    plane
        .kubectl(&["patch", "ippool", name, "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#])
        .ok();
    let gone = plane.kubectl(&["get", "ippool", name]);
    assert!(gone.stderr.contains("(NotFound)"), "{gone:?}");
    assert_eq!(webhook.refusals(), *refusals_before, "{}", webhook.log());
    numbers::record("CNI operations with the webhook", plugin.operations());
    numbers::record("refusals of trusted writers", webhook.refusals_of_trusted());
}

#[test]
fn an_old_pool_with_unreadable_offsets_stays_in_use() {
    let warnings = ["Warning: spec.allocations[300]: must be at most 255", "[IPP206, preexisting]"];
    work_with("10.1.0.0/24", [(1, "1"), (2, "2"), (1, "1")], &warnings);
}

#[test]
fn an_old_pool_with_host_bits_stays_in_use() {
    let warnings = [
        "Warning: spec.range: must be \"10.0.0.0/24\", with every offset rewritten",
        "[IPP104, preexisting]",
    ];
    // The plugin stores the distance of 10.0.0.1 from 10.0.0.5 without its sign, later takes that for 10.0.0.9,
    // and so never gives the address back. No pool made under the webhook has host bits; here it stays the
    // plugin's.
    work_with("10.0.0.0/24", [(1, "4"), (2, "3"), (3, "2")], &warnings);
}
