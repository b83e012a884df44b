//! `dryRun` and `fieldValidation`.

use serde_json::{Value, json};

use super::{APPLY, Api, JSON, JSON_PATCH, MERGE_PATCH, assert_refused, assert_status, pool};

#[test]
fn a_dry_run_is_reviewed_and_stores_nothing() {
    let api = Api::new();
    let mut written = pool("10.20.20.5/24", &[]);
    written["metadata"]["name"] = json!("10.20.20.0-24");
    let (code, normalized) = api.create("?dryRun=All", &written);
    assert_eq!((code, &normalized["spec"]["range"]), (201, &json!("10.20.20.0/24")));
    assert_eq!(api.get("/10.20.20.0-24").0, 404);
    assert_refused(&api.create("?dryRun=All", &pool("10.20.20.0/24", &["-1"])), 422, &["IPP205"]);
    let stored = api.made(&pool("10.20.20.0/24", &["5"]));
    let mut next = stored.clone();
    next["spec"]["allocations"] = json!({});
    let put = |next: &Value| api.send("PUT", "/10.20.20.0-24?dryRun=All", JSON, &next.to_string());
    assert_eq!(put(&next).0, 200);
    next["spec"]["range"] = json!("10.20.20.0");
    assert_refused(&put(&next), 422, &["IPP102"]);
    let patch = |range: &str| {
        let patch = json!({ "spec": { "range": range } }).to_string();
        api.send("PATCH", "/10.20.20.0-24?dryRun=All", MERGE_PATCH, &patch)
    };
    assert_eq!(patch("10.20.20.0/024").0, 200);
    assert_refused(&patch("10.20.0.0/16"), 422, &["IPP401", "IPP301"]);
    assert_eq!(api.delete("/10.20.20.0-24?dryRun=All", &Value::Null).0, 200);
    assert_eq!(api.get("/10.20.20.0-24"), (200, stored));
}

#[test]
fn an_unknown_dry_run_is_rejected_before_any_rule_runs() {
    let api = Api::new();
    api.made(&pool("10.20.21.0/24", &[]));
    let bad = pool("10.20.21.0/33", &[]);
    let words = "Unsupported value: [\"Some\"]";
    assert_status(&api.create("?dryRun=Some", &bad), 422, "Invalid", words);
    let put = api.send("PUT", "/10.20.21.0-24?dryRun=Some", JSON, &bad.to_string());
    assert_status(&put, 422, "Invalid", words);
    let patch = api.send("PATCH", "/10.20.21.0-24?dryRun=Some", MERGE_PATCH, "{}");
    assert_status(&patch, 422, "Invalid", words);
    assert_status(&api.delete("/10.20.21.0-24?dryRun=Some", &Value::Null), 422, "Invalid", words);
    assert_status(&api.delete("?dryRun=Some", &Value::Null), 422, "Invalid", words);
}

#[test]
fn field_validation_decides_over_fields_the_schema_does_not_know() {
    let api = Api::new();
    let mut unknown = pool("10.20.22.0/24", &[]);
    unknown["spec"]["exclude"] = json!(["10.20.22.1/32"]);
    for mode in ["Ignore", "Warn"] {
        let (code, stored) = api.create(&format!("?dryRun=All&fieldValidation={mode}"), &unknown);
        assert_eq!((code, &stored["spec"]["exclude"]), (201, &Value::Null), "{mode}: {stored}");
    }
    let strict = api.create("?fieldValidation=Strict", &unknown);
    assert_status(&strict, 400, "BadRequest", "unknown field \"spec.exclude\"");
    let neither = api.create("?fieldValidation=Maybe", &unknown);
    assert_status(&neither, 422, "Invalid", "Unsupported value: \"Maybe\"");
    unknown["spec"]["range"] = json!("10.20.22.0/33");
    assert_refused(&api.create("?fieldValidation=Ignore", &unknown), 422, &["IPP102"]);
    assert_refused(&api.create("?fieldValidation=Warn", &unknown), 422, &["IPP102"]);
}

#[test]
fn field_validation_decides_on_duplicate_fields_and_the_last_counts() {
    let api = Api::new();
    let twice = |first: &str, second: &str| {
        let pool = pool("10.20.23.0/24", &[]).to_string();
        pool.replace("\"range\":\"10.20.23.0/24\"", &format!("\"range\":\"{first}\",\"range\":\"{second}\""))
    };
    let (good, bad) = ("10.20.23.0/24", "10.20.23.0/33");
    for mode in ["Ignore", "Warn"] {
        let query = format!("?dryRun=All&fieldValidation={mode}");
        let (code, stored) = api.send("POST", &query, JSON, &twice(bad, good));
        assert_eq!((code, &stored["spec"]["range"]), (201, &json!(good)), "{mode}");
        assert_refused(&api.send("POST", &query, JSON, &twice(good, bad)), 422, &["IPP102"]);
    }
    let strict = api.send("POST", "?fieldValidation=Strict", JSON, &twice(good, good));
    assert_status(&strict, 400, "BadRequest", "duplicate field \"spec.range\"");
}

#[test]
fn field_validation_reaches_replace_and_every_patch() {
    let api = Api::new();
    let stored = api.made(&pool("10.20.24.0/24", &[]));
    let mut unknown = stored.clone();
    unknown["spec"]["exclude"] = json!([]);
    let patch = json!({ "spec": { "exclude": [] } });
    let operations = json!([{ "op": "add", "path": "/spec/exclude", "value": [] }]);
    let mut applied = pool("10.20.24.0/24", &[]);
    applied["spec"]["exclude"] = json!([]);
    let requests =
        [("PUT", JSON, &unknown), ("PATCH", MERGE_PATCH, &patch), ("PATCH", JSON_PATCH, &operations)];
    for (method, content_type, body) in requests {
        let send = |mode: &str| {
            let rest = format!("/10.20.24.0-24?dryRun=All&fieldValidation={mode}");
            api.send(method, &rest, content_type, &body.to_string())
        };
        assert_eq!((send("Ignore").0, send("Warn").0), (200, 200), "{method} {content_type}");
        let (code, status) = send("Strict");
        assert!([400, 422].contains(&code), "{method} {content_type}: {status}");
        assert!(status["message"].as_str().unwrap().contains("unknown field \"spec.exclude\""), "{status}");
    }
    let rest = "/10.20.24.0-24?fieldManager=one&dryRun=All&fieldValidation=Strict";
    let (code, status) = api.send("PATCH", rest, APPLY, &applied.to_string());
    assert!([400, 422, 500].contains(&code), "{status}");
}
