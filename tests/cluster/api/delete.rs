//! Deleting one pool and a collection.

use serde_json::{Value, json};

use super::{Api, MERGE_PATCH, assert_status, names, pool};
use crate::guarded;

#[test]
fn a_pool_is_deleted_under_the_conditions_of_the_request() {
    let api = Api::new();
    api.made(&pool("10.20.15.0/24", &["5"]));
    let other = json!({ "preconditions": { "uid": "00000000-0000-0000-0000-000000000000" } });
    assert_status(&api.delete("/10.20.15.0-24", &other), 409, "Conflict", "UID in the precondition");
    let (code, status) =
        api.delete("/10.20.15.0-24?propagationPolicy=Background&gracePeriodSeconds=0", &Value::Null);
    assert_eq!((code, &status["status"]), (200, &json!("Success")));
    assert_eq!(api.get("/10.20.15.0-24").0, 404);
    assert_status(&api.delete("/10.20.15.0-24", &Value::Null), 404, "NotFound", "not found");
    let unknown = api.delete("/10.20.15.0-24?propagationPolicy=Someday", &Value::Null);
    assert_status(&unknown, 422, "Invalid", "propagationPolicy");
}

#[test]
fn who_deletes_a_pool_in_use_is_told_whose_addresses_they_are() {
    let api = Api::new();
    api.made(&pool("10.20.16.0/24", &["5"]));
    let deleted = guarded().0.kubectl(&["delete", "ippool", "10.20.16.0-24", "-n", &api.namespace]);
    assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    let warning = "Warning: spec.allocations: 1 allocation is in use: default/web-0 at 10.20.16.5 [IPP601]\n";
    assert_eq!(deleted.stderr, warning);
}

#[test]
fn a_pool_with_a_finalizer_goes_once_that_is_taken_away() {
    let api = Api::new();
    let mut held = pool("10.20.17.0/24", &["5"]);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    api.made(&held);
    let (code, terminating) = api.delete("/10.20.17.0-24", &Value::Null);
    assert_eq!(code, 200);
    assert!(terminating["metadata"]["deletionTimestamp"].is_string(), "{terminating}");
    let release = json!({ "metadata": { "finalizers": null } }).to_string();
    assert_eq!(api.send("PATCH", "/10.20.17.0-24", MERGE_PATCH, &release).0, 200);
    assert_eq!(api.get("/10.20.17.0-24").0, 404);
}

#[test]
fn a_collection_is_deleted_as_far_as_the_selector_goes() {
    let api = Api::new();
    let mut labelled = pool("10.20.18.0/24", &["5"]);
    labelled["metadata"]["labels"] = json!({ "tier": "storage" });
    api.made(&labelled);
    api.made(&pool("10.20.19.0/24", &["5"]));
    let (code, deleted) = api.delete("?labelSelector=tier%3Dstorage", &Value::Null);
    assert_eq!((code, names(&deleted)), (200, vec!["10.20.18.0-24"]));
    assert_eq!(api.delete("?dryRun=All", &Value::Null).0, 200);
    assert_eq!(names(&api.get("").1), ["10.20.19.0-24"]);
    assert_eq!(api.delete("", &Value::Null).0, 200);
    assert_eq!(names(&api.get("").1), [""; 0]);
}

#[test]
fn options_in_the_body_of_a_deletion_outrank_those_in_its_query() {
    let api = Api::new();
    api.made(&pool("10.20.32.0/24", &["5"]));
    assert_eq!(api.delete("/10.20.32.0-24", &json!({ "dryRun": ["All"] })).0, 200);
    assert_eq!(api.get("/10.20.32.0-24").0, 200);
    assert_eq!(api.delete("/10.20.32.0-24?dryRun=All", &json!({ "gracePeriodSeconds": 0 })).0, 200);
    assert_eq!(api.get("/10.20.32.0-24").0, 404);
}

#[test]
fn the_rarer_options_of_a_deletion_are_taken() {
    let api = Api::new();
    api.made(&pool("10.20.35.0/24", &[]));
    let delete = |query: &str| api.delete(&format!("/10.20.35.0-24?{query}"), &Value::Null);
    // The store can be read, so there is no error to ignore.
    assert_eq!(delete("dryRun=All&ignoreStoreReadErrorWithClusterBreakingPotential=true").0, 200);
    assert_eq!(delete("dryRun=All&orphanDependents=true").0, 200);
    assert_eq!(delete("orphanDependents=false").0, 200);
    assert_eq!(api.get("/10.20.35.0-24").0, 404);
}
