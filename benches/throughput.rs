//! Whole requests over TLS: the throughput, and the processor time that the server spends on one request. Compared are the
//! program, the same server with a constant response, and a webhook in Go.
//!
//! Each server is a process of its own, and they are called in short alternating turns, so that other load affects all alike.
//! A ratio is the median over the turns. Callers and servers share the processors, so the throughput also measures the
//! callers; the processor time does not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]

use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::policy::Policy;
use ippool_webhook::server::Limits;
use rustls::ClientConfig;
use serde_json::{Value, json};
use testkit::client::{KeepAlive, client};
use testkit::pki::Ca;
use testkit::process::Process;
use testkit::recorded;
use testkit::release::{CertFiles, Serving, go_program};
use testkit::server::{Running, quick};
use tokio::runtime::{Builder, Runtime};

/// What is required of the processor time of one request.
struct Case {
    /// The allocations of the pool.
    allocations: usize,
    /// At most this many times that of the constant server.
    of_constant: Option<f64>,
    /// The webhook in Go takes at least this many times ours.
    of_go: Option<f64>,
}

const CASES: [Case; 4] = [
    Case { allocations: 3, of_constant: Some(1.15), of_go: Some(7.0) },
    Case { allocations: 100, of_constant: Some(1.15), of_go: None },
    Case { allocations: 1_000, of_constant: None, of_go: Some(40.0) },
    Case { allocations: 5_000, of_constant: Some(1.25), of_go: Some(40.0) },
];
/// The numbers of connections, each with one request in progress; the goals are for the first.
const CONNECTIONS: [usize; 3] = [4, 16, 64];
/// The number of turns of each server, and the length of one.
const TURNS: usize = 9;
const TURN: Duration = Duration::from_millis(600);
/// The argument that makes this program the constant server.
const CONSTANT: &str = "constant";

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Responds to every review with the response to the first, until standard input ends.
fn serve_constant() {
    let once = OnceLock::new();
    let evaluate = move |endpoint: Endpoint, body: &[u8], policy: &Policy| {
        Ok(once.get_or_init(|| respond(endpoint, body, policy).ok().unwrap()).clone())
    };
    let runtime = runtime();
    let running = runtime.block_on(Running::start_with(quick(), Arc::new(evaluate)));
    println!("{}", json!({ "address": running.address, "ca": running.ca }));
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

/// A process that is killed when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A server to call.
struct Target {
    process: Process,
    address: SocketAddr,
    tls: ClientConfig,
}

fn start_constant() -> (Killed, Target) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.arg(CONSTANT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let serving: Value = serde_json::from_str(&line).unwrap();
    let [address, ca] = ["address", "ca"].map(|name| serving[name].as_str().unwrap());
    let (address, tls) = (address.parse().unwrap(), client(ca, None));
    let target = Target { process: Process(child.id()), address, tls };
    (Killed(child), target)
}

fn start_go(files: &CertFiles, ca: &Ca) -> (Killed, Target) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(go_program("go_webhook"));
    command.arg(format!("--port={}", free.port())).arg("--cert-dir").arg(files.directory());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(free).is_err() {
        assert!(Instant::now() < until, "the webhook in Go does not serve");
    }
    let target = Target { process: Process(child.id()), address: free, tls: client(&ca.pem, None) };
    (Killed(child), target)
}

/// What one turn measured.
struct Turn {
    rate: f64,
    /// In milliseconds for one request.
    processor: f64,
    latencies: Vec<Duration>,
}

fn turn(calling: &Runtime, target: &Target, body: &Bytes, connections: usize) -> Turn {
    let (started, before) = (Instant::now(), target.process.processor_time());
    let callers =
        (0..connections).map(|_| calling.spawn(call(target.address, target.tls.clone(), body.clone())));
    let callers: Vec<_> = callers.collect();
    let latencies: Vec<_> = callers.into_iter().flat_map(|it| calling.block_on(it).unwrap()).collect();
    let spent = target.process.processor_time() - before;
    let requests = latencies.len() as f64;
    let rate = requests / started.elapsed().as_secs_f64();
    Turn { rate, processor: spent.as_secs_f64() * 1e3 / requests, latencies }
}

async fn call(address: SocketAddr, tls: ClientConfig, body: Bytes) -> Vec<Duration> {
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

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut of: Vec<_> = of.collect();
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// In milliseconds.
fn percentile(of: &mut [Duration], share: f64) -> f64 {
    of.sort();
    of[((of.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
}

/// The goal as text, and whether the figure meets it.
fn judged(goal: Option<f64>, meets: impl Fn(f64) -> bool, sign: char) -> (String, bool) {
    match goal {
        Some(goal) if meets(goal) => (format!("{sign}{goal}"), true),
        Some(goal) => (format!("{sign}{goal} MISSED"), false),
        None => (String::new(), true),
    }
}

/// Measures all servers in turns, and prints a line. Returns whether the goals are met.
fn compare(calling: &Runtime, servers: &[Target; 3], case: &Case, connections: usize) -> bool {
    let body = Bytes::from(recorded(case.allocations));
    let turns: Vec<_> = (0..=TURNS)
        .map(|_| servers.each_ref().map(|server| turn(calling, server, &body, connections)))
        .skip(1) // The first opens what is opened once.
        .collect();
    let rate = |server: usize| median(turns.iter().map(|turn| turn[server].rate));
    let processor = |server: usize| median(turns.iter().map(|turn| turn[server].processor));
    let ratio = |a: usize, b: usize| median(turns.iter().map(|turn| turn[a].processor / turn[b].processor));
    let (of_constant, of_go) = (ratio(1, 0), ratio(2, 1));
    let goal = |goal: Option<f64>| goal.filter(|_| connections == CONNECTIONS[0]);
    let (first, meets_first) = judged(goal(case.of_constant), |goal| of_constant <= goal, '≤');
    let (second, meets_second) = judged(goal(case.of_go), |goal| of_go >= goal, '≥');
    let mut latencies: Vec<_> = turns.iter().flat_map(|turn| turn[1].latencies.iter().copied()).collect();
    println!(
        "{connections:>4} {:>6} {:>8.0} {:>8.0} {:>8.0} {:>9.3} {:>9.3} {:>9.3} {of_constant:>6.2} {first:<13} {of_go:>5.1} {second:<11} {:>7.2} {:>7.2}",
        case.allocations,
        rate(0),
        rate(1),
        rate(2),
        processor(0),
        processor(1),
        processor(2),
        percentile(&mut latencies, 0.5),
        percentile(&mut latencies, 0.99),
    );
    std::io::stdout().flush().unwrap();
    meets_first && meets_second
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == CONSTANT) {
        serve_constant();
        return ExitCode::SUCCESS;
    }
    let (ca, calling) = (Ca::root(), runtime());
    let files = CertFiles::new(&ca);
    let mut met = true;
    println!(
        "               requests a second           processor time, ms        webhook/constant     Go/webhook       latency, ms"
    );
    println!(
        "conn  alloc constant  webhook       Go  constant   webhook        Go                                          p50     p99"
    );
    for connections in CONNECTIONS {
        for case in &CASES {
            if connections * recorded(case.allocations).len() > Limits::default().max_in_flight_bytes {
                println!(
                    "{connections:>4} {:>6} not called: the bodies exceed the memory of the server, so some get a 503",
                    case.allocations
                );
                continue;
            }
            // The constant server keeps the response to the first review, so each case starts it anew.
            let ours = Serving::start(&files);
            let webhook =
                Target { process: ours.process(), address: ours.address, tls: client(&ca.pem, None) };
            let ((_constant, constant), (_go, go)) = (start_constant(), start_go(&files, &ca));
            met &= compare(&calling, &[constant, webhook, go], case, connections);
        }
    }
    ExitCode::from(u8::from(!met))
}
