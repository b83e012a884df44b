//! How the server ends: not ready at once, serving on, what is under way finished, and then gone.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use ippool_webhook::admission::respond;
use server::{ALLOWED, Gate, PATIENCE, Running, header, quick, soon};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A server that takes as long to leave as a test needs to look at it.
async fn leaving() -> Running {
    let mut config = quick();
    config.shutdown_delay = PATIENCE;
    let server = Running::start_with(config, Arc::new(respond)).await;
    server.leave();
    soon(async { while server.admin("/readyz").await.0 == 200 {} }).await;
    server
}

#[tokio::test]
async fn from_the_signal_on_it_is_not_ready_but_alive() {
    let server = leaving().await;
    assert_eq!(server.admin("/readyz").await, (503, "shutting down\n".to_owned()));
    assert_eq!(server.admin("/livez").await.0, 200);
}

#[tokio::test]
async fn while_it_leaves_new_connections_are_served_and_sent_elsewhere() {
    let server = leaving().await;
    for path in ["/validate", "/nowhere"] {
        let mut caller = server.caller().await;
        let reply = caller.post(path, ALLOWED).await;
        assert!(reply.status == 200 || path == "/nowhere", "{}", reply.text);
        assert!(reply.closes() && caller.is_cut().await, "{path}");
    }
}

#[tokio::test]
async fn what_is_under_way_is_finished_and_what_is_idle_is_closed() {
    let gate = Gate::closed();
    let mut config = quick();
    config.limits.inline_bytes = 0;
    let server = Running::start_with(config, gate.review()).await;
    let (mut idle, mut busy) = (server.caller().await, server.caller().await);
    busy.send(&(header("/validate", ALLOWED.len()) + ALLOWED)).await;
    gate.entered().await;
    let address = server.address;
    server.leave();
    assert!(idle.is_cut().await);
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    gate.open();
    let reply = busy.answer().await;
    assert_eq!(reply.status, 200);
    assert!(reply.closes());
    server.left().await;
}

#[tokio::test]
async fn a_body_that_is_still_coming_is_waited_for() {
    let server = Running::start().await;
    let mut caller = server.caller().await;
    caller.send(&header("/validate", ALLOWED.len())).await;
    caller.send(&ALLOWED[..100]).await;
    server.until_metric("ippool_webhook_in_flight_bytes", 100.0).await;
    let address = server.address;
    server.leave();
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    caller.send(&ALLOWED[100..]).await;
    assert_eq!(caller.answer().await.status, 200);
    server.left().await;
}

#[tokio::test]
async fn what_does_not_finish_is_dropped_in_the_end() {
    let gate = Gate::closed();
    let mut config = quick();
    config.limits.inline_bytes = 0;
    config.limits.drain = Duration::from_millis(200);
    let server = Running::start_with(config, gate.review()).await;
    let mut caller = server.caller().await;
    caller.send(&(header("/validate", ALLOWED.len()) + ALLOWED)).await;
    gate.entered().await;
    let started = Instant::now();
    server.leave();
    server.left().await;
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    assert!(caller.is_cut().await);
}

#[tokio::test]
async fn a_handshake_that_stalls_does_not_hold_up_the_end() {
    let server = Running::start().await;
    let stalled = TcpStream::connect(server.address).await.unwrap();
    server.until_metric("ippool_webhook_connections{listener=\"webhook\",state=\"handshake\"}", 1.0).await;
    let started = Instant::now();
    server.leave();
    server.left().await;
    assert!(started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
    drop(stalled);
}

#[tokio::test]
async fn a_header_that_stalls_holds_up_the_end_no_longer_than_a_header_may() {
    let mut config = quick();
    config.limits.header = Duration::from_millis(300);
    let server = Running::start_with(config, Arc::new(respond)).await;
    let mut caller = server.caller().await;
    caller.send("POST /val").await;
    let started = Instant::now();
    server.leave();
    server.left().await;
    assert!(started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
}
