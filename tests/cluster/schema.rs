//! The schema of our IPPool type beside that of whereabouts: a client that uses the type is to be able to write
//! what the CRD takes, and to read what it holds.

use std::collections::BTreeSet;

use kube::CustomResourceExt;
use serde_json::{Value, json};
use testkit::ippool::IPPool;

use super::plane::{Identity, Plane};
use super::process::awaited;

const THEIRS: &str = "whereabouts.cni.cncf.io";
/// A group of its own, so that both are served at once.
const OURS: &str = "schema.example.com";

/// Installs the CRD that our type generates.
fn install(plane: &Plane) {
    let crd = serde_json::to_string(&IPPool::crd()).unwrap().replace(THEIRS, OURS);
    plane.kubectl_with(&["create", "-f", "-"], &crd, &[]).ok();
    awaited("the apiserver to serve our CRD", || (ask(plane, OURS, &json!({})).0 != 404).then_some(()));
}

/// The code, and the message as it would be in the group of whereabouts.
fn ask(plane: &Plane, group: &str, pool: &Value) -> (u16, String) {
    let mut pool = pool.clone();
    pool["apiVersion"] = json!(format!("{group}/v1alpha1"));
    pool["kind"] = json!("IPPool");
    pool["metadata"] = json!({ "name": "pool" });
    let path = format!("/apis/{group}/v1alpha1/namespaces/default/ippools?dryRun=All&fieldValidation=Strict");
    let (code, answer) = plane.request("POST", &path, "application/json", &pool.to_string(), Identity::Admin);
    (code, answer["message"].as_str().unwrap_or_default().replace(OURS, THEIRS))
}

/// Pools that a schema takes or refuses, in every way that it can.
fn pools() -> Vec<Value> {
    let entry = json!({ "id": "i", "podref": "n/p", "ifname": "net1" });
    let with = |entry: Value| json!({ "spec": { "range": "10.0.0.0/24", "allocations": { "1": entry } } });
    vec![
        json!({ "spec": 1 }),
        json!({ "spec": [] }),
        json!({ "spec": {} }),
        json!({ "spec": { "range": "10.0.0.0/24" } }),
        json!({ "spec": { "allocations": {} } }),
        json!({ "spec": { "range": "10.0.0.0/24", "allocations": {} } }),
        json!({ "spec": { "range": "", "allocations": {} } }),
        json!({ "spec": { "range": "nonsense", "allocations": {} } }),
        json!({ "spec": { "range": null, "allocations": {} } }),
        json!({ "spec": { "range": 10, "allocations": {} } }),
        json!({ "spec": { "range": "10.0.0.0/24", "allocations": null } }),
        json!({ "spec": { "range": "10.0.0.0/24", "allocations": [] } }),
        json!({ "spec": { "range": "10.0.0.0/24", "allocations": "none" } }),
        json!({ "spec": { "range": "10.0.0.0/24", "allocations": { "one": entry, "-1": entry, "": entry } } }),
        json!({ "spec": { "range": "10.0.0.0/24", "allocations": {}, "unknown": 1 } }),
        json!({ "spec": { "range": "10.0.0.0/24", "allocations": {} }, "status": {} }),
        json!({ "spec": { "range": "10.0.0.0/24", "allocations": {} }, "unknown": 1 }),
        with(json!({ "id": "i", "podref": "n/p" })),
        with(entry),
        with(json!({ "id": "", "podref": "", "ifname": "" })),
        with(json!({ "id": "i" })),
        with(json!({ "podref": "n/p" })),
        with(json!({})),
        with(Value::Null),
        with(json!("i")),
        with(json!({ "id": null, "podref": "n/p" })),
        with(json!({ "id": 1, "podref": "n/p" })),
        with(json!({ "id": "i", "podref": true })),
        with(json!({ "id": "i", "podref": "n/p", "ifname": 1 })),
        with(json!({ "id": "i", "podref": "n/p", "ifname": null })),
        with(json!({ "id": "i", "podref": "n/p", "unknown": "" })),
    ]
}

#[test]
fn the_type_accepts_and_rejects_what_the_crd_does_in_the_same_words() {
    // Of its own, since `kubectl get ippools` would not know any more which of the two is meant.
    let plane = &Plane::start("schema");
    install(plane);
    let mut codes = BTreeSet::new();
    for pool in pools() {
        let (theirs, ours) = (ask(plane, THEIRS, &pool), ask(plane, OURS, &pool));
        assert_eq!(ours, theirs, "{pool}");
        codes.insert(theirs.0);
    }
    assert_eq!(codes, BTreeSet::from([201, 400, 422]), "the pools try out too little");
    // The one difference: a type of `kube` always has its spec. The webhook refuses what is without (IPP101).
    for pool in [json!({}), json!({ "spec": null })] {
        assert_eq!(ask(plane, THEIRS, &pool).0, 201);
        let ours = ask(plane, OURS, &pool);
        assert_eq!(ours.0, 422);
        assert!(ours.1.ends_with("spec: Required value"), "{}", ours.1);
    }
}
