//! Shutdown: not ready at once but still serving, then closed once the requests in progress are finished.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use ippool_webhook::admission::respond;
use testkit::client::{PATIENCE, header, soon};
use testkit::server::{ALLOWED, Gate, Running, quick};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A server that drains for as long as the test takes.
async fn draining() -> Running {
    let mut config = quick();
    config.shutdown_delay = PATIENCE;
    let server = Running::start_with(config, Arc::new(respond)).await;
    server.shut_down();
    soon(async { while server.admin("/readyz").await.0 == 200 {} }).await;
    server
}

#[tokio::test]
async fn while_draining_it_is_live_but_not_ready() {
    let server = draining().await;
    assert_eq!(server.admin("/readyz").await, (503, "shutting down\n".to_owned()));
    assert_eq!(server.admin("/livez").await.0, 200);
}

#[tokio::test]
async fn while_draining_new_connections_are_served_once_and_closed() {
    let server = draining().await;
    for path in ["/validate", "/nowhere"] {
        let mut caller = server.caller().await;
        let reply = caller.post(path, ALLOWED).await;
        assert!(reply.status == 200 || path == "/nowhere", "{}", reply.text);
        assert!(reply.closes() && caller.is_cut().await, "{path}");
    }
}

#[tokio::test]
async fn when_closed_requests_in_progress_finish_and_idle_ones_close() {
    let gate = Gate::closed();
    let mut config = quick();
    config.limits.inline_bytes = 0;
    let server = Running::start_with(config, gate.evaluate()).await;
    let (mut idle, mut busy) = (server.caller().await, server.caller().await);
    busy.send(&(header("/validate", ALLOWED.len()) + ALLOWED)).await;
    gate.entered().await;
    let address = server.address;
    server.shut_down();
    assert!(idle.is_cut().await);
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    gate.open();
    let reply = busy.answer().await;
    assert_eq!(reply.status, 200);
    assert!(reply.closes());
    server.ended().await;
}

#[tokio::test]
async fn a_body_that_is_still_arriving_is_read_to_its_end() {
    let server = Running::start().await;
    let mut caller = server.caller().await;
    caller.send(&header("/validate", ALLOWED.len())).await;
    caller.send(&ALLOWED[..100]).await;
    server.until_metric("ippool_webhook_in_flight_bytes", 100.0).await;
    let address = server.address;
    server.shut_down();
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    caller.send(&ALLOWED[100..]).await;
    assert_eq!(caller.answer().await.status, 200);
    server.ended().await;
}

#[tokio::test]
async fn a_request_that_does_not_finish_is_dropped_after_the_bound() {
    let gate = Gate::closed();
    let mut config = quick();
    config.limits.inline_bytes = 0;
    config.limits.drain = Duration::from_millis(200);
    let server = Running::start_with(config, gate.evaluate()).await;
    let mut caller = server.caller().await;
    caller.send(&(header("/validate", ALLOWED.len()) + ALLOWED)).await;
    gate.entered().await;
    let started = Instant::now();
    server.shut_down();
    server.ended().await;
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    assert!(caller.is_cut().await);
}

#[tokio::test]
async fn a_stalled_handshake_does_not_delay_the_shutdown() {
    let server = Running::start().await;
    let stalled = TcpStream::connect(server.address).await.unwrap();
    server.until_metric("ippool_webhook_connections{listener=\"webhook\",state=\"handshake\"}", 1.0).await;
    let started = Instant::now();
    server.shut_down();
    server.ended().await;
    assert!(started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
    drop(stalled);
}

#[tokio::test]
async fn a_stalled_header_delays_the_shutdown_by_its_bound_at_most() {
    let mut config = quick();
    config.limits.header = Duration::from_millis(300);
    let server = Running::start_with(config, Arc::new(respond)).await;
    let mut caller = server.caller().await;
    caller.send("POST /val").await;
    let started = Instant::now();
    server.shut_down();
    server.ended().await;
    assert!(started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
}
