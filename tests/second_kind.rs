//! A second kind goes through the same code: it is decoded, reviewed, ratcheted and answered.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ippool_webhook::admission::{
    AdmissionResponse, Endpoint, Malformed, MalformedReason, Outcome, respond_to,
};
use ippool_webhook::finding::{FieldPath, Report, Rule, RuleInfo};
use ippool_webhook::kinds::Kind;
use ippool_webhook::policy::Policy;
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::review::{PERSON, ROBOT};

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
            report.required(FieldPath::entry("slices", "0", Some(0)), "must be part of the range");
        }
    }

    fn is_reduction(_: &Slice, _: &Slice) -> bool {
        false
    }
}

/// A review in the compact form, where the kind has no reader of its own.
fn body(username: &str, old: &Value, new: &str) -> String {
    let (group, version) = (NodeSlicePool::GROUP, NodeSlicePool::VERSION);
    let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
    let kind = json!({ "group": group, "version": version, "kind": NodeSlicePool::KIND });
    let resource = json!({ "group": group, "version": version, "resource": NodeSlicePool::RESOURCE });
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"1","kind":{kind},"resource":{resource},"operation":"{operation}","userInfo":{{"username":"{username}"}},"object":{new},"oldObject":{old}}}}}"#
    )
}

fn respond(endpoint: Endpoint, body: &str) -> Result<AdmissionResponse, Malformed> {
    respond_to::<NodeSlicePool>(endpoint, body.as_bytes(), &Policy::default())
}

fn response(old: &Value, new: &Value) -> Value {
    let response = respond(Endpoint::Validate, &body(PERSON, old, &new.to_string())).unwrap();
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
    assert_eq!(
        kept["warnings"][0],
        "slices[0]: Required value: must be part of the range [IPP999, preexisting]"
    );
}

#[test]
fn a_second_kind_needs_no_reader_patch_or_plugin_of_its_own() {
    let (good, bad) = (json!({ "slice": "10.0.0.0/26" }), json!({ "slice": "" }));
    let update = body(ROBOT, &good, &bad.to_string());
    assert!(!respond(Endpoint::Validate, &update).unwrap().record.untrusted_plugin_write);
    assert_eq!(respond(Endpoint::Mutate, &update).unwrap().record.outcome, Outcome::Allowed);
    assert_eq!(
        respond(Endpoint::Validate, &body(PERSON, &Value::Null, "")).unwrap_err().reason,
        MalformedReason::NotJson
    );
}
