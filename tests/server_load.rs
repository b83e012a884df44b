//! Overload and panics: memory stays bounded, clients are sent to another replica, and the server survives.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use ippool_webhook::admission::respond;
use ippool_webhook::server::{Evaluate, Limits};
use testkit::client::{Caller, header, soon};
use testkit::server::{ALLOWED, DENIED, Gate, Running, quick};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

type Connection = Caller<TlsStream<TcpStream>>;

const BUSY: &str = "ippool_webhook_connections{listener=\"webhook\",state=\"busy\"}";

/// Memory for one of the longest bodies, and a short queue timeout.
fn narrow(limits: &mut Limits) {
    limits.max_body_bytes = 16 * 1024;
    limits.max_in_flight_bytes = 16 * 1024;
    limits.queue = Duration::from_millis(100);
    limits.inline_bytes = 0;
}

async fn narrow_server(evaluate: Evaluate) -> Running {
    let mut config = quick();
    narrow(&mut config.limits);
    Running::start_with(config, evaluate).await
}

fn padded(length: usize) -> String {
    format!("{ALLOWED:<length$}")
}

#[tokio::test]
async fn a_review_beyond_the_memory_budget_gets_503_and_a_retry() {
    let gate = Gate::closed();
    let server = narrow_server(gate.evaluate()).await;
    let mut first = server.caller().await;
    first.send(&(header("/validate", 16 * 1024) + &padded(16 * 1024))).await;
    gate.entered().await;
    assert_eq!(server.metric("ippool_webhook_in_flight_bytes").await, 16.0 * 1024.0);

    let mut second = server.caller().await;
    let reply = second.post("/validate", ALLOWED).await;
    let message = reply.assert_status(503, "ServiceUnavailable");
    assert!(message.contains("--max-in-flight-bytes"), "{message}");
    assert_eq!(reply.header("retry-after"), Some("0"));
    assert!(
        reply.closes() && second.is_cut().await,
        "otherwise the apiserver would try the same replica again"
    );
    assert_eq!(server.rejected("memory").await, 1.0);

    gate.open();
    assert_eq!(first.answer().await.status, 200);
    server.until_metric("ippool_webhook_in_flight_bytes", 0.0).await;
}

/// A server with a long queue timeout, whose memory is held by a review that waits at `gate`.
async fn full_and_patient(gate: &Gate) -> (Running, Connection) {
    let mut config = quick();
    narrow(&mut config.limits);
    config.limits.queue = testkit::client::PATIENCE;
    let server = Running::start_with(config, gate.evaluate()).await;
    let mut first = server.caller().await;
    first.send(&(header("/validate", 16 * 1024) + &padded(16 * 1024))).await;
    gate.entered().await;
    (server, first)
}

#[tokio::test]
async fn a_review_that_waits_for_memory_is_answered_when_some_is_free() {
    let gate = Gate::closed();
    let (server, mut first) = full_and_patient(&gate).await;
    let mut second = server.caller().await;
    second.send(&(header("/validate", ALLOWED.len()) + ALLOWED)).await;
    gate.open();
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn a_review_with_a_short_timeout_gets_503_with_time_to_retry() {
    let gate = Gate::closed();
    let (server, _first) = full_and_patient(&gate).await;
    let started = Instant::now();
    let reply = server.caller().await.post("/validate?timeout=3s", ALLOWED).await;
    reply.assert_status(503, "ServiceUnavailable");
    assert!(started.elapsed() < Duration::from_secs(2), "there is time left to ask elsewhere");
}

#[tokio::test]
async fn a_body_holds_memory_only_for_the_bytes_that_arrived() {
    let server = narrow_server(Arc::new(respond)).await;
    let mut caller = server.caller().await;
    let head = header("/validate", 0).replace("content-length: 0", "transfer-encoding: chunked");
    caller.send(&head).await;
    server.until_metric(BUSY, 1.0).await;
    assert_eq!(server.metric("ippool_webhook_in_flight_bytes").await, 0.0);
    caller.send("a\r\n0123456789\r\n").await;
    server.until_metric("ippool_webhook_in_flight_bytes", 10.0).await;
    drop(caller);
    server.until_metric("ippool_webhook_in_flight_bytes", 0.0).await;
}

#[tokio::test]
async fn a_review_without_a_free_processor_gets_503() {
    let gate = Gate::closed();
    let mut config = quick();
    narrow(&mut config.limits);
    config.limits.concurrent_reviews = 1;
    // Enough for both, so that the second waits for a processor and not for memory.
    config.limits.max_in_flight_bytes = 128 * 1024;
    let server = Running::start_with(config, gate.evaluate()).await;
    let mut first = server.caller().await;
    first.send(&(header("/validate", ALLOWED.len()) + ALLOWED)).await;
    gate.entered().await;
    let reply = server.caller().await.post("/validate", ALLOWED).await;
    let message = reply.assert_status(503, "ServiceUnavailable");
    assert!(message.contains("processor"), "{message}");
}

/// Panics on a review that would be denied.
fn fragile() -> Evaluate {
    Arc::new(|endpoint, body, policy| {
        assert!(!String::from_utf8_lossy(body).contains("/33"), "a bug, for the test");
        respond(endpoint, body, policy)
    })
}

#[tokio::test]
async fn a_panic_gets_500_and_is_counted_and_the_server_survives() {
    for inline_bytes in [0, usize::MAX] {
        let mut config = quick();
        config.limits.inline_bytes = inline_bytes;
        let server = Running::start_with(config, fragile()).await;
        let mut caller = server.caller().await;
        let reply = caller.post("/validate", DENIED).await;
        let message = reply.assert_status(500, "InternalError");
        assert!(message.contains("log") && !message.contains("a bug"), "{message}");
        assert_eq!(caller.post("/validate", ALLOWED).await.status, 200, "the connection is still served");
        assert_eq!(server.rejected("panic").await, 1.0);
        let errors = "ippool_webhook_reviews_total\
                      {endpoint=\"validate\",operation=\"unknown\",writer=\"other\",outcome=\"error\"}";
        assert_eq!(server.metric(errors).await, 1.0);
        assert_eq!(server.metric("ippool_webhook_in_flight_bytes").await, 0.0, "its memory is released");
    }
}

#[tokio::test]
async fn an_idle_connection_is_evicted_at_the_connection_limit() {
    let mut config = quick();
    config.limits.connections = 1;
    let server = Running::start_with(config, Arc::new(respond)).await;
    let mut first = server.caller().await;
    assert_eq!(first.post("/validate", ALLOWED).await.status, 200);
    assert_eq!(server.metric("ippool_webhook_connections{listener=\"webhook\",state=\"idle\"}").await, 1.0);
    let mut second = server.caller().await;
    assert_eq!(second.post("/validate", ALLOWED).await.status, 200);
    assert!(first.is_cut().await);
    let evicted = "ippool_webhook_connections_evicted_total{listener=\"webhook\",state=\"idle\"}";
    assert_eq!(server.metric(evicted).await, 1.0);
}

/// Opens connections to a server without room for more: one that had a review, one that had another request, and one
/// that had none. Asserts the order in which new ones, which have reviews, replace them.
async fn assert_evicted_in_order(recent: Duration, order: [usize; 3]) {
    let mut config = quick();
    (config.limits.connections, config.limits.recent) = (3, recent);
    let server = Running::start_with(config, Arc::new(respond)).await;
    let mut open: Vec<Option<Connection>> = Vec::new();
    for path in ["/validate", "/nowhere"] {
        let mut caller = server.caller().await;
        caller.post(path, ALLOWED).await;
        open.push(Some(caller));
    }
    open.push(Some(server.caller().await));
    let mut kept = Vec::new();
    for evicted in order {
        let mut new = server.caller().await;
        assert_eq!(new.post("/validate", ALLOWED).await.status, 200);
        kept.push(new);
        assert!(open[evicted].take().unwrap().is_cut().await, "{evicted}");
    }
}

#[tokio::test]
async fn unused_connections_are_evicted_first_and_reviewed_ones_last() {
    assert_evicted_in_order(testkit::client::PATIENCE, [2, 1, 0]).await;
}

#[tokio::test]
async fn a_review_long_ago_ranks_like_any_other_request() {
    assert_evicted_in_order(Duration::ZERO, [2, 0, 1]).await;
}

#[tokio::test]
async fn only_one_connection_is_evicted_at_a_time() {
    let mut config = quick();
    config.limits.connections = 2;
    config.limits.discard = Duration::ZERO;
    config.limits.linger = testkit::client::PATIENCE;
    let server = Running::start_with(config, Arc::new(respond)).await;
    // Its body is not read, so its end takes a while.
    let mut lingering = server.caller().await;
    lingering.send(&header("/nowhere", 1000)).await;
    assert!(lingering.answer().await.closes());
    let mut idle = server.caller().await;
    assert_eq!(idle.post("/validate", ALLOWED).await.status, 200);
    assert_eq!(server.caller().await.post("/validate", ALLOWED).await.status, 200);
    assert_eq!(idle.post("/validate", ALLOWED).await.status, 200, "it was not evicted, too");
    let evicted = "ippool_webhook_connections_evicted_total{listener=\"webhook\",state=\"idle\"}";
    assert_eq!(server.metric(evicted).await, 1.0);
}

#[tokio::test]
async fn a_new_connection_waits_while_each_open_one_has_a_request() {
    let mut config = quick();
    config.limits.connections = 1;
    let server = Running::start_with(config, Arc::new(respond)).await;
    let mut first = server.caller().await;
    first.send(&header("/validate", ALLOWED.len())).await;
    server.until_metric(BUSY, 1.0).await;
    let second =
        tokio::spawn(testkit::client::connect(server.address, testkit::client::client(&server.ca, None)));
    // The first is still answered while the second waits.
    first.send(ALLOWED).await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = Caller(soon(second).await.unwrap().unwrap());
    assert_eq!(second.post("/validate", ALLOWED).await.status, 200);
}

#[tokio::test]
async fn metrics_start_at_zero_and_count_reviews() {
    let server = Running::start().await;
    let denied = "ippool_webhook_reviews_total\
                  {endpoint=\"validate\",operation=\"CREATE\",writer=\"other\",outcome=\"denied\"}";
    let failed = "ippool_webhook_reviews_total\
                  {endpoint=\"validate\",operation=\"unknown\",writer=\"other\",outcome=\"error\"}";
    let found = "ippool_webhook_findings_total{rule=\"IPP102\",severity=\"deny\"}";
    let (_, text) = server.admin("/metrics").await;
    for series in [denied, failed, found, "ippool_webhook_in_flight_bytes"] {
        assert!(text.contains(&format!("{series} 0\n")), "{series} is not there from the start:\n{text}");
    }
    let build = format!("ippool_webhook_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&build) && text.ends_with("# EOF\n"), "{text}");

    server.caller().await.post("/validate", DENIED).await;
    assert_eq!(server.metric(denied).await, 1.0);
    assert_eq!(server.metric(found).await, 1.0);
    let duration = "ippool_webhook_review_duration_seconds_count{endpoint=\"validate\"}";
    assert_eq!(server.metric(duration).await, 1.0);
    for state in ["idle", "busy"] {
        server.until_metric(&BUSY.replace("busy", state), 0.0).await;
    }
    assert_eq!(server.metric("ippool_webhook_request_bytes_sum").await, DENIED.len() as f64);
}

#[tokio::test]
async fn the_text_of_a_request_never_becomes_a_metric_label() {
    let server = Running::start().await;
    let mut caller = server.caller().await;
    let named =
        DENIED.replace("bad-cidr", "a-name-to-look-for").replace("\"admin\"", "\"a-user-to-look-for\"");
    caller.post("/validate", &named).await;
    caller.post("/a-name-to-look-for", "").await;
    let (_, text) = server.admin("/metrics").await;
    assert!(!text.contains("to-look-for"), "{text}");
}

#[tokio::test]
async fn the_admin_port_serves_three_paths_and_404_for_others() {
    let server = Running::start().await;
    assert_eq!(server.admin("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(server.admin("/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(server.admin("/validate").await.0, 404);
}
