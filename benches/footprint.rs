//! The footprint of the program: its size, its start time, and its memory at rest and at work. Each figure has a bound,
//! and the run fails beyond it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]

use std::net::SocketAddr;
use std::process::ExitCode;

use bytes::Bytes;
use rustls::ClientConfig;
use testkit::client::KeepAlive;
use testkit::client::client;
use testkit::pki::Ca;
use testkit::recorded;
use testkit::release::{CertFiles, Serving};
use testkit::{MIB, program_path};

/// Concurrent reviews.
const PARALLEL: usize = 32;
/// Rounds of concurrent reviews.
const ROUNDS: usize = 5;
/// Starts; the median is reported.
const STARTS: usize = 9;
/// Memory beside the bodies, in MiB: what the program has at rest, and what glibc keeps in its arenas after blocks of up to
/// 256 KiB.
const BESIDE_BODIES: f64 = 24.0;

/// Rounds of concurrent reviews on kept connections. Returns the size of the bodies of one round.
async fn review_at_once(address: SocketAddr, tls: &ClientConfig, allocations: usize) -> usize {
    let body = Bytes::from(recorded(allocations));
    let mut callers = Vec::new();
    for _ in 0..PARALLEL {
        callers.push(KeepAlive::connect(address, tls.clone()).await);
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
        for posted in round {
            callers.push(posted.await.unwrap());
        }
    }
    body.len() * PARALLEL
}

/// Prints a figure and its bound. Returns whether it is within the bound.
fn row(name: &str, figure: f64, bound: f64, unit: &str) -> bool {
    let fits = figure <= bound;
    println!("{name:<58} {figure:>8.1} {bound:>8.1} {unit:<4} {}", if fits { "" } else { "TOO MUCH" });
    fits
}

fn main() -> ExitCode {
    let ca = Ca::root();
    let files = CertFiles::new(&ca);

    println!("{:<58} {:>8} {:>8}", "", "is", "at most");
    let size = std::fs::metadata(program_path()).unwrap().len() as f64;
    let mut fits = row("the program, stripped", size / 1e6, 12.0, "MB");

    let mut starts: Vec<_> = (0..STARTS).map(|_| Serving::start(&files).ready_after).collect();
    starts.sort();
    fits &= row("from start to ready (median)", starts[STARTS / 2].as_secs_f64() * 1e3, 100.0, "ms");

    let serving = Serving::start(&files);
    fits &= row("resident at rest", serving.process().memory("VmRSS") / MIB, 10.0, "MiB");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tls = client(&ca.pem, None);
    let bodies = runtime.block_on(review_at_once(serving.address, &tls, 5_000)) as f64;
    let name = format!("{PARALLEL} concurrent reviews of 5,000 allocations, peak");
    fits &= row(&name, serving.process().memory("VmHWM") / MIB, bodies / MIB + BESIDE_BODIES, "MiB");
    println!("{:<58} {:>8.1}          MiB", "  of which bodies", bodies / MIB);
    println!("{:<58} {:>8.1}          MiB", "  resident afterwards", serving.process().memory("VmRSS") / MIB);
    ExitCode::from(u8::from(!fits))
}
