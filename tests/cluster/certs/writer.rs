//! Somebody who writes pools all the time, and knows what every answer has to be.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::plane::{Identity, Plane};

/// The pool of one writer.
pub struct Writer<'a> {
    plane: &'a Plane,
    number: usize,
    written: usize,
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
        let path = "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/kube-system/ippools";
        let (code, answer) =
            plane.request("POST", path, "application/json", &pool.to_string(), Identity::Admin);
        assert_eq!(code, 201, "{answer}");
        Self { plane, number, written: 0 }
    }

    /// Requests so far.
    pub fn written(&self) -> usize {
        self.written
    }

    /// The next write; what is wrong with its answer. In turn: an allocation beside a range that is to be
    /// normalized, its release, and now and then a range that is to be refused.
    pub fn write(&mut self) -> Result<(), String> {
        let turn = self.written;
        self.written += 1;
        let wrong =
            |code: u16, answer: &Value| Err(format!("write {turn} of {}: {code} {answer}", self.number));
        if turn % 10 == 9 {
            let (code, answer) = self.patch(&json!({ "range": format!("10.60.{}.0/33", self.number) }));
            let said = answer["message"].as_str().unwrap_or_default().contains("[IPP102]");
            return if code == 422 && said { Ok(()) } else { wrong(code, &answer) };
        }
        let adds = self.stored_allocations_are_empty(turn);
        let owner = json!({ "id": "c0ffee", "podref": "default/web-0" });
        let range = |prefix: &str| format!("10.60.{}.0/{prefix}", self.number);
        let change = if adds {
            json!({ "range": range("024"), "allocations": { "5": owner } })
        } else {
            json!({ "allocations": { "5": null } })
        };
        let wanted = json!({ "range": range("24"), "allocations": if adds { json!({ "5": owner }) } else { json!({}) } });
        let (code, answer) = self.patch(&change);
        if code == 200 && answer["spec"] == wanted { Ok(()) } else { wrong(code, &answer) }
    }

    /// Refusals change nothing, and there are nine writes between two of them.
    fn stored_allocations_are_empty(&self, turn: usize) -> bool {
        (turn - turn / 10).is_multiple_of(2)
    }

    fn patch(&self, spec: &Value) -> (u16, Value) {
        let path = format!(
            "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/kube-system/ippools/10.60.{}.0-24",
            self.number
        );
        let body = json!({ "spec": spec }).to_string();
        self.plane.request("PATCH", &path, "application/merge-patch+json", &body, Identity::Admin)
    }
}

/// Tells writers that it is over when it is dropped, however that comes about.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
