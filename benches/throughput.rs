//! The throughput of whole requests over TLS, compared with the same server with a constant response.
//!
//! Both run in this process and are measured in short alternating turns, so that other load affects both alike. The ratio
//! is the median over the turns. With few connections, both ends wait for each other; with many, the processors are never
//! idle.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::policy::Policy;
use ippool_webhook::server::{Evaluate, Limits};
use rustls::ClientConfig;
use testkit::client::KeepAlive;
use testkit::client::client;
use testkit::recorded;
use testkit::server::{Running, quick};
use tokio::runtime::{Builder, Runtime};

/// The allocations of the pool, and the required share of the throughput of the constant server.
const CASES: [(usize, f64); 4] = [(3, 0.9), (100, 0.9), (1_000, 0.8), (5_000, 0.8)];
/// The numbers of connections, each with one request in progress.
const CONNECTIONS: [usize; 4] = [2, 4, 16, 64];
/// The number of turns of each server, and the length of one.
const TURNS: usize = 11;
const TURN: Duration = Duration::from_millis(400);

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Responds to every review with the response to `body`.
fn constant(body: &Bytes) -> Evaluate {
    let body = body.clone();
    let once = std::sync::OnceLock::new();
    Arc::new(move |endpoint: Endpoint, _: &[u8], policy: &Policy| {
        let answer = once.get_or_init(|| respond(endpoint, &body, policy).ok().unwrap());
        Ok(answer.clone())
    })
}

/// The address of a server, and the configuration of its clients.
#[derive(Clone)]
struct Target(SocketAddr, ClientConfig);

fn start(serving: &Runtime, evaluate: Evaluate) -> (Running, Target) {
    let running = serving.block_on(Running::start_with(quick(), evaluate));
    let target = Target(running.address, client(&running.ca, None));
    (running, target)
}

/// The requests per second on `connections`, and the latency of each.
fn turn(calling: &Runtime, target: &Target, body: &Bytes, connections: usize) -> (f64, Vec<Duration>) {
    let started = Instant::now();
    let callers = (0..connections).map(|_| calling.spawn(call(target.clone(), body.clone())));
    let callers: Vec<_> = callers.collect();
    let took: Vec<_> = callers.into_iter().flat_map(|it| calling.block_on(it).unwrap()).collect();
    (took.len() as f64 / started.elapsed().as_secs_f64(), took)
}

async fn call(Target(address, tls): Target, body: Bytes) -> Vec<Duration> {
    let mut caller = KeepAlive::connect(address, tls).await;
    let (until, mut took) = (Instant::now() + TURN, Vec::new());
    while Instant::now() < until {
        let started = Instant::now();
        let (status, _) = caller.post("/validate?timeout=10s", &body).await;
        took.push(started.elapsed());
        assert_eq!(status, 200);
    }
    took
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// In milliseconds.
fn percentile(of: &mut [Duration], share: f64) -> f64 {
    of.sort();
    of[((of.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
}

/// Measures both servers in turns, and prints a line.
fn compare(serving: &Runtime, calling: &Runtime, allocations: usize, connections: usize, required: f64) {
    let body = Bytes::from(recorded(allocations));
    if connections * body.len() > Limits::default().max_in_flight_bytes {
        println!(
            "{connections:>11} {allocations:>12}  the bodies exceed the memory budget, so some get a 503"
        );
        return;
    }
    let (_first, webhook) = start(serving, Arc::new(respond));
    let (_second, fixed) = start(serving, constant(&body));
    let (mut ratios, mut rates, mut all) = (Vec::new(), (Vec::new(), Vec::new()), Vec::new());
    turn(calling, &webhook, &body, connections);
    turn(calling, &fixed, &body, connections);
    for _ in 0..TURNS {
        let (other, _) = turn(calling, &fixed, &body, connections);
        let (ours, took) = turn(calling, &webhook, &body, connections);
        ratios.push(ours / other);
        rates.0.push(other);
        rates.1.push(ours);
        all.extend(took);
    }
    println!(
        "{connections:>11} {allocations:>12} {:>10.1} {:>15.0} {:>14.0} {:>7.2} {required:>8.1} {:>7.2} {:>7.2}",
        body.len() as f64 / 1e3,
        median(rates.0),
        median(rates.1),
        median(ratios),
        percentile(&mut all, 0.5),
        percentile(&mut all, 0.99),
    );
}

fn main() {
    let (serving, calling) = (runtime(), runtime());
    println!(
        "connections  allocations    body KB  constant req/s  webhook req/s   ratio  required  p50 ms  p99 ms"
    );
    for connections in CONNECTIONS {
        for (allocations, required) in CASES {
            compare(&serving, &calling, allocations, connections, required);
        }
    }
}
