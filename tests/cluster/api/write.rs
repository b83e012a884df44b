//! Creating, replacing and every kind of patch.

use serde_json::{Value, json};

use super::{APPLY, Api, JSON, JSON_PATCH, MERGE_PATCH, assert_refused, assert_status, pool};

#[test]
fn a_pool_is_created_once_and_read_back() {
    let api = Api::new();
    let good = pool("10.20.4.0/24", &["5"]);
    let stored = api.made(&good);
    assert_eq!(stored["spec"], good["spec"]);
    assert_eq!(api.get("/10.20.4.0-24"), (200, stored));
    assert_status(&api.create("", &good), 409, "AlreadyExists", "already exists");
    assert_status(&api.get("/10.20.5.0-24"), 404, "NotFound", "not found");
}

#[test]
fn a_range_with_host_bits_is_normalized_where_nothing_counts_from_it() {
    let api = Api::new();
    let mut written = pool("10.20.6.5/24", &["1"]);
    written["metadata"]["name"] = json!("10.20.6.0-24");
    assert_refused(&api.create("", &written), 422, &["IPP104"]);
    written["spec"]["allocations"] = json!({});
    let stored = api.made(&written);
    assert_eq!(stored["spec"], json!({ "range": "10.20.6.0/24", "allocations": {} }));
}

#[test]
fn a_generated_name_is_held_to_the_range_as_well() {
    let api = Api::new();
    let mut generated = pool("10.20.7.0/24", &[]);
    generated["metadata"] = json!({ "generateName": "pool-" });
    let (code, stored) = api.create("?fieldManager=tester", &generated);
    assert_eq!(code, 201, "{stored}");
    assert_eq!(stored["metadata"]["managedFields"][0]["manager"], "tester");
    generated["spec"]["range"] = json!("10.20.7.0/33");
    assert_refused(&api.create("", &generated), 422, &["IPP102"]);
}

#[test]
fn a_bad_pool_is_denied_with_a_cause_for_each_finding() {
    let answer = Api::new().create("", &pool("10.20.8.0/30", &["4", "one"]));
    assert_refused(&answer, 422, &["IPP206", "IPP202"]);
    let (_, status) = answer;
    assert_eq!(status["reason"], "Invalid");
    assert_eq!(status["details"]["name"], "10.20.8.0-30");
    assert_eq!(status["details"]["kind"], "IPPool");
    let causes = status["details"]["causes"].as_array().unwrap();
    let fields: Vec<_> = causes.iter().map(|it| (&it["field"], &it["reason"])).collect();
    let invalid = json!("FieldValueInvalid");
    assert_eq!(
        fields,
        [(&json!("spec.allocations[4]"), &invalid), (&json!("spec.allocations[one]"), &invalid)]
    );
}

#[test]
fn a_pool_is_replaced_by_a_good_one_only() {
    let api = Api::new();
    let stored = api.made(&pool("10.20.9.0/24", &["5"]));
    let replace = |query: &str, pool: &Value| {
        let name = pool["metadata"]["name"].as_str().unwrap();
        api.send("PUT", &format!("/{name}{query}"), JSON, &pool.to_string())
    };
    let mut next = stored.clone();
    next["spec"]["allocations"]["6"] = json!({ "id": "c6", "ifname": "net1", "podref": "default/web-6" });
    let (code, replaced) = replace("?fieldManager=tester", &next);
    assert_eq!((code, &replaced["spec"]), (200, &next["spec"]));
    assert_status(&replace("", &next), 409, "Conflict", "the object has been modified");
    next["metadata"]["resourceVersion"] = replaced["metadata"]["resourceVersion"].clone();
    next["spec"]["range"] = json!("10.21.9.0/24");
    assert_refused(&replace("", &next), 422, &["IPP401", "IPP301"]);
    // The conflict is looked for first where the request itself comes too late.
    next["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
    assert_status(&replace("", &next), 409, "Conflict", "the object has been modified");
    let mut absent = pool("10.20.10.0/24", &[]);
    assert_status(&replace("", &absent), 404, "NotFound", "not found");
    absent["metadata"]["name"] = json!("10.20.9.0-24");
    assert_status(&replace("", &absent), 422, "Invalid", "metadata.resourceVersion");
    assert_eq!(api.get("/10.20.9.0-24"), (200, replaced));
}

#[test]
fn a_json_patch_is_reviewed_by_its_result() {
    let api = Api::new();
    api.made(&pool("10.20.11.0/24", &["5"]));
    let patch = |operations: Value| api.send("PATCH", "/10.20.11.0-24", JSON_PATCH, &operations.to_string());
    let owner = json!({ "id": "c6", "ifname": "net1", "podref": "default/web-6" });
    let add = |offset: &str| json!([{ "op": "add", "path": format!("/spec/allocations/{offset}"), "value": owner }]);
    let (code, stored) = patch(add("6"));
    assert_eq!((code, &stored["spec"]["allocations"]["6"]), (200, &owner));
    assert_refused(&patch(add("256")), 422, &["IPP206"]);
    assert_refused(&patch(add("+7")), 422, &["IPP203"]);
    let test = json!([{ "op": "test", "path": "/spec/range", "value": "10.0.0.0/8" }]);
    assert_status(&patch(test), 422, "Invalid", "");
    assert_status(&patch(json!({ "op": "remove" })), 400, "BadRequest", "");
    assert_eq!(api.get("/10.20.11.0-24"), (200, stored));
}

#[test]
fn a_merge_patch_is_reviewed_by_its_result() {
    let api = Api::new();
    api.made(&pool("10.20.12.0/24", &["5"]));
    let patch = |query: &str, patch: Value| {
        api.send("PATCH", &format!("/10.20.12.0-24{query}"), MERGE_PATCH, &patch.to_string())
    };
    let (code, stored) = patch("?fieldManager=tester", json!({ "metadata": { "labels": { "a": "b" } } }));
    assert_eq!((code, &stored["metadata"]["labels"]["a"]), (200, &json!("b")));
    assert_refused(&patch("", json!({ "spec": { "range": "10.20.12.0/25" } })), 422, &["IPP401"]);
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "spec": { "range": "10.20.12.0/25" } });
    assert_status(&patch("", stale), 409, "Conflict", "the object has been modified");
    let (code, stored) = patch("", json!({ "spec": { "allocations": { "5": null } } }));
    assert_eq!((code, &stored["spec"]["allocations"]), (200, &json!({})));
    assert_status(&api.send("PATCH", "/none", MERGE_PATCH, "{}"), 404, "NotFound", "not found");
}

#[test]
fn a_strategic_merge_patch_is_not_for_custom_resources() {
    let api = Api::new();
    api.made(&pool("10.20.13.0/24", &[]));
    let (code, status) = api.send("PATCH", "/10.20.13.0-24", "application/strategic-merge-patch+json", "{}");
    assert_eq!((code, &status["reason"]), (415, &json!("UnsupportedMediaType")), "{status}");
}

#[test]
fn a_server_side_apply_creates_updates_conflicts_and_is_denied() {
    let api = Api::new();
    let apply = |query: &str, pool: &Value| {
        api.send("PATCH", &format!("/10.20.14.0-24?{query}"), APPLY, &pool.to_string())
    };
    let mut good = pool("10.20.14.0/24", &["5"]);
    assert_status(&apply("", &good), 422, "Invalid", "fieldManager");
    let mut bad = pool("10.20.14.0/24", &["256"]);
    assert_refused(&apply("fieldManager=one", &bad), 422, &["IPP206"]);
    assert_eq!(apply("fieldManager=one", &good).0, 201);
    assert_eq!(apply("fieldManager=one", &good).0, 200);
    good["spec"]["allocations"]["5"]["id"] = json!("c5b");
    assert_status(&apply("fieldManager=two", &good), 409, "Conflict", "conflict with \"one\"");
    let (code, stored) = apply("fieldManager=two&force=true", &good);
    assert_eq!((code, &stored["spec"]["allocations"]["5"]["id"]), (200, &json!("c5b")));
    bad["spec"]["allocations"]["5"] = good["spec"]["allocations"]["5"].clone();
    assert_refused(&apply("fieldManager=two&force=true", &bad), 422, &["IPP206"]);
}

#[test]
fn a_body_may_be_yaml() {
    let api = Api::new();
    let yaml = |range: &str| {
        let head =
            "apiVersion: whereabouts.cni.cncf.io/v1alpha1\nkind: IPPool\nmetadata: {name: 10.20.36.0-24}\n";
        format!("{head}spec: {{range: {range}, allocations: {{}}}}\n")
    };
    assert_refused(&api.send("POST", "", "application/yaml", &yaml("10.20.36.0/33")), 422, &["IPP102"]);
    assert_eq!(api.send("POST", "", "application/yaml", &yaml("10.20.36.0/24")).0, 201);
}
