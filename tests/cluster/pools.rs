//! Pools as tests write them, and the part of the API that serves them.

use serde_json::{Value, json};

use super::plane::{Identity, Plane};

pub const JSON: &str = "application/json";
pub const JSON_PATCH: &str = "application/json-patch+json";
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// The pools of a namespace, asked for by one identity.
pub struct PoolApi<'a> {
    pub plane: &'a Plane,
    pub namespace: &'a str,
    pub identity: Identity<'a>,
}

impl PoolApi<'_> {
    /// A request for `rest`, what follows the resource: a name, a query, or both.
    pub fn send(&self, method: &str, rest: &str, content_type: &str, body: &str) -> (u16, Value) {
        let path =
            format!("/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/{}/ippools{rest}", self.namespace);
        self.plane.request(method, &path, content_type, body, self.identity)
    }

    /// A JSON patch of the pool `name`.
    pub fn patch(&self, name: &str, operations: &Value) -> (u16, Value) {
        self.send("PATCH", &format!("/{name}"), JSON_PATCH, &operations.to_string())
    }

    /// Creates `pool`.
    pub fn create(&self, pool: &Value) -> (u16, Value) {
        self.send("POST", "", JSON, &pool.to_string())
    }
}

/// A pool of `range` with an allocation at each of `offsets`.
pub fn pool(range: &str, offsets: &[&str]) -> Value {
    let mut allocations = json!({});
    for (number, offset) in offsets.iter().enumerate() {
        let podref = format!("default/web-{number}");
        allocations[*offset] = json!({ "id": format!("c{offset}"), "ifname": "net1", "podref": podref });
    }
    json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": range.replace(['/', ':'], "-") },
        "spec": { "range": range, "allocations": allocations },
    })
}
