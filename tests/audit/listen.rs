//! `audit --listen`: what it serves, and watches that break. `cluster/audit/listen.rs` watches a real control plane.

use std::sync::Mutex;

use serde_json::{Value, json};
use testkit::apiserver::status;
use testkit::program::Watching;

use crate::objects::{entry, pod, pool_of};

const LEAKED: &str = "ippool_leaked{namespace=\"kube-system\",pool=\"10.0.9.0-24\"}";

/// What an apiserver says of these objects to a list, and to a watch what is next in `watches`; then the watch fails.
fn answer(target: &str, pods: &[Value], watches: &Mutex<Vec<(u16, Value)>>) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap();
    if query.contains("watch=") {
        let of_pods = path.ends_with("/pods").then(|| watches.lock().unwrap().pop()).flatten();
        return of_pods.unwrap_or_else(|| status(500, "InternalError"));
    }
    let items = match path.rsplit('/').next() {
        Some("ippools") => vec![with_version(pool_of(&[("1", entry("default/web-0"))]))],
        Some("pods") => pods.iter().cloned().map(with_version).collect(),
        _ => Vec::new(),
    };
    (200, json!({ "kind": "List", "metadata": { "resourceVersion": "1" }, "items": items }))
}

fn with_version(mut object: Value) -> Value {
    object["metadata"]["resourceVersion"] = json!("1");
    object
}

#[tokio::test]
async fn a_watch_that_breaks_is_resumed_where_it_was() {
    let pods = [pod("default/web-0", &["10.0.9.1"])];
    // After an error of the apiserver, the next watch tells that the pod was deleted.
    let deleted = (200, json!({ "type": "DELETED", "object": with_version(pods[0].clone()) }));
    let watches = Mutex::new(vec![deleted, status(500, "InternalError")]);
    let audit = Watching::start(move |target| answer(target, &pods, &watches));
    audit.until("/metrics", 200, |text| text.contains(&format!("{LEAKED} 0.0\n"))).await;
    audit.until("/metrics", 200, |text| text.contains(&format!("{LEAKED} 1.0\n"))).await;
    let (_, text) = audit.admin("/metrics").await;
    assert!(!text.contains("ippool_audit_watch_errors_total{kind=\"Pod\"} 0\n"), "{text}");
}

#[tokio::test]
async fn a_watch_that_is_too_old_lists_again() {
    let expired = status(410, "Expired");
    let watches = Mutex::new(vec![(200, json!({ "type": "ERROR", "object": expired.1 }))]);
    let lists = Mutex::new(0);
    let audit = Watching::start(move |target| {
        let mut lists = lists.lock().unwrap();
        *lists += usize::from(target.contains("/pods?") && !target.contains("watch="));
        let pods = if *lists < 2 { vec![pod("default/web-0", &["10.0.9.1"])] } else { Vec::new() };
        answer(target, &pods, &watches)
    });
    audit.until("/metrics", 200, |text| text.contains(&format!("{LEAKED} 1.0\n"))).await;
}

#[tokio::test]
async fn it_is_ready_once_every_kind_was_listed() {
    let nothing = Mutex::new(Vec::new());
    let are_pods_listed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let listed = std::sync::Arc::clone(&are_pods_listed);
    let audit = Watching::start(move |target| {
        if target.contains("/pods?") && !listed.load(std::sync::atomic::Ordering::Relaxed) {
            return status(500, "InternalError");
        }
        answer(target, &[], &nothing)
    });
    audit.until("/readyz", 503, |why| why == "Pods are not listed yet\n").await;
    assert_eq!(audit.admin("/").await, (503, "Pods are not listed yet\n".to_owned()));
    assert_eq!(audit.admin("/livez").await, (200, "ok\n".to_owned()));
    are_pods_listed.store(true, std::sync::atomic::Ordering::Relaxed);
    audit.until("/readyz", 200, |text| text == "ok\n").await;
    let (code, page) = audit.admin("/").await;
    assert_eq!(code, 200);
    assert!(page.starts_with("<!doctype html>") && page.contains("10.0.9.0-24"), "{page}");
    assert_eq!(audit.admin("/other").await.0, 404);
}
