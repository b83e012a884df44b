//! The memory budget: who waits for it, who is granted it first, and who is rejected.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use ippool_webhook::admission::respond;
use ippool_webhook::server::Config;
use testkit::client::{Caller, PATIENCE, client, header};
use testkit::client_auth::{client_pair, for_clients_as};
use testkit::pki::Ca;
use testkit::server::{Running, quick};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const IN_FLIGHT: &str = "ippool_webhook_in_flight_bytes";
const WAITING: &str = "ippool_webhook_permits_waiting{permit=\"memory\"}";
/// Bytes that arrive at once.
const UNIT: usize = 100;

/// A budget of 128 units, of which 8 are kept for requests of up to 4; a body and a share have 64.
fn narrow() -> Config {
    let mut config = quick();
    config.limits.max_body_bytes = 64 * UNIT;
    config.limits.max_in_flight_bytes = 128 * UNIT;
    config.limits.small_bytes = 4 * UNIT;
    config.limits.queue = PATIENCE;
    config.limits.stall = PATIENCE;
    config.limits.discard = Duration::from_millis(10);
    config
}

async fn send(caller: &mut Caller<TlsStream<TcpStream>>, units: usize) {
    caller.send(&" ".repeat(units * UNIT)).await;
}

async fn until_held(server: &Running, units: usize, waiting: usize) {
    server.until_metric(IN_FLIGHT, (units * UNIT) as f64).await;
    server.until_metric(WAITING, waiting as f64).await;
}

/// Has `caller` send the first units of a body. Now `total` are held.
async fn hold(server: &Running, caller: &mut Caller<TlsStream<TcpStream>>, units: usize, total: usize) {
    caller.send(&header("/validate", 64 * UNIT)).await;
    send(caller, units).await;
    until_held(server, total, 0).await;
}

/// Clients that hold these units.
async fn holders<const N: usize>(server: &Running, units: [usize; N]) -> [Caller<TlsStream<TcpStream>>; N] {
    let mut callers = Vec::new();
    for (at, count) in units.into_iter().enumerate() {
        let mut caller = server.caller().await;
        hold(server, &mut caller, count, units[..=at].iter().sum()).await;
        callers.push(caller);
    }
    callers.try_into().ok().unwrap()
}

#[tokio::test]
async fn a_small_request_never_waits_for_a_large_one() {
    let server = Running::start_with(narrow(), Arc::new(respond)).await;
    let [_busy, mut large] = holders(&server, [60, 60]).await;
    // There is room for four more, but it is for small requests.
    send(&mut large, 4).await;
    until_held(&server, 120, 1).await;
    let mut small = server.caller().await;
    small.send(&header("/validate", 64 * UNIT)).await;
    send(&mut small, 4).await;
    until_held(&server, 124, 1).await;
}

#[tokio::test]
async fn released_memory_goes_to_the_waiter_that_will_hold_least() {
    let server = Running::start_with(narrow(), Arc::new(respond)).await;
    let [busy, _other, mut more, mut less] = holders(&server, [20, 50, 30, 10]).await;
    send(&mut more, 30).await;
    until_held(&server, 110, 1).await;
    send(&mut less, 25).await;
    until_held(&server, 110, 2).await;
    drop(busy);
    until_held(&server, 90 + 25, 1).await;
}

#[tokio::test]
async fn one_client_holds_at_most_its_share_while_others_wait() {
    let ca = Ca::root();
    let (server, _file) = for_clients_as(narrow(), &ca).await;
    let connect = |name: &str| server.caller_with(client(&server.ca, Some(&client_pair(&ca, name))));
    let mut own = [connect("one").await.unwrap(), connect("one").await.unwrap()];
    for (caller, total) in own.iter_mut().zip([50, 100]) {
        hold(&server, caller, 50, total).await;
    }
    let mut other = connect("other").await.unwrap();
    hold(&server, &mut other, 10, 110).await;
    send(&mut other, 50).await;
    until_held(&server, 110, 1).await;
    let mut third = connect("one").await.unwrap();
    third.send(&header("/validate", 64 * UNIT)).await;
    send(&mut third, 15).await;
    until_held(&server, 110, 2).await;
    let [released, _kept] = own;
    drop(released);
    until_held(&server, 60 + 50, 1).await;
    drop(other);
    // No other client waits, so it may exceed its share.
    until_held(&server, 50 + 15, 0).await;
}

#[tokio::test]
async fn when_all_holders_wait_the_newest_is_rejected() {
    let server = Running::start_with(narrow(), Arc::new(respond)).await;
    let mut callers = holders(&server, [40, 40, 40]).await;
    for caller in &mut callers {
        send(caller, 20).await;
    }
    let reply = callers[2].answer().await;
    assert!(reply.assert_status(503, "ServiceUnavailable").contains("--max-in-flight-bytes"));
    until_held(&server, 120, 0).await;
}

#[tokio::test]
async fn only_the_longest_stalled_holder_is_dropped_for_a_waiter() {
    let mut config = narrow();
    config.limits.stall = Duration::from_millis(200);
    let server = Running::start_with(config, Arc::new(respond)).await;
    let [mut longest, _other] = holders(&server, [60, 60]).await;
    let mut waiting = server.caller().await;
    waiting.send(&header("/validate", 64 * UNIT)).await;
    send(&mut waiting, 30).await;
    longest.answer().await.assert_status(408, "Timeout");
    until_held(&server, 60 + 30, 0).await;
    assert_eq!(server.rejected("body_stalled").await, 1.0);
}
