//! The table of bounds in `docs/limits.md` is made here, from the bounds themselves. `UPDATE_LIMITS=1` writes it.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../benches/support/crafted.rs"]
mod crafted;

use std::time::{Duration, Instant};

use crafted::crafted;
use ippool_webhook::admission::{Endpoint, answer};
use ippool_webhook::policy::Policy;
use ippool_webhook::server::Limits;

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

/// What is bounded, by what, and what happens at the bound.
fn bounds() -> Vec<(&'static str, String, &'static str)> {
    // By name, so that a new bound does not compile until it has its row.
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
            "the account of memory (`--max-in-flight-bytes`)",
            bytes(max_in_flight_bytes),
            "requests wait, then 503",
        ),
        ("of it kept for requests of up to", bytes(small_bytes), "larger ones wait"),
        ("of it one caller, while others wait", "half".to_owned(), "it waits until nobody else does"),
        ("waiting for memory or a processor", time(queue), "503 with `Retry-After: 0`"),
        (
            "a body or an answer without progress while others wait for memory",
            time(stall),
            "408; an answer: closed",
        ),
        ("a body, from its header on", time(body), "408"),
        ("an answer of which nothing can be written", time(write), "closed"),
        ("a string in a body of more than 8 KiB", "512 KiB to 1 MiB".to_owned(), "400"),
        (
            "what a review takes beside its body",
            format!("{review_factor} times the body, {}", bytes(review_bytes)),
            "503 where that is not there",
        ),
        ("a review on the thread of its connection", bytes(inline_bytes), "it goes to a thread of its own"),
        (
            "reviews on threads of their own, at once",
            "processors, 2 at most".to_owned(),
            "they wait, then 503",
        ),
        ("a review that has to wait for others like it", bytes(large_bytes), "one at a time"),
        ("one review, all of it", time(review), "504"),
        ("a header", bytes(header_bytes), "431"),
        ("a header that has begun", time(header), "closed"),
        ("a TLS handshake", time(handshake), "closed"),
        ("connections to the webhook", connections.to_string(), "the one needed least is closed"),
        ("connections to the admin port", admin_connections.to_string(), "the one needed least is closed"),
        ("since its last review, a connection is closed last", time(recent), "after that it is like others"),
        ("the end of a connection that gives way", time(evict), "dropped"),
        ("silence between two requests (`--idle-timeout`)", time(idle), "closed"),
        ("what is read of a refused body", bytes(discard_bytes), "the connection ends with the answer"),
        ("how long it is read", time(discard), "the connection ends with the answer"),
        ("what is read after the last answer", bytes(linger_bytes), "closed"),
        ("how long it is read on", time(linger), "closed"),
        ("an answer that is not a review", "4 KiB".to_owned(), "its message is cut"),
        ("a line of the log", "4 KiB".to_owned(), "names are cut at 256 bytes"),
        ("lines of the log that wait", "1024".to_owned(), "dropped and counted"),
        ("a file of certificates", "1 MiB".to_owned(), "the last good one stays"),
        ("reading it", time(file), "the last good one stays"),
        ("between two looks at it", time(certificate_poll), "looked at again"),
        ("what is under way when the server ends", time(drain), "dropped"),
    ]
}

#[test]
fn every_bound_is_in_the_page_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = bounds().into_iter().map(|(what, default, then)| format!("| {what} | {default} | {then} |\n"));
    let table = format!("| what | at most | past it |\n|---|---:|---|\n{}", rows.collect::<String>());
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (old, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_LIMITS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(old, table, "UPDATE_LIMITS=1 cargo test --test limits writes it anew");
    }
}

/// The least of some attempts: whatever else the machine does only adds to it.
fn fastest(endpoint: Endpoint, body: &[u8]) -> Duration {
    let policy = Policy::default();
    let attempt = |_| {
        let started = Instant::now();
        drop(answer(endpoint, body, &policy));
        started.elapsed()
    };
    (0..20).map(attempt).min().unwrap()
}

#[test]
fn a_review_on_the_thread_of_its_connection_takes_under_a_millisecond() {
    // What `crafted` puts around the allocations takes some bytes, too.
    for body in crafted(Limits::default().inline_bytes - 1024) {
        assert!(body.body.len() <= Limits::default().inline_bytes, "{}: {}", body.name, body.body.len());
        let took = [Endpoint::Validate, Endpoint::Mutate].map(|endpoint| fastest(endpoint, &body.body));
        println!("{}: {took:?}", body.name);
        // Without optimization it takes ten times as long.
        let bound = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 1 });
        assert!(took.iter().all(|took| *took < bound), "{}: {took:?}", body.name);
    }
}
