//! The webhook registered and not there: what goes through, how fast, and what is refused. The table of it in
//! `docs/gitops-and-restore.md` is made by `tests/deploy/down.rs`.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::plane::{Identity, Plane};
use super::pools::{JSON, MERGE_PATCH, PoolApi, pool};
use super::process::awaited;
use super::webhook::{Hook, Webhook, register_at};

/// For a request that nothing holds up, on a machine that is busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(3);

const FAILED: &str = "failed calling webhook \"validate.ippools.whereabouts.cni.cncf.io\"";

fn api<'a>(plane: &'a Plane, namespace: &'a str, identity: Identity<'a>) -> PoolApi<'a> {
    PoolApi { plane, namespace, identity }
}

/// A namespace with these pools of one allocation each, made while nothing is registered.
fn namespace_with(plane: &Plane, namespace: &str, ranges: &[&str]) {
    plane.kubectl(&["create", "namespace", namespace]).ok();
    for range in ranges {
        let mut pool = pool(range, &["1", "2"]);
        pool["metadata"]["labels"] = json!({ "team": "net" });
        let (code, answer) = api(plane, namespace, Identity::Admin).create(&pool);
        assert_eq!(code, 201, "{answer}");
    }
}

/// Runs `request`, which is to succeed before `limit`.
#[track_caller]
fn passes(what: &str, limit: Duration, request: impl FnOnce() -> (u16, Value)) -> Duration {
    let start = Instant::now();
    let (code, answer) = request();
    assert!(matches!(code, 200 | 201), "{what}: {code} {answer}");
    let took = start.elapsed();
    assert!(took < limit, "{what} took {took:?}");
    took
}

/// A request that waits for the webhook, and is refused with what the apiserver says of that.
#[track_caller]
fn is_refused(what: &str, (code, answer): (u16, Value)) {
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(code == 500 && message.contains(FAILED), "{what}: {code} {message}");
}

/// A merge patch of `metadata`.
fn merged(metadata: &Value) -> String {
    json!({ "metadata": metadata }).to_string()
}

/// A control plane in which the webhook was in force and has gone.
fn bereft(name: &str, prepare: impl FnOnce(&Plane)) -> Plane {
    let plane = Plane::start(name);
    prepare(&plane);
    let webhook = Webhook::serve(&plane, &[]);
    webhook.register(&plane, &[Hook::Normalize, Hook::Validate]);
    drop(webhook);
    plane
}

#[test]
fn while_it_is_down_metadata_and_deletions_go_through_at_once() {
    let plane = bereft("down", |plane| {
        namespace_with(plane, "going", &["10.31.0.0/24", "10.31.1.0/24", "10.31.2.0/24", "10.31.3.0/24"]);
        namespace_with(plane, "held", &["10.31.4.0/24"]);
    });
    let (held, going) = (api(&plane, "held", Identity::Admin), api(&plane, "going", Identity::Admin));
    let patch = |patch: Value| held.send("PATCH", "/10.31.4.0-24", MERGE_PATCH, &merged(&patch));
    passes("a label", AT_ONCE, || patch(json!({ "labels": { "a": "b" } })));
    passes("an annotation", AT_ONCE, || patch(json!({ "annotations": { "a": "b" } })));
    passes("a finalizer", AT_ONCE, || patch(json!({ "finalizers": ["example.com/held"] })));
    passes("a DELETE", AT_ONCE, || held.send("DELETE", "/10.31.4.0-24", JSON, ""));
    passes("a label of a pool that goes", AT_ONCE, || patch(json!({ "labels": { "a": null } })));
    passes("the finalizer's removal", AT_ONCE, || patch(json!({ "finalizers": null })));
    assert_eq!(held.send("GET", "/10.31.4.0-24", JSON, "").0, 404);
    passes("a deletecollection", AT_ONCE, || going.send("DELETE", "", JSON, ""));
    assert_eq!(going.send("GET", "", JSON, "").1["items"], json!([]));
}

#[test]
fn while_it_is_down_a_trusted_writer_creates_and_updates_at_once() {
    let plane = bereft("down-trusted", |_| {});
    let token = plane.token("kube-system", "whereabouts");
    let plugin = api(&plane, "kube-system", Identity::Token(&token));
    passes("a CREATE", AT_ONCE, || plugin.create(&pool("10.32.0.0/24", &[])));
    let entry = json!({ "id": "c1", "ifname": "net1", "podref": "default/web-1" });
    let add = json!([{ "op": "add", "path": "/spec/allocations/1", "value": entry }]);
    let (code, stored) = plugin.patch("10.32.0.0-24", &add);
    assert_eq!((code, &stored["spec"]["allocations"]["1"]), (200, &entry));
    let remove = json!([{ "op": "remove", "path": "/spec/allocations/1" }]);
    passes("a release", AT_ONCE, || plugin.patch("10.32.0.0-24", &remove));
}

#[test]
fn while_it_is_down_a_spec_that_a_person_writes_is_rejected() {
    let plane = bereft("down-person", |plane| namespace_with(plane, "people", &["10.33.0.0/24"]));
    let person = api(&plane, "people", Identity::Admin);
    let patch = |operation: Value| person.patch("10.33.0.0-24", &json!([operation]));
    is_refused("a CREATE", person.create(&pool("10.33.1.0/24", &[])));
    is_refused(
        "another range",
        patch(json!({ "op": "replace", "path": "/spec/range", "value": "10.33.0.0/25" })),
    );
    let entry = json!({ "id": "c3", "ifname": "net1", "podref": "default/web-3" });
    is_refused("an entry", patch(json!({ "op": "add", "path": "/spec/allocations/3", "value": entry })));
    is_refused("a leaked entry's removal", patch(json!({ "op": "remove", "path": "/spec/allocations/2" })));
    let (_, stored) = person.send("GET", "/10.33.0.0-24", JSON, "");
    assert_eq!(stored["metadata"]["generation"], 1, "{stored}");
    // As the alerts of `docs/operating.md` read them.
    let metrics = plane.kubectl(&["get", "--raw", "/metrics"]).ok();
    let group = "ippools.whereabouts.cni.cncf.io";
    for series in [
        format!("rejection_count{{error_type=\"calling_webhook_error\",name=\"validate.{group}\","),
        format!("fail_open_count{{name=\"normalize.{group}\","),
    ] {
        assert!(metrics.contains(&format!("\napiserver_admission_webhook_{series}")), "{series}");
    }
}

#[test]
fn a_webhook_that_never_answers_holds_each_deletion_for_a_second() {
    let plane = Plane::start("silent");
    namespace_with(&plane, "silent", &["10.34.0.0/24", "10.34.1.0/24", "10.34.2.0/24", "10.34.3.0/24"]);
    // Connections are taken by the kernel, and nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    register_at(&plane, silent.local_addr().unwrap(), &plane.ca, &[Hook::Normalize, Hook::Validate]);
    let api = api(&plane, "silent", Identity::Admin);
    let dry_run =
        || passes("a dry run", AT_ONCE * 2, || api.send("DELETE", "/10.34.0.0-24?dryRun=All", JSON, ""));
    let second = Duration::from_secs(1);
    awaited("the deletion to wait for the webhook", || (dry_run() >= second).then_some(()));
    let label = merged(&json!({ "labels": { "a": "b" } }));
    passes("a label", second, || api.send("PATCH", "/10.34.0.0-24", MERGE_PATCH, &label));
    let took = passes("a DELETE", second + AT_ONCE, || api.send("DELETE", "/10.34.0.0-24", JSON, ""));
    assert!(took >= second, "{took:?}");
    passes("a deletecollection", 3 * second + AT_ONCE, || api.send("DELETE", "", JSON, ""));
    assert_eq!(api.send("GET", "", JSON, "").1["items"], json!([]));
}
