//! What the program takes of a machine: its size, how soon it is ready, its memory at rest and at work. Each
//! figure has a bound that is asked for, and the run fails past it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]

#[path = "support/caller.rs"]
mod caller;
#[path = "../tests/common/server.rs"]
mod server;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use caller::{Caller, recorded};
use rustls::ClientConfig;
use serde_json::Value;
use server::{Ca, client};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ippool-webhook");
const MIB: f64 = 1_048_576.0;
/// Reviews at once.
const PARALLEL: usize = 32;
/// Rounds of them.
const ROUNDS: usize = 5;
/// Starts, of which the median counts.
const STARTS: usize = 9;

/// The program, serving; killed when it is dropped.
struct Serving {
    program: Child,
    address: SocketAddr,
    ready_after: Duration,
}

impl Serving {
    /// Starts it and waits until `/readyz` says yes.
    fn start(directory: &Path) -> Self {
        let started = Instant::now();
        let mut program = Command::new(PROGRAM)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--log-format",
                "json",
            ])
            .arg("--tls-cert")
            .arg(directory.join("tls.crt"))
            .arg("--tls-key")
            .arg(directory.join("tls.key"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
        let serving = log.find_map(|line| {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            (event["message"] == "serving").then_some(event)
        });
        let serving = serving.expect("it ended before it served");
        let address = |name: &str| serving[name].as_str().unwrap().parse().unwrap();
        while !is_ready(address("admin")) {}
        let ready_after = started.elapsed();
        // What it logs has to go somewhere.
        std::thread::spawn(move || log.for_each(drop));
        Self { program, address: address("address"), ready_after }
    }

    /// A figure of its memory in bytes, as the kernel counts it: `VmRSS` now, `VmHWM` at its most.
    fn memory(&self, figure: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        let kib: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap();
        kib * 1024.0
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 200")
}

/// Rounds of reviews at once, on connections that are kept.
async fn review_at_once(address: SocketAddr, tls: &ClientConfig, allocations: usize) -> usize {
    let body = recorded(allocations);
    let mut callers = Vec::new();
    for _ in 0..PARALLEL {
        callers.push(Caller::connect(address, tls.clone()).await);
    }
    for _ in 0..ROUNDS {
        let round = callers.drain(..).map(|mut caller| {
            let body = body.clone();
            tokio::spawn(async move {
                let (status, _) = caller.post("/validate?timeout=10s", &body).await;
                assert_eq!(status, 200);
                caller
            })
        });
        let round: Vec<_> = round.collect();
        for asked in round {
            callers.push(asked.await.unwrap());
        }
    }
    body.len() * PARALLEL
}

/// A figure, its bound, and whether it keeps to it.
fn row(name: &str, figure: f64, bound: f64, unit: &str) -> bool {
    let fits = figure <= bound;
    println!("{name:<58} {figure:>8.1} {bound:>8.1} {unit:<4} {}", if fits { "" } else { "TOO MUCH" });
    fits
}

fn main() -> ExitCode {
    let (ca, directory) = (Ca::new(), tempfile::tempdir().unwrap());
    let pair = ca.pair("server");
    std::fs::write(directory.path().join("tls.crt"), &pair.cert).unwrap();
    std::fs::write(directory.path().join("tls.key"), &pair.key).unwrap();

    println!("{:<58} {:>8} {:>8}", "", "is", "at most");
    let size = std::fs::metadata(PROGRAM).unwrap().len() as f64;
    let mut fits = row("the program, stripped", size / 1e6, 10.0, "MB");

    let mut starts: Vec<_> = (0..STARTS).map(|_| Serving::start(directory.path()).ready_after).collect();
    starts.sort();
    fits &= row("from start to ready (median)", starts[STARTS / 2].as_secs_f64() * 1e3, 100.0, "ms");

    let serving = Serving::start(directory.path());
    fits &= row("resident at rest", serving.memory("VmRSS") / MIB, 10.0, "MiB");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tls = client(&ca.pem, None);
    let bodies = runtime.block_on(review_at_once(serving.address, &tls, 5_000)) as f64;
    let name = format!("{PARALLEL} reviews of 5,000 allocations at once, at its most");
    fits &= row(&name, serving.memory("VmHWM") / MIB, bodies / MIB + 16.0, "MiB");
    println!("{:<58} {:>8.1}          MiB", "  of which bodies", bodies / MIB);
    println!("{:<58} {:>8.1}          MiB", "  resident afterwards", serving.memory("VmRSS") / MIB);
    ExitCode::from(u8::from(!fits))
}
