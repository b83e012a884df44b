//! Clients that hold connections, and readers that do not read: whatever they do, a new connection is served within a
//! second, and probes are answered. The figures go into `docs/limits.md`.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::MIB;
use testkit::client::{header, soon};
use testkit::figures::{figure, seconds};
use testkit::program::{Serving, until_logged};
use testkit::server::{ALLOWED, DENIED};
use tokio::net::TcpStream;

const PROMPT: Duration = Duration::from_secs(1);

fn evicted(listener: &str, state: &str) -> String {
    format!("ippool_webhook_connections_evicted_total{{listener=\"{listener}\",state=\"{state}\"}}")
}

async fn prompt_review(serving: &Serving) -> Duration {
    let started = Instant::now();
    assert_eq!(serving.caller().await.post("/validate", ALLOWED).await.status, 200);
    let took = started.elapsed();
    assert!(took < PROMPT, "a review takes {took:?}");
    took
}

async fn prompt_probes(serving: &Serving) -> Duration {
    let started = Instant::now();
    for path in ["/livez", "/readyz"] {
        assert_eq!(serving.admin(path).await, (200, "ok\n".to_owned()));
    }
    let took = started.elapsed();
    assert!(took < PROMPT, "two probes take {took:?}");
    took
}

fn note(serving: &Serving, attack: &str, took: Duration) {
    figure(
        attack,
        &format!("a review took {}; {:.0} MiB resident at most", seconds(took), serving.peak() / MIB),
    );
}

#[tokio::test]
async fn idle_connections_are_evicted_before_one_with_a_review() {
    let mut serving = Serving::start(&[]);
    let mut kept = serving.caller().await;
    assert_eq!(kept.post("/validate", ALLOWED).await.status, 200);
    let mut idle = Vec::new();
    for _ in 0..512 {
        idle.push(serving.caller().await);
    }
    let took = prompt_review(&serving).await;
    assert_eq!(kept.post("/validate", ALLOWED).await.status, 200, "the connection of the apiserver is kept");
    assert!(serving.metric(&evicted("webhook", "unused")).await >= 1.0);
    let event = until_logged(
        &mut serving.log,
        "the connection limit is reached; the longest idle ones are closed for new ones",
    );
    assert_eq!((&event["listener"], &event["state"]), (&"webhook".into(), &"unused".into()));
    note(&serving, "512 connections that ask nothing after the TLS handshake", took);
}

#[tokio::test]
async fn silent_tcp_connections_are_evicted_for_new_ones() {
    let serving = Serving::start(&[]);
    let mut silent = Vec::new();
    for _ in 0..640 {
        silent.push(soon(TcpStream::connect(serving.address)).await.unwrap());
    }
    let took = prompt_review(&serving).await;
    assert!(serving.metric(&evicted("webhook", "handshake")).await >= 128.0);
    note(&serving, "640 TCP connections that never begin the TLS handshake", took);
}

#[tokio::test]
async fn idle_admin_connections_are_evicted_for_probes() {
    let serving = Serving::start(&[]);
    let mut idle = Vec::new();
    for _ in 0..128 {
        idle.push(soon(TcpStream::connect(serving.admin)).await.unwrap());
    }
    let took = prompt_probes(&serving).await;
    assert!(serving.metric(&evicted("admin", "unused")).await >= 64.0);
    figure("128 idle connections to the admin port", &format!("two probes took {}", seconds(took)));
}

#[tokio::test]
async fn a_log_without_a_reader_does_not_block_the_server() {
    let mut serving = Serving::start(&["--shutdown-delay", "0"]);
    let mut caller = serving.caller().await;
    for _ in 0..2_500 {
        assert_eq!(caller.post("/validate", DENIED).await.status, 200);
    }
    let took = prompt_review(&serving).await;
    prompt_probes(&serving).await;
    let dropped = serving.metric("ippool_webhook_log_lines_dropped_total").await;
    assert!(dropped > 0.0);
    drop(caller);
    let started = Instant::now();
    serving.signal("TERM");
    let code = soon(async {
        loop {
            if let Some(status) = serving.child.try_wait().unwrap() {
                break status.code();
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(code.await, Some(0));
    assert!(started.elapsed() < 4 * PROMPT, "{:?}", started.elapsed());
    let measured = format!("a review took {}; {dropped} lines dropped", seconds(took));
    figure("2,500 denials, and stderr is a pipe that nobody reads", &measured);
}

#[tokio::test]
async fn a_log_line_is_at_most_4_kib_whatever_the_request_holds() {
    let mut serving = Serving::start(&["--shutdown-delay", "0"]);
    let entries: Vec<_> =
        (0..30_000).map(|n| format!(r#""-{n}":{{"id":"","podref":"a","ifname":"/"}}"#)).collect();
    let allocations = format!("\"spec\":{{\"allocations\":{{{}}},", entries.join(","));
    let long = "\u{7f}\"\\".repeat(2_000);
    let escaped = serde_json::to_string(&long).unwrap();
    let mut caller = serving.caller().await;
    for body in [
        ALLOWED.replacen("\"spec\":{", &allocations, 1),
        DENIED
            .replace("\"bad-cidr\"", &escaped)
            .replace("\"admin\"", &escaped)
            .replace("\"kube-system\"", &escaped),
        format!("{{\"kind\":{escaped}}}"),
    ] {
        caller.post("/validate", &body).await;
    }
    caller.send(&header(&format!("/{}", "x".repeat(9_000)), 0)).await;
    assert_eq!(caller.answer().await.status, 404);
    drop(caller);
    serving.signal("TERM");
    let (_, log) = serving.ended();
    let longest = log.lines().map(str::len).max().unwrap();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(log.contains("\"findings\":") && longest <= 4096, "{longest}");
    figure("a review with 30,000 findings, and long names", &format!("the longest line has {longest} bytes"));
}

#[tokio::test]
async fn a_certificate_file_that_hangs_does_not_block_the_server() {
    let mut serving = Serving::start_with_files("exec", &["--shutdown-delay", "0"]);
    let file = serving.directory.path().join("tls.crt");
    let pipe = serving.directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::rename(&pipe, &file).unwrap();
    let failed = "ippool_webhook_certificate_reloads_total{outcome=\"failure\"}";
    serving.until_metric(failed, |failures| failures >= 1.0).await;
    let took = prompt_review(&serving).await;
    prompt_probes(&serving).await;
    serving.signal("TERM");
    assert_eq!(serving.ended().0, Some(0));
    figure("`tls.crt` becomes a pipe that nobody writes to", &format!("a review took {}", seconds(took)));
}
