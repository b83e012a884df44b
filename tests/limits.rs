//! The table of bounds in `docs/limits.md`, from the bounds themselves. `UPDATE_LIMITS=1` writes it.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::policy::Policy;
use ippool_webhook::server::Limits;
use testkit::adversarial::adversarial;

const BEGIN: &str = "<!-- bounds: written by tests/limits.rs -->\n";
const END: &str = "<!-- end of bounds -->\n";

fn bytes(count: usize) -> String {
    match count {
        _ if count.is_multiple_of(1 << 20) => format!("{} MiB", count >> 20),
        _ if count.is_multiple_of(1024) => format!("{} KiB", count >> 10),
        _ => format!("{count} bytes"),
    }
}

fn time(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

/// What is bounded, the bound, and what happens at it.
fn bounds() -> Vec<(&'static str, String, &'static str)> {
    // Destructured, so that a new bound does not compile without a row.
    let Limits {
        max_body_bytes,
        max_in_flight_bytes,
        idle,
        handshake,
        header,
        header_bytes,
        body,
        review,
        queue,
        discard_bytes,
        discard,
        linger_bytes,
        linger,
        stall,
        write,
        drain,
        connections,
        admin_connections,
        recent,
        evict,
        inline_bytes,
        small_bytes,
        large_bytes,
        review_factor,
        review_bytes,
        concurrent_reviews: _,
        file,
        certificate_poll,
    } = Limits::default();
    vec![
        ("a body (`--max-body-bytes`)", bytes(max_body_bytes), "413"),
        (
            "the memory budget (`--max-in-flight-bytes`)",
            bytes(max_in_flight_bytes),
            "requests wait, then 503",
        ),
        ("a request that may use the reserve of the budget", bytes(small_bytes), "larger ones wait"),
        ("the share of one client while others wait", "half".to_owned(), "it waits while others wait"),
        ("waiting for memory or a processor", time(queue), "503 with `Retry-After: 0`"),
        (
            "a body or response without progress while others wait for memory",
            time(stall),
            "408; a response: closed",
        ),
        ("a body, from the end of its header", time(body), "408"),
        ("a response of which nothing can be written", time(write), "closed"),
        ("a string in a body of more than 8 KiB", "512 KiB to 1 MiB".to_owned(), "400"),
        (
            "memory of a review beside its body",
            format!("{review_factor} times the body, {}", bytes(review_bytes)),
            "503 if the system has less",
        ),
        ("a review on the thread of its connection", bytes(inline_bytes), "on a thread of its own"),
        (
            "concurrent reviews on threads of their own",
            "processors, 2 at most".to_owned(),
            "they wait, then 503",
        ),
        ("a review that runs beside others", bytes(large_bytes), "one at a time"),
        ("one review, all of it", time(review), "504"),
        ("a header", bytes(header_bytes), "431"),
        ("receiving a header", time(header), "closed"),
        ("a TLS handshake", time(handshake), "closed"),
        ("connections to the webhook", connections.to_string(), "the one of the lowest rank is closed"),
        (
            "connections to the admin port",
            admin_connections.to_string(),
            "the one of the lowest rank is closed",
        ),
        ("since its last review, a connection is closed last", time(recent), "it ranks like any other"),
        ("closing an evicted connection", time(evict), "dropped"),
        ("silence between two requests (`--idle-timeout`)", time(idle), "closed"),
        ("reading the body of a rejected request", bytes(discard_bytes), "closed after the response"),
        ("the time of that", time(discard), "closed after the response"),
        ("reading after the last response", bytes(linger_bytes), "closed"),
        ("the time of that reading", time(linger), "closed"),
        ("a rejection", "4 KiB".to_owned(), "its message is cut"),
        ("a log line", "4 KiB".to_owned(), "names are cut at 256 bytes"),
        ("queued log lines", "1024".to_owned(), "dropped and counted"),
        ("a file of certificates", "1 MiB".to_owned(), "the last good one stays in use"),
        ("reading it", time(file), "the last good one stays in use"),
        ("polling it", time(certificate_poll), "read again"),
        ("requests in progress at shutdown", time(drain), "dropped"),
    ]
}

#[test]
fn the_page_of_limits_lists_every_bound_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = bounds().into_iter().map(|(what, default, then)| format!("| {what} | {default} | {then} |\n"));
    let table = format!("| what | at most | beyond that |\n|---|---:|---|\n{}", rows.collect::<String>());
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (old, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_LIMITS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(old, table, "UPDATE_LIMITS=1 cargo test --test limits writes it");
    }
}

/// The shortest of some attempts, since other load only adds to it.
fn fastest(endpoint: Endpoint, body: &[u8]) -> Duration {
    let policy = Policy::default();
    let attempt = |_| {
        let started = Instant::now();
        drop(respond(endpoint, body, &policy));
        started.elapsed()
    };
    (0..20).map(attempt).min().unwrap()
}

#[test]
fn an_inline_review_takes_less_than_a_millisecond() {
    // The AdmissionReview around the allocations takes some bytes, too.
    for body in adversarial(Limits::default().inline_bytes - 1024) {
        assert!(body.body.len() <= Limits::default().inline_bytes, "{}: {}", body.name, body.body.len());
        let took = [Endpoint::Validate, Endpoint::Mutate].map(|endpoint| fastest(endpoint, &body.body));
        println!("{}: {took:?}", body.name);
        // It takes ten times as long without optimization.
        let bound = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 1 });
        assert!(took.iter().all(|took| *took < bound), "{}: {took:?}", body.name);
    }
}
