//! Building AdmissionReviews and reading their responses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ippool_webhook::admission::{Endpoint, ReviewRecord, respond};
use ippool_webhook::policy::Policy;
use json_patch::Patch;
use serde_json::{Value, json};

/// A person, as kubectl authenticates them.
pub const PERSON: &str = "admin";
/// The CNI plugin's service account in the stock installation.
pub const WHEREABOUTS: &str = "system:serviceaccount:kube-system:whereabouts";
/// An untrusted service account.
pub const ROBOT: &str = "system:serviceaccount:default:robot";

/// The uid of every built review.
pub const UID: &str = "8106464d-31e8-45b8-a252-ae9610f01fbf";

/// A review of `object` (null on DELETE) and `old` (null on CREATE) by `username`.
pub fn review(operation: &str, username: &str, object: &Value, old: &Value) -> Value {
    let group = "whereabouts.cni.cncf.io";
    let name = [object, old].iter().find_map(|it| it["metadata"]["name"].as_str()).unwrap_or_default();
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": UID,
            "kind": { "group": group, "version": "v1alpha1", "kind": "IPPool" },
            "resource": { "group": group, "version": "v1alpha1", "resource": "ippools" },
            "name": name,
            "namespace": "kube-system",
            "operation": operation,
            "userInfo": { "username": username },
            "object": object,
            "oldObject": old,
            "dryRun": false,
            "options": null,
        },
    })
}

/// A pool of this spec with the name that whereabouts gives it.
pub fn pool(spec: &Value) -> Value {
    let name = spec["range"].as_str().unwrap_or("none").replace([':', '/'], "-");
    json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": name, "namespace": "kube-system" },
        "spec": spec,
    })
}

/// The `response` to `review`.
pub fn ask(endpoint: Endpoint, review: &Value) -> Value {
    ask_under(&Policy::default(), endpoint, review)
}

/// The `response` to `review` under `policy`.
pub fn ask_under(policy: &Policy, endpoint: Endpoint, review: &Value) -> Value {
    let answer = respond(endpoint, review.to_string().as_bytes(), policy).expect("a well-formed review");
    let answer: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(
        answer["response"]["uid"], review["request"]["uid"],
        "the response carries the uid of its request"
    );
    answer["response"].clone()
}

/// The patch in a `response`, decoded.
pub fn patch(response: &Value) -> Option<Patch> {
    let text = response.get("patch")?.as_str().expect("patch is a string");
    assert_eq!(response["patchType"], "JSONPatch");
    let json = BASE64.decode(text).expect("patch is base64");
    Some(serde_json::from_slice(&json).expect("patch is a JSON patch"))
}

/// The object that is stored after the mutating webhook saw `review`.
pub fn mutated(review: &Value) -> Value {
    let mut object = review["request"]["object"].clone();
    if let Some(patch) = patch(&ask(Endpoint::Mutate, review)) {
        json_patch::patch(&mut object, &patch).expect("the patch fits the object");
    }
    object
}

/// The causes of a denial as `field: message`.
pub fn causes(response: &Value) -> Vec<String> {
    let causes = response["status"]["details"]["causes"].as_array().cloned().unwrap_or_default();
    let text = |cause: &Value, field: &str| cause[field].as_str().expect("a string").to_owned();
    causes.iter().map(|cause| format!("{}: {}", text(cause, "field"), text(cause, "message"))).collect()
}

/// The warnings of a response.
pub fn warnings(response: &Value) -> Vec<String> {
    let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
    warnings.iter().map(|warning| warning.as_str().expect("a string").to_owned()).collect()
}

/// A pool of `range` with good entries at `offsets`.
pub fn holding(range: &str, offsets: &[&str]) -> Value {
    let entries = offsets.iter().map(|it| ((*it).to_owned(), json!({ "id": "a", "podref": "default/a" })));
    pool(&json!({ "range": range, "allocations": Value::Object(entries.collect()) }))
}

/// `old` with another spec.
pub fn changed(old: &Value, range: &str, offsets: &[&str]) -> Value {
    let mut new = old.clone();
    new["spec"] = holding(range, offsets)["spec"].clone();
    new
}

/// What becomes of an update by a person: normalized, then judged.
pub fn updated(old: &Value, new: &Value) -> (Value, Value) {
    let mut new = new.clone();
    new["metadata"]["name"] = old["metadata"]["name"].clone();
    let stored = mutated(&review("UPDATE", PERSON, &new, old));
    let response = ask(Endpoint::Validate, &review("UPDATE", PERSON, &stored, old));
    (stored, response)
}

/// What becomes of the creation of a pool of this name by a person: normalized, then judged.
pub fn created(name: &str, object: &Value) -> (Value, Value) {
    let mut new = object.clone();
    new["metadata"]["name"] = json!(name);
    let stored = mutated(&review("CREATE", PERSON, &new, &Value::Null));
    let response = ask(Endpoint::Validate, &review("CREATE", PERSON, &stored, &Value::Null));
    (stored, response)
}

/// Asserts a denial with these causes, in this order: the rule of each, and how it starts.
#[track_caller]
pub fn denied(response: &Value, expected: &[(&str, &str)]) {
    assert_eq!(response["allowed"], false, "{response}");
    let causes = causes(response);
    assert_eq!(causes.len(), expected.len(), "{causes:?}");
    for (cause, (rule, start)) in causes.iter().zip(expected) {
        assert!(cause.starts_with(start) && cause.ends_with(&format!("[{rule}]")), "{cause}");
    }
}

/// The warnings of a response that allows.
#[track_caller]
pub fn allowed(response: &Value) -> Vec<String> {
    assert_eq!(response["allowed"], true, "{:?}", causes(response));
    warnings(response)
}

/// What is logged and counted of an update by `username`.
pub fn record(username: &str, new: &Value, old: &Value) -> ReviewRecord {
    let body = review("UPDATE", username, new, old).to_string();
    respond(Endpoint::Validate, body.as_bytes(), &Policy::default()).expect("a well-formed review").record
}
