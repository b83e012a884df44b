//! Somebody who writes pools all the time, and knows what every answer has to be.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::plane::{Identity, Plane};
use super::pools::{JSON, MERGE_PATCH};

const POOLS: &str = "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/kube-system/ippools";

/// The pool of one writer.
pub struct Writer<'a> {
    plane: &'a Plane,
    number: usize,
    written: usize,
    allocated: bool,
}

impl<'a> Writer<'a> {
    /// Makes the pool.
    pub fn begin(plane: &'a Plane, number: usize) -> Self {
        let pool = json!({
            "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
            "kind": "IPPool",
            "metadata": { "name": format!("10.60.{number}.0-24") },
            "spec": { "range": format!("10.60.{number}.0/24"), "allocations": {} },
        });
        let (code, answer) = plane.request("POST", POOLS, JSON, &pool.to_string(), Identity::Admin);
        assert_eq!(code, 201, "{answer}");
        Self { plane, number, written: 0, allocated: false }
    }

    /// Requests so far.
    pub fn written(&self) -> usize {
        self.written
    }

    /// The next write; what is wrong with its answer. In turn: an allocation beside a range that is to be normalized,
    /// its release, and now and then a range that is to be refused. After a failure the same is tried again.
    pub fn write(&mut self) -> Result<(), String> {
        let turn = self.written;
        self.written += 1;
        let refused = turn % 10 == 9;
        let (is_right, code, answer) =
            if refused { self.write_invalid_range() } else { self.allocate_or_release() };
        if is_right { Ok(()) } else { Err(format!("write {turn} of {}: {code} {answer}", self.number)) }
    }

    /// What is stored has to be what the answers said.
    pub fn check(&self) {
        let (code, stored) = self.plane.request("GET", &self.path(), JSON, "", Identity::Admin);
        assert_eq!((code, &stored["spec"]["allocations"]), (200, &allocations(self.allocated)));
    }

    fn write_invalid_range(&self) -> (bool, u16, Value) {
        let (code, answer) = self.patch(&json!({ "range": self.range("33") }));
        let said = answer["message"].as_str().unwrap_or_default().contains("[IPP102]");
        (code == 422 && said, code, answer)
    }

    fn allocate_or_release(&mut self) -> (bool, u16, Value) {
        let wanted = json!({ "range": self.range("24"), "allocations": allocations(!self.allocated) });
        let (code, answer) = self.patch(&if self.allocated {
            json!({ "range": self.range("24"), "allocations": { "5": null } })
        } else {
            json!({ "range": self.range("024"), "allocations": allocations(true) })
        });
        self.allocated ^= code == 200;
        (code == 200 && answer["spec"] == wanted, code, answer)
    }

    fn range(&self, prefix: &str) -> String {
        format!("10.60.{}.0/{prefix}", self.number)
    }

    fn patch(&self, spec: &Value) -> (u16, Value) {
        let body = json!({ "spec": spec }).to_string();
        self.plane.request("PATCH", &self.path(), MERGE_PATCH, &body, Identity::Admin)
    }

    fn path(&self) -> String {
        format!("{POOLS}/10.60.{}.0-24", self.number)
    }
}

fn allocations(allocated: bool) -> Value {
    if allocated { json!({ "5": { "id": "c0ffee", "podref": "default/web-0" } }) } else { json!({}) }
}

/// Tells writers that it is over when it is dropped, however that comes about.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
