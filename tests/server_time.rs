//! Timeouts: every silence has its bound, and the bound between two requests is long.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use ippool_webhook::admission::respond;
use ippool_webhook::server::{Config, Limits};
use testkit::client::{Caller, header};
use testkit::server::{ALLOWED, Gate, Running, quick};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Short enough to wait for, long enough to be told from at once.
const SHORT: Duration = Duration::from_millis(300);

async fn with_limits(change: impl FnOnce(&mut Limits)) -> Running {
    let mut config: Config = quick();
    change(&mut config.limits);
    Running::start_with(config, Arc::new(respond)).await
}

#[tokio::test]
async fn a_stalled_handshake_is_closed() {
    let server = with_limits(|limits| limits.handshake = SHORT).await;
    let started = Instant::now();
    assert!(Caller(TcpStream::connect(server.address).await.unwrap()).is_cut().await);
    assert!(started.elapsed() >= SHORT);
    server.until_metric("ippool_webhook_tls_handshakes_failed_total{reason=\"timeout\"}", 1.0).await;
}

#[tokio::test]
async fn a_stalled_header_is_closed() {
    let server = with_limits(|limits| limits.header = SHORT).await;
    let mut caller = server.caller().await;
    caller.send("POST /validate HTTP/1.1\r\nhost: local").await;
    let started = Instant::now();
    assert!(caller.is_cut().await);
    assert!(
        started.elapsed() < testkit::client::PATIENCE / 2,
        "by the bound of a header, not of an idle connection"
    );
}

#[tokio::test]
async fn a_header_that_arrives_byte_by_byte_is_closed() {
    let server = with_limits(|limits| limits.header = SHORT).await;
    let mut caller = server.caller().await;
    caller.send("POST /validate HTTP/1.1\r\nx: ").await;
    let mut trickle = tokio::time::interval(SHORT / 10);
    let cut = async {
        let (mut read, mut write) = tokio::io::split(&mut caller.0);
        let trickling = async {
            while tokio::io::AsyncWriteExt::write_all(&mut write, b"a").await.is_ok() {
                let _ = tokio::io::AsyncWriteExt::flush(&mut write).await;
                trickle.tick().await;
            }
        };
        let mut byte = [0];
        tokio::select! {
            () = trickling => {}
            _ = tokio::io::AsyncReadExt::read(&mut read, &mut byte) => {}
        }
    };
    testkit::client::soon(cut).await;
}

#[tokio::test]
async fn a_stalled_header_of_a_second_request_is_closed() {
    let server = with_limits(|limits| limits.header = SHORT).await;
    let mut caller = server.caller().await;
    assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    caller.send("POST /val").await;
    assert!(caller.is_cut().await);
}

#[tokio::test]
async fn silence_between_requests_is_not_a_stalled_header() {
    let server = with_limits(|limits| limits.header = SHORT).await;
    let mut caller = server.caller().await;
    for _ in 0..2 {
        // The time itself is what is tested: longer than a header may take, on a connection that is idle.
        tokio::time::sleep(SHORT * 2).await;
        assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_bound_and_not_before() {
    let server = with_limits(|limits| limits.idle = SHORT).await;
    let mut caller = server.caller().await;
    assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    let started = Instant::now();
    assert!(caller.is_cut().await);
    assert!(started.elapsed() >= SHORT.mul_f32(0.9), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_connection_without_any_request_is_closed() {
    let server = with_limits(|limits| limits.idle = SHORT).await;
    assert!(server.caller().await.is_cut().await);
}

#[tokio::test]
async fn a_stalled_body_gets_408_and_closes_the_connection() {
    let server = with_limits(|limits| limits.body = SHORT).await;
    let mut caller = server.caller().await;
    caller.send(&header("/validate", ALLOWED.len())).await;
    caller.send(&ALLOWED[..10]).await;
    let reply = caller.answer().await;
    let message = reply.assert_status(408, "Timeout");
    assert!(message.contains("within 0.3 s"), "{message}");
    assert!(reply.closes() && caller.is_cut().await);
    assert_eq!(server.rejected("body_timeout").await, 1.0);
    assert_eq!(server.metric("ippool_webhook_in_flight_bytes").await, 0.0);
}

#[tokio::test]
async fn a_stalled_body_of_a_rejected_request_is_abandoned_soon() {
    let server = with_limits(|limits| limits.discard = SHORT).await;
    let mut caller = server.caller().await;
    caller.send(&header("/nowhere", 1000)).await;
    let reply = caller.answer().await;
    reply.assert_status(404, "NotFound");
    assert!(reply.closes(), "the body is still to come, so the connection cannot go on");
}

#[tokio::test]
async fn a_review_beyond_the_timeout_of_the_apiserver_gets_504() {
    let gate = Gate::closed();
    let mut config = quick();
    config.limits.inline_bytes = 0;
    config.limits.concurrent_reviews = 3;
    let server = Running::start_with(config, gate.evaluate()).await;
    for (query, text) in
        [("timeout=800ms", "0.8s"), ("a=b&timeout=0.6s&c", "0.6s"), ("timeout=400ms", "0.4s")]
    {
        let reply = server.caller().await.post(&format!("/validate?{query}"), ALLOWED).await;
        let message = reply.assert_status(504, "Timeout");
        assert!(message.contains(&format!("?timeout={text} less 500 ms; timeoutSeconds")), "{message}");
    }
    assert_eq!(server.rejected("deadline").await, 3.0);
}

#[tokio::test]
async fn a_review_beyond_the_limit_of_the_server_gets_504() {
    let gate = Gate::closed();
    let mut config = quick();
    config.limits.inline_bytes = 0;
    config.limits.concurrent_reviews = 3;
    config.limits.review = SHORT;
    let server = Running::start_with(config, gate.evaluate()).await;
    for query in ["?timeout=30s", "?timeout=soon", ""] {
        let reply = server.caller().await.post(&format!("/mutate{query}"), ALLOWED).await;
        let message = reply.assert_status(504, "Timeout");
        assert!(message.contains("within 0.3 s, the limit of the server"), "{message}");
    }
    assert!(
        server.metric("ippool_webhook_in_flight_bytes").await > 0.0,
        "a review that still runs holds its memory"
    );
    gate.open();
    server.until_metric("ippool_webhook_in_flight_bytes", 0.0).await;
}
