//! A soak test of the program: mixed reviews at saturation from 64 connections, with stalling clients, bodies that are
//! too long, attackers, and new certificates at the same time. `SOAK_SECONDS` is its length.
//!
//! It fails on any unexpected response, and when the median of resident memory grows by more than a tenth from the second
//! to the last third of the time. It is the median since the memory in flight varies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]

mod attackers;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::ClientConfig;
use testkit::MIB;
use testkit::client::KeepAlive;
use testkit::client::{client, connect};
use testkit::pki::Ca;
use testkit::recorded;
use testkit::release::{CertFiles, Serving};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CONNECTIONS: usize = 64;
/// The number of allocations of a pool, and how many of a hundred requests are for a pool of that size.
const MIX: [(usize, u64); 4] = [(3, 60), (100, 25), (1_000, 12), (5_000, 3)];
/// The requests on a connection before a new one is opened, which gets the new certificate.
const REQUESTS_PER_CONNECTION: u64 = 500;
const SWAP_INTERVAL: Duration = Duration::from_secs(2);
const OVERSIZE_INTERVAL: Duration = Duration::from_millis(500);
const STALLING_CLIENTS: usize = 8;
/// The bound of the memory in the last third, in parts of that in the second.
const MAX_GROWTH: f64 = 1.1;

/// What all clients share.
struct Soak {
    address: std::net::SocketAddr,
    tls: ClientConfig,
    until: Instant,
    bodies: Vec<(Bytes, u64)>,
    answered: AtomicU64,
    oversize: AtomicU64,
    stalled: AtomicU64,
    attacks: AtomicU64,
    /// Latencies in microseconds, by size.
    took: [Mutex<Vec<u32>>; MIX.len()],
}

impl Soak {
    fn is_running(&self) -> bool {
        Instant::now() < self.until
    }

    /// The index of a body; the steps of a hundred requests hit each as often as its share.
    fn pick(&self, step: u64) -> usize {
        let mut rest = step.wrapping_mul(37) % 100;
        self.bodies
            .iter()
            .position(|(_, share)| rest.checked_sub(*share).map(|it| rest = it).is_none())
            .unwrap()
    }

    async fn review(self: Arc<Self>, number: u64) {
        let mut step = number * 7;
        while self.is_running() {
            let mut caller = KeepAlive::connect(self.address, self.tls.clone()).await;
            for _ in 0..REQUESTS_PER_CONNECTION {
                let size = self.pick(step);
                step += 1;
                let path =
                    if step.is_multiple_of(3) { "/mutate?timeout=10s" } else { "/validate?timeout=10s" };
                let started = Instant::now();
                let (status, answer) = caller.post(path, &self.bodies[size].0).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
                let took = u32::try_from(started.elapsed().as_micros()).unwrap();
                self.took[size].lock().unwrap().push(took);
                self.answered.fetch_add(1, Relaxed);
                if !self.is_running() {
                    return;
                }
            }
        }
    }

    /// Announces bodies beyond the limit.
    async fn too_long(self: Arc<Self>) {
        while self.is_running() {
            let mut stream = connect(self.address, self.tls.clone()).await.unwrap();
            stream.write_all(testkit::client::header("/validate", 9 << 20).as_bytes()).await.unwrap();
            // The server discards some of it before it closes, so this write may fail.
            let _ = stream.write_all(&vec![b' '; 1 << 20]).await;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 413", "{}", String::from_utf8_lossy(&answer));
            self.oversize.fetch_add(1, Relaxed);
            tokio::time::sleep(OVERSIZE_INTERVAL).await;
        }
    }

    /// Begins a header or a body and never ends it. The server has to close the connection or respond 408 in time.
    async fn stall(self: Arc<Self>, number: usize) {
        while self.is_running() {
            let mut stream = connect(self.address, self.tls.clone()).await.unwrap();
            let header = testkit::client::header("/validate", 1_000);
            let begun = if number.is_multiple_of(2) { &header[..40] } else { &header };
            stream.write_all(begun.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "a stalled client holds its connection for more than 30 s");
            let is_expected = answer.is_empty() || answer.starts_with(b"HTTP/1.1 408");
            assert!(is_expected, "{}", String::from_utf8_lossy(&answer));
            self.stalled.fetch_add(1, Relaxed);
        }
    }
}

/// In milliseconds.
fn percentile(sorted: &[u32], share: f64) -> f64 {
    f64::from(sorted[((sorted.len() - 1) as f64 * share) as usize]) / 1e3
}

/// Samples the memory every second and shows the progress until the time is over.
fn watch(soak: &Soak, serving: &Serving, length: Duration) -> Vec<f64> {
    let mut memory = Vec::new();
    while soak.is_running() {
        std::thread::sleep(Duration::from_secs(1));
        memory.push(serving.process().memory("VmRSS"));
        let left = soak.until.saturating_duration_since(Instant::now()).as_secs();
        if std::io::stderr().is_terminal() || left.is_multiple_of(30) {
            let end = if std::io::stderr().is_terminal() { "\r" } else { "\n" };
            let (answered, now) = (soak.answered.load(Relaxed), memory.last().unwrap() / MIB);
            eprint!(
                "{left:>5} of {} s left, {answered:>9} answered, {now:>6.1} MiB resident {end}",
                length.as_secs()
            );
            std::io::stderr().flush().unwrap();
        }
    }
    memory
}

/// Prints the results. Returns whether memory stayed flat.
fn report(soak: &Soak, memory: &[f64], length: Duration) -> bool {
    let answered = soak.answered.load(Relaxed);
    println!(
        "\n{answered} reviews answered in {} s, {:.0} a second",
        length.as_secs(),
        answered as f64 / length.as_secs_f64()
    );
    println!(
        "{} long bodies rejected, {} stalled requests ended",
        soak.oversize.load(Relaxed),
        soak.stalled.load(Relaxed)
    );
    println!("{} attacks", soak.attacks.load(Relaxed));
    for ((allocations, _), took) in MIX.iter().zip(&soak.took) {
        let mut took = took.lock().unwrap();
        took.sort_unstable();
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| percentile(&took, share));
        println!("{allocations:>6} allocations: p50 {p50:>8.2} ms  p99 {p99:>8.2} ms  max {most:>8.2} ms");
    }
    let third = memory.len() / 3;
    let [second, last] = [&memory[third..2 * third], &memory[2 * third..]].map(|part| {
        let mut part = part.to_vec();
        part.sort_by(f64::total_cmp);
        (part[part.len() / 2], part[part.len() - 1])
    });
    for (name, (median, most)) in [("second", second), ("last", last)] {
        println!("resident in the {name} third: median {:.1} MiB, max {:.1} MiB", median / MIB, most / MIB);
    }
    last.0 <= second.0 * MAX_GROWTH
}

fn main() -> ExitCode {
    let seconds =
        std::env::var("SOAK_SECONDS").map_or(1_800, |it| it.parse().expect("SOAK_SECONDS is a number"));
    let length = Duration::from_secs(seconds);
    let ca = Ca::root();
    let files = CertFiles::new(&ca);
    let serving = Serving::start(&files);
    let soak = Arc::new(Soak {
        address: serving.address,
        tls: client(&ca.pem, None),
        until: Instant::now() + length,
        bodies: MIX.map(|(allocations, share)| (recorded(allocations).into(), share)).into(),
        answered: AtomicU64::new(0),
        oversize: AtomicU64::new(0),
        stalled: AtomicU64::new(0),
        attacks: AtomicU64::new(0),
        took: Default::default(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut callers: Vec<_> =
        (0..CONNECTIONS as u64).map(|number| runtime.spawn(Arc::clone(&soak).review(number))).collect();
    callers.push(runtime.spawn(Arc::clone(&soak).too_long()));
    callers.push(runtime.spawn(attackers::announce(Arc::clone(&soak))));
    callers.push(runtime.spawn(attackers::stay_silent(Arc::clone(&soak))));
    callers.push(runtime.spawn(attackers::read_nothing(Arc::clone(&soak))));
    callers.extend((0..STALLING_CLIENTS).map(|number| runtime.spawn(Arc::clone(&soak).stall(number))));
    let (swapping, swaps) = (Arc::clone(&soak), Arc::new(AtomicU64::new(0)));
    let swapped = Arc::clone(&swaps);
    let swapper = std::thread::spawn(move || {
        while swapping.is_running() {
            std::thread::sleep(SWAP_INTERVAL);
            files.swap(&ca.pair("swapped"));
            swapped.fetch_add(1, Relaxed);
        }
        files
    });
    let memory = watch(&soak, &serving, length);
    for caller in callers {
        runtime.block_on(caller).expect("a client got an unexpected response; see the lines above");
    }
    let _files = swapper.join().unwrap();
    println!(
        "{} new certificates, {} of them loaded",
        swaps.load(Relaxed),
        serving.metric("ippool_webhook_certificate_reloads_total{outcome=\"success\"}")
    );
    let flat = report(&soak, &memory, length);
    let faults = ["panic", "memory", "processors", "allocation", "deadline"].map(|reason| {
        serving.metric(&format!("ippool_webhook_rejected_requests_total{{reason=\"{reason}\"}}"))
    });
    assert_eq!(faults, [0.0; 5], "panics, memory, processors, allocations, deadlines");
    if !flat {
        println!("memory grew");
    }
    ExitCode::from(u8::from(!flat))
}
