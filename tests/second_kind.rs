//! A second kind goes through the same code: it is decoded, reviewed, ratcheted and answered.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ippool_webhook::admission::{Endpoint, respond_to};
use ippool_webhook::finding::{FieldPath, Report, Rule, RuleInfo};
use ippool_webhook::kinds::Kind;
use ippool_webhook::policy::Policy;
use serde::Deserialize;
use serde_json::{Value, json};

/// A slice of a range, of which a rule checks one field.
#[derive(Debug, Default, Deserialize)]
struct Slice {
    slice: String,
}

struct NodeSlicePool;

type SliceRule = Rule<fn(&Slice) -> bool>;

static SLICE_EMPTY: SliceRule = Rule {
    info: RuleInfo { id: "IPP999", name: "slice-empty", ..RuleInfo::DENY_ON_WRITE },
    check: |object| object.slice.is_empty(),
};

impl Kind for NodeSlicePool {
    type Object<'a> = Slice;
    type Subject<'a> = &'a Slice;
    type Check = fn(&Slice) -> bool;

    const GROUP: &'static str = "whereabouts.cni.cncf.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "NodeSlicePool";
    const RESOURCE: &'static str = "nodeslicepools";

    fn rules() -> &'static [&'static SliceRule] {
        static ALL: &[&SliceRule] = &[&SLICE_EMPTY];
        ALL
    }

    fn parse(json: &str) -> Result<Slice, serde_json::Error> {
        serde_json::from_str(json)
    }

    fn unreadable<'a: 'a>(_: &str) -> Slice {
        Slice::default()
    }

    fn subject<'s, 'a>(object: &'s Slice, _: Option<&'s Slice>, _: bool) -> &'s Slice {
        object
    }

    fn check<'s>(check: &Self::Check, subject: &&'s Slice, report: &mut Report<'_, 's>) {
        if check(subject) {
            report.required(FieldPath::of("slice"), "must be part of the range");
        }
    }

    fn is_reduction(_: &Slice, _: &Slice) -> bool {
        false
    }
}

fn response(old: &Value, new: &Value) -> Value {
    let (group, version) = (NodeSlicePool::GROUP, NodeSlicePool::VERSION);
    let review = json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "1",
            "kind": { "group": group, "version": version, "kind": NodeSlicePool::KIND },
            "resource": { "group": group, "version": version, "resource": NodeSlicePool::RESOURCE },
            "operation": if old.is_null() { "CREATE" } else { "UPDATE" },
            "userInfo": { "username": "admin" },
            "object": new,
            "oldObject": old,
        },
    });
    let body = review.to_string();
    let response =
        respond_to::<NodeSlicePool>(Endpoint::Validate, body.as_bytes(), &Policy::default()).unwrap();
    serde_json::from_slice::<Value>(&response.body).unwrap()["response"].clone()
}

#[test]
fn a_second_kind_is_reviewed_by_the_same_code() {
    let (good, bad) = (json!({ "slice": "10.0.0.0/26" }), json!({ "slice": "" }));
    assert_eq!(response(&Value::Null, &good)["allowed"], true);
    let denied = response(&Value::Null, &bad);
    assert_eq!(denied["allowed"], false);
    assert_eq!(denied["status"]["details"]["kind"], "NodeSlicePool");
    let cause = &denied["status"]["details"]["causes"][0];
    assert_eq!(cause["message"], "Required value: must be part of the range [IPP999]");
    assert_eq!(response(&good, &bad)["allowed"], false);
    let kept = response(&bad, &bad);
    assert_eq!(kept["allowed"], true);
    assert_eq!(kept["warnings"][0], "slice: Required value: must be part of the range [IPP999, preexisting]");
}
