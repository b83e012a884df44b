//! Hostile and broken clients of the program: whatever they do, a review is answered within a second, and memory stays
//! within twice the budget plus 32 MiB. The figures go into `docs/limits.md`.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ippool_webhook::admission::respond;
use ippool_webhook::server::{Evaluate, Limits};
use testkit::MIB;
use testkit::client::{Caller, header, soon};
use testkit::figures::{figure, seconds};
use testkit::program::Serving;
use testkit::server::{ALLOWED, Running, quick};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

type Tls = Caller<TlsStream<TcpStream>>;

/// The longest body.
const LONGEST: usize = 8 << 20;
const IN_FLIGHT: &str = "ippool_webhook_in_flight_bytes";
/// How long a healthy client may have to wait.
const PROMPT: Duration = Duration::from_secs(1);

/// A review of exactly `length` bytes: whitespace after it changes nothing.
fn padded(length: usize) -> String {
    ALLOWED.to_owned() + &" ".repeat(length - ALLOWED.len())
}

/// The bound of resident memory under any attack.
fn bound() -> f64 {
    (2 * Limits::default().max_in_flight_bytes) as f64 + 32.0 * MIB
}

/// The time in which a new client connects and gets the response to a review of `length` bytes.
async fn review(serving: &Serving, length: usize) -> Duration {
    let body = padded(length);
    let started = Instant::now();
    let reply = serving.caller().await.post("/validate", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    started.elapsed()
}

async fn prompt_review(serving: &Serving) -> Duration {
    let took = review(serving, ALLOWED.len()).await;
    assert!(took < PROMPT, "a review takes {took:?}");
    took
}

/// Asserts the bound of memory, and records the effect of the attack.
fn note(serving: &Serving, attack: &str, took: Duration) {
    let peak = serving.peak();
    assert!(peak <= bound(), "{attack}: {:.1} MiB resident", peak / MIB);
    figure(attack, &format!("a review took {}; {:.0} MiB resident at most", seconds(took), peak / MIB));
}

async fn callers(serving: &Serving, count: usize) -> Vec<Tls> {
    let mut callers = Vec::new();
    for _ in 0..count {
        callers.push(serving.caller().await);
    }
    callers
}

#[tokio::test]
async fn announced_bodies_that_are_never_sent_hold_no_memory() {
    let serving = Serving::start(&[]);
    let mut silent = callers(&serving, 16).await;
    for (number, caller) in silent.iter_mut().enumerate() {
        let head = header("/validate", LONGEST);
        let chunked = head.replace(&format!("content-length: {LONGEST}"), "transfer-encoding: chunked");
        caller.send(if number % 2 == 0 { &head } else { &chunked }).await;
    }
    serving
        .until_metric("ippool_webhook_connections{listener=\"webhook\",state=\"busy\"}", |busy| busy >= 16.0)
        .await;
    assert_eq!(serving.metric(IN_FLIGHT).await, 0.0);
    review(&serving, LONGEST).await;
    let took = prompt_review(&serving).await;
    note(&serving, "8 connections announce the longest body, 8 a chunked one, and send nothing", took);
}

#[tokio::test]
async fn stalled_bodies_are_dropped_while_others_wait_for_memory() {
    let serving = Serving::start(&[]);
    let body = padded(LONGEST);
    let mut stuck = callers(&serving, 8).await;
    for caller in &mut stuck {
        caller.send(&header("/validate", LONGEST)).await;
        let _ = tokio::time::timeout(PROMPT, caller.0.write_all(&body.as_bytes()[1..])).await;
    }
    // The reserve for small requests is free; a large one waits until the first is dropped.
    let took = prompt_review(&serving).await;
    let large = review(&serving, LONGEST).await;
    assert!(large < 3 * PROMPT, "the longest body takes {large:?}");
    let stalled = "ippool_webhook_rejected_requests_total{reason=\"body_stalled\"}";
    assert!(serving.metric(stalled).await >= 1.0);
    let mut told = 0;
    for caller in &mut stuck {
        if let Ok(Some(reply)) = tokio::time::timeout(PROMPT / 10, caller.try_answer()).await {
            told += usize::from(reply.status == 408 && reply.closes());
        }
    }
    assert!(told >= 1, "a client that is dropped gets 408");
    note(&serving, "8 connections send all of the longest body but one byte", took);
}

#[tokio::test]
async fn unread_responses_stay_within_the_memory_budget() {
    let serving = Serving::start(&[]);
    // The response repeats the uid, so it is as long as the review.
    let body = ALLOWED.replacen("\"uid\":\"", &format!("\"uid\":\"{}", "x".repeat(480 << 10)), 1);
    let mut deaf = callers(&serving, 200).await;
    for caller in &mut deaf {
        let request = header("/mutate", body.len()) + &body;
        let _ = tokio::time::timeout(PROMPT / 4, caller.0.write_all(request.as_bytes())).await;
    }
    let took = prompt_review(&serving).await;
    assert!(serving.metric(IN_FLIGHT).await <= Limits::default().max_in_flight_bytes as f64);
    note(&serving, "200 connections read no answer, each of 480 KiB", took);
}

/// Responses of 6 MiB to long bodies.
fn verbose() -> Evaluate {
    Arc::new(|endpoint, body, policy| {
        let mut answer = respond(endpoint, ALLOWED.as_bytes(), policy)?;
        if body.len() > 100_000 {
            answer.body.resize(6 << 20, b' ');
        }
        Ok(answer)
    })
}

#[tokio::test]
async fn a_response_holds_memory_until_it_is_read_or_times_out() {
    let mut config = quick();
    config.limits.write = PROMPT / 2;
    let server = Running::start_with(config, verbose()).await;
    let body = padded(200_000);
    let mut deaf = Vec::new();
    for _ in 0..2 {
        let mut caller = server.caller().await;
        caller.send(&(header("/validate", body.len()) + &body)).await;
        deaf.push(caller);
    }
    server.until_metric(IN_FLIGHT, (12 << 20) as f64).await;
    assert_eq!(deaf[0].answer().await.text.len(), 6 << 20);
    server.until_metric(IN_FLIGHT, 0.0).await;
    let text = soon(async {
        let mut text = Vec::new();
        let _ = deaf[1].0.read_to_end(&mut text).await;
        text
    });
    assert!(text.await.len() < 6 << 20, "it was closed before the client read");
}

#[tokio::test]
async fn an_unread_response_is_dropped_sooner_while_others_wait() {
    let mut config = quick();
    config.limits.write = testkit::client::PATIENCE;
    let server = Running::start_with(config, verbose()).await;
    let body = padded(200_000);
    let mut deaf = Vec::new();
    for _ in 0..9 {
        let mut caller = server.caller().await;
        caller.send(&(header("/validate", body.len()) + &body)).await;
        deaf.push(caller);
    }
    server.until_metric(IN_FLIGHT, (54 << 20) as f64).await;
    let started = Instant::now();
    let reply = server.caller().await.post("/validate", &padded(LONGEST)).await;
    assert_eq!(reply.status, 200);
    assert!(started.elapsed() < testkit::client::PATIENCE / 4, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_string_in_place_of_an_object_is_not_repeated_in_the_error() {
    let serving = Serving::start(&[]);
    let string = "\u{7f}".repeat(LONGEST - 1024);
    let body =
        format!(r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":"{string}"}}"#);
    let mut caller = serving.caller().await;
    let reply = caller.post("/validate", &body).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.len() <= 4096, "{} bytes", reply.text.len());
    let took = prompt_review(&serving).await;
    note(&serving, "a string of 8 MiB of 0x7f where an object belongs", took);
}

#[tokio::test]
async fn a_client_that_writes_a_long_body_before_reading_gets_413() {
    let serving = Serving::start(&[]);
    let mut caller = serving.caller().await;
    let length = 48 << 20;
    caller.send(&header("/validate", length)).await;
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..48 {
        soon(caller.0.write_all(&chunk)).await.unwrap();
    }
    caller.answer().await.assert_status(413, "RequestEntityTooLarge");
    let took = prompt_review(&serving).await;
    note(&serving, "a body of 48 MiB from a caller that writes all of it before it reads", took);
}

/// A creation of `allocations` entries with three defects each.
fn defects(allocations: usize) -> String {
    let entry = |n| format!(r#""-{n}":{{"id":"","podref":"a","ifname":"/"}}"#);
    let entries: Vec<_> = (0..allocations).map(entry).collect();
    let allocations = format!("\"spec\":{{\"allocations\":{{{}}},", entries.join(","));
    ALLOWED.replacen("\"spec\":{", &allocations, 1)
}

/// Sends `body` on four connections at once, and asserts that other reviews are answered meanwhile.
async fn review_meanwhile(serving: &Serving, body: &str) -> Duration {
    let mut callers = callers(serving, 4).await;
    for caller in &mut callers {
        caller.send(&(header("/validate", body.len()) + body)).await;
    }
    let took = prompt_review(serving).await;
    for caller in &mut callers {
        let reply = caller.answer().await;
        assert!([200, 503, 504].contains(&reply.status), "{}", reply.text);
    }
    took
}

#[tokio::test]
async fn reviews_with_many_findings_do_not_delay_others() {
    let serving = Serving::start(&[]);
    let took = review_meanwhile(&serving, &defects(30_000)).await;
    note(&serving, "4 reviews at once of 30,000 allocations with three defects each", took);
}

#[tokio::test]
async fn the_longest_adversarial_reviews_do_not_delay_others() {
    let serving = Serving::start(&[]);
    let took = review_meanwhile(&serving, &defects(170_000)).await;
    note(&serving, "4 of the longest reviews at once, full of defects", took);
}

#[tokio::test]
async fn a_review_without_memory_gets_503_and_the_server_survives() {
    let limited = format!("ulimit -v {}; exec", 80 * 1024);
    let serving = Serving::start_with_files(&limited, &[]);
    let body = padded(6_000_000);
    let request = Arc::new(header("/validate", body.len()) + &body);
    let mut rejected = 0;
    for _ in 0..4 {
        let posting = callers(&serving, 8).await.into_iter().map(|mut caller| {
            let request = Arc::clone(&request);
            tokio::spawn(async move {
                // The server may respond and close before the client has sent everything.
                let _ = soon(caller.0.write_all(request.as_bytes())).await;
                caller.try_answer().await
            })
        });
        for posted in posting.collect::<Vec<_>>() {
            let Some(reply) = posted.await.unwrap() else { continue };
            // On a busy machine a body can take longer than the server waits for it.
            assert!([200, 408, 503].contains(&reply.status), "{}", reply.text);
            rejected += usize::from(reply.status == 503);
        }
    }
    assert!(rejected > 0, "80 MiB are not enough for eight bodies of 6 MB");
    let took = prompt_review(&serving).await;
    note(&serving, "8 bodies of 6 MB at once in an address space of 80 MiB, four times", took);
}
