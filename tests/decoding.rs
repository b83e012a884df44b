//! Envelopes of every shape, and bodies made to hurt.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use ippool_webhook::admission::{Endpoint, MalformedReason, Outcome, respond};
use ippool_webhook::finding::{Operation, Severity};
use ippool_webhook::kinds::ippool::{IpPool, Pool};
use ippool_webhook::lint;
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};
use testkit::review::{PERSON, UID, ask, causes, pool, review, warnings};

fn canonical() -> Value {
    pool(&json!({ "range": "10.0.0.0/24", "allocations": {} }))
}

fn create(object: &Value) -> Value {
    review("CREATE", PERSON, object, &Value::Null)
}

#[track_caller]
fn malformed(body: &[u8], reason: MalformedReason, says: &str) {
    for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
        let error = respond(endpoint, body, &Policy::default()).expect_err("no review");
        assert_eq!(error.reason, reason, "{error}");
        assert!(error.message.contains(says), "{error}");
        assert_eq!(error.to_string(), error.message);
    }
}

#[test]
fn a_body_that_is_not_a_review_is_malformed_and_says_why() {
    use MalformedReason::{EmptyBody, NotAReview, NotJson, WrongKind};
    malformed(b"", EmptyBody, "the request body is empty");
    malformed(b"\xff\xfe", NotJson, "not UTF-8");
    malformed(b"{", NotJson, "EOF");
    malformed(b"{} {}", NotJson, "trailing characters");
    malformed(b"\xef\xbb\xbf{}", NotJson, "not JSON");
    malformed(b"null", NotAReview, "AdmissionReview");
    malformed(b"[]", NotAReview, "AdmissionReview");
    malformed(b"{}", NotAReview, "apiVersion and kind must be admission.k8s.io/v1 AdmissionReview");
    let broken = |change: fn(&mut Value)| {
        let mut review = create(&canonical());
        change(&mut review);
        review.to_string().into_bytes()
    };
    malformed(&broken(|it| it["apiVersion"] = json!("admission.k8s.io/v1beta1")), NotAReview, "v1beta1");
    malformed(&broken(|it| it["request"] = Value::Null), NotAReview, "has no request");
    malformed(&broken(|it| it["request"] = json!(7)), NotAReview, "invalid type: number, expected an object");
    malformed(&broken(|it| it["request"]["uid"] = json!("")), NotAReview, "request.uid is missing");
    malformed(&broken(|it| it["request"]["uid"] = json!(7)), NotAReview, "invalid type: number");
    malformed(&broken(|it| it["request"]["operation"] = json!("PATCH")), NotAReview, "not \"PATCH\"");
    malformed(
        &broken(|it| drop(it["request"].as_object_mut().unwrap().remove("operation"))),
        NotAReview,
        "request.operation is missing",
    );
    malformed(
        &broken(|it| it["request"]["resource"]["resource"] = json!("pods")),
        WrongKind,
        "not resource \"pods\"",
    );
    malformed(
        &broken(|it| it["request"]["kind"]["kind"] = json!("Pod")),
        WrongKind,
        "not whereabouts.cni.cncf.io/v1alpha1 Pod",
    );
}

#[test]
fn subresources_and_connections_are_allowed_without_a_patch() {
    let bad = pool(&json!({ "range": "10.0.0.5/33" }));
    let mut status = create(&bad);
    status["request"]["subResource"] = json!("status");
    status["request"]["kind"] = json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" });
    for request in [status, review("CONNECT", PERSON, &bad, &Value::Null)] {
        for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
            assert_eq!(ask(endpoint, &request), json!({ "uid": UID, "allowed": true }));
        }
    }
}

#[test]
fn fields_that_are_null_absent_or_new_change_nothing() {
    let mut request = create(&canonical());
    for field in ["dryRun", "subResource", "name", "namespace", "oldObject", "options"] {
        request["request"][field] = Value::Null;
    }
    request["request"]["aFieldOfNextYear"] = json!([{ "deep": [1, 2, 3] }]);
    assert_eq!(ask(Endpoint::Validate, &request), json!({ "uid": UID, "allowed": true }));
}

#[test]
fn the_order_of_the_fields_changes_nothing() {
    let request = create(&pool(&json!({ "range": "10.0.0.0/33", "allocations": {} })));
    let fields = request["request"].as_object().unwrap();
    let reversed: Vec<_> =
        fields.iter().rev().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
    let body = format!(
        r#" {{ "request" : {{ {} }} , "kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}} "#,
        reversed.join(" ,\n ")
    );
    let answer = respond(Endpoint::Validate, body.as_bytes(), &Policy::default()).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["response"], ask(Endpoint::Validate, &request));
}

#[test]
fn an_object_that_cannot_be_read_is_denied_with_the_uid() {
    let body = create(&canonical()).to_string();
    for (value, why) in [("1e999", "number out of range"), (r#""\ud800""#, "unexpected end of hex escape")] {
        let body = body.replace("\"10.0.0.0/24\"", value);
        let answer = respond(Endpoint::Validate, body.as_bytes(), &Policy::default()).unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["response"]["uid"], UID);
        let causes = causes(&answer["response"]);
        assert_eq!(causes.len(), 1, "{causes:?}");
        let start = format!("spec: Invalid value: \"\": the object cannot be read: {why} at line 1");
        assert!(causes[0].starts_with(&start), "{causes:?}");
        assert!(causes[0].ends_with("[IPP101]"), "{causes:?}");
    }
}

#[test]
fn an_object_of_another_type_is_denied_like_an_empty_one() {
    for object in [Value::Null, json!(7), json!("x"), json!([1]), json!(true)] {
        let response = ask(Endpoint::Validate, &create(&object));
        assert_eq!(response["auditAnnotations"]["denied-by"], "IPP101,IPP201", "{object}");
    }
}

#[test]
fn deep_nesting_overflows_no_stack() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let body = create(&canonical()).to_string();
    for place in ["\"10.0.0.0/24\"", "{}", "\"IPPool\"", "false"] {
        let body = body.replacen(place, &deep, 1);
        // Which answer it is depends on the place; that there is one is the point.
        let _ = respond(Endpoint::Validate, body.as_bytes(), &Policy::default());
        let _ = respond(Endpoint::Mutate, body.as_bytes(), &Policy::default());
    }
}

#[test]
fn a_name_of_half_a_megabyte_costs_no_more_than_reading_it() {
    let mut object = canonical();
    object["metadata"]["name"] = json!("a-".repeat(1 << 18));
    let started = std::time::Instant::now();
    assert_eq!(ask(Endpoint::Validate, &create(&object))["allowed"], true);
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn more_entries_than_can_be_stored_are_counted_and_not_kept() {
    let entries: Vec<_> = (0..70_000).map(|n| format!("\"{n}\":{{\"id\":\"\",\"podref\":\"\"}}")).collect();
    let body = review("UPDATE", PERSON, &canonical(), &canonical()).to_string();
    let body = body.replacen("\"allocations\":{}", &format!("\"allocations\":{{{}}}", entries.join(",")), 1);
    let body = body.replace("10.0.0.0/24", "10.0.0.0/8");
    let answer = respond(Endpoint::Validate, body.as_bytes(), &Policy::default()).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["response"]["allowed"], true, "{:?}", causes(&answer["response"]));
    let first = &warnings(&answer["response"])[0];
    assert_eq!(
        first,
        "spec.allocations: Too many: 70000: must have at most 65536 items, of which the first were checked [IPP215]"
    );
}

#[test]
fn the_size_of_a_pool_is_measured_on_the_wire() {
    let entry = json!({ "id": "f".repeat(64), "podref": "default/web-0", "ifname": "net1" });
    let entries = |count: u32| (1..=count).map(|n| (n.to_string(), entry.clone())).collect();
    let large =
        |count| pool(&json!({ "range": "10.0.0.0/16", "allocations": Value::Object(entries(count)) }));
    let (near, nearer) = (large(9_000), large(9_001));
    assert!(near.to_string().len() > 1 << 20 && near.to_string().len() < 3 << 19);
    let said = |request: &Value| {
        let warnings = warnings(&ask(Endpoint::Validate, request));
        warnings.into_iter().filter(|it| it.contains("IPP215")).collect::<Vec<_>>()
    };
    let share = near.to_string().len() * 100 / (3 << 19);
    let expected = format!(
        "spec.allocations: Too long: 9000 entries take {share} % of what etcd stores; past that every write fails [IPP215]"
    );
    assert_eq!(said(&create(&near)), [expected]);
    assert!(said(&review("UPDATE", PERSON, &nearer, &near))[0].contains("IPP215, preexisting"));
    assert_eq!(said(&create(&large(1_000))), [""; 0]);
}

#[test]
fn foreign_text_in_a_response_is_short_and_printable() {
    let key = "\u{202e}\n\u{1b}[31m".repeat(1_000);
    let object = pool(&json!({ "range": "10.0.0.0/24\n", "allocations": { key: {} } }));
    let response = ask(Endpoint::Validate, &create(&object));
    let texts = causes(&response).into_iter().chain(warnings(&response));
    for text in texts {
        assert!(text.chars().count() < 400, "{text}");
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
        assert!(text.contains("[IPP"), "{text}");
    }
}

#[test]
fn the_record_has_the_names_and_the_numbers_of_the_request() {
    let mut request = create(&pool(&json!({ "range": "10.0.0.0/33", "allocations": {} })));
    request["request"]["dryRun"] = json!(true);
    let record =
        respond(Endpoint::Validate, request.to_string().as_bytes(), &Policy::default()).unwrap().record;
    let names = [&record.uid, &record.username, &record.namespace, &record.name];
    assert_eq!(names, [UID, PERSON, "kube-system", "10.0.0.0-33"]);
    assert_eq!((record.operation, record.outcome), (Operation::Create, Outcome::Denied));
    assert!(record.dry_run && !record.trusted && !record.untrusted_plugin_write);
    let findings: Vec<_> = record.findings.iter().map(|it| (it.rule.id, it.severity, it.findings)).collect();
    assert_eq!((findings, record.would_deny), (vec![("IPP102", Severity::Deny, 1)], 0));
}

/// The beginning of what is said of a pool with a value of each JSON type in place of a field.
fn said_of_each_type(path: &str) -> [String; 7] {
    let pointer = format!("/{}", path.replace('.', "/").replace("[1]", "/1"));
    let types =
        [Value::Null, json!([7]), json!(true), json!(-7), json!(7.5), json!("a b"), json!({ "a": [7] })];
    types.map(|value| {
        let entry = json!({ "id": "a", "podref": "a/b", "ifname": "eth0" });
        let mut object = pool(&json!({ "range": "10.0.0.0/24", "allocations": { "1": entry } }));
        *object.pointer_mut(&pointer).unwrap() = value;
        let text = object.to_string();
        let pool = Pool::parse(&text).unwrap();
        let findings = lint::<IpPool>(&pool, &Policy::default());
        let said = findings.first().map(ToString::to_string).unwrap_or_default();
        said.split(": must").next().unwrap().to_owned()
    })
}

#[test]
fn a_value_of_another_type_is_named_by_its_type() {
    let wrong = |path: &str| {
        ["array", "boolean", "number", "number"].map(|found| format!("{path}: Invalid value: \"{found}\""))
    };
    for (path, null) in [
        ("spec.range", "spec.range: Required value"),
        ("spec.allocations[1].podref", "spec.allocations[1].podref: Required value"),
        ("spec.allocations[1].ifname", ""),
    ] {
        let said = said_of_each_type(path);
        assert_eq!((said[0].as_str(), &said[1..5]), (null, wrong(path).as_slice()));
        assert_eq!(said[6], format!("{path}: Invalid value: \"object\""));
    }
    for path in ["spec", "spec.allocations", "spec.allocations[1]"] {
        let said = said_of_each_type(path);
        assert_eq!((&said[0], &said[1..5]), (&format!("{path}: Required value"), wrong(path).as_slice()));
        assert_eq!(said[5], format!("{path}: Invalid value: \"string\""));
    }
}
