//! Every bound of the server: its number, its unit and its reason.

use std::thread;
use std::time::Duration;

/// The shortest `--idle-timeout`, in seconds: the 90 s of the apiserver and a margin for clocks.
pub const MIN_IDLE_SECONDS: u64 = 100;

/// The bounds of one server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest body, in bytes. The apiserver accepts objects of up to 3 MiB, and the AdmissionReview of an UPDATE holds
    /// two of them, which makes 7 MiB in all.
    pub max_body_bytes: usize,
    /// The memory budget, in bytes, for bodies as they arrive, their reviews, and responses until they are sent: eight
    /// of the longest bodies. It is at least `max_body_bytes`.
    pub max_in_flight_bytes: usize,
    /// Silence between two requests of a connection. The apiserver reuses a connection for 90 s and does not repeat a
    /// POST that ends in EOF, so the server must never be the first to close.
    pub idle: Duration,
    /// A TLS handshake, which takes two round trips. A slower one holds a socket for nothing.
    pub handshake: Duration,
    /// From the first byte of a header to its last.
    pub header: Duration,
    /// A header with its request line, in bytes. The apiserver sends less than 1 KiB.
    pub header_bytes: usize,
    /// From the end of the header to the end of the body.
    pub body: Duration,
    /// One review: the slowest body, and the time to evaluate it.
    pub review: Duration,
    /// Waiting for memory, and again for a processor; at most half of what the deadline leaves. After that, another
    /// replica is the better choice.
    pub queue: Duration,
    /// How much of the body of a rejected request is read, in bytes. The client loses a response that is sent while it
    /// still writes.
    pub discard_bytes: usize,
    /// How long such a body is read.
    pub discard: Duration,
    /// How much is read after the last response if a body was left unread, in bytes, for a client that writes all of it
    /// before it reads.
    pub linger_bytes: usize,
    /// How long that is read.
    pub linger: Duration,
    /// A body or response without progress while others wait for memory. A healthy client sends the next packet within
    /// milliseconds.
    pub stall: Duration,
    /// A response of which nothing can be written.
    pub write: Duration,
    /// Finishing the request of a connection that has to end: longer than any review may take.
    pub drain: Duration,
    /// Webhook connections at once. An apiserver pools 25.
    pub connections: usize,
    /// Admin connections at once: probes and a few scrapers.
    pub admin_connections: usize,
    /// For so long after its last review, a connection is evicted last: the apiserver keeps it for 90 s and may use it
    /// at any moment.
    pub recent: Duration,
    /// Closing an evicted connection gracefully.
    pub evict: Duration,
    /// Bodies up to this size, in bytes, are reviewed on the thread that read them. It takes less than a millisecond,
    /// also for an adversarial body (0.08 ms for each KiB).
    pub inline_bytes: usize,
    /// Requests up to this size, in bytes, may use the part of the budget that is reserved for them.
    pub small_bytes: usize,
    /// Bodies from this size on, in bytes, are reviewed one at a time, and others do not wait for them: an adversarial
    /// one takes half a second.
    pub large_bytes: usize,
    /// What a review takes at most, in sizes of its body (`tests/memory.rs`); 0.9 of one for what whereabouts writes.
    pub review_factor: usize,
    /// What a review takes at most, in bytes: a pool has at most 65,536 entries.
    pub review_bytes: usize,
    /// Bodies above `inline_bytes` and below `large_bytes` that are reviewed at once: one for each processor, since they
    /// compute and never wait, and at most two. That is thousands a second, far more than an apiserver can encode.
    pub concurrent_reviews: usize,
    /// Reading a file of certificates. A file system that takes longer hangs.
    pub file: Duration,
    /// The interval at which the certificate files are polled, in case no event reported a change. The kubelet itself
    /// takes a minute to update a Secret volume.
    pub certificate_poll: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            max_body_bytes: 8 * MIB,
            max_in_flight_bytes: 64 * MIB,
            idle: Duration::from_secs(120),
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            header_bytes: 64 * KIB,
            body: Duration::from_secs(10),
            review: Duration::from_secs(12),
            queue: Duration::from_secs(2),
            discard_bytes: 8 * MIB,
            discard: Duration::from_secs(2),
            linger_bytes: 64 * MIB,
            linger: Duration::from_secs(2),
            stall: Duration::from_millis(500),
            write: Duration::from_secs(10),
            drain: Duration::from_secs(15),
            connections: 512,
            admin_connections: 64,
            recent: Duration::from_secs(90),
            evict: Duration::from_millis(250),
            inline_bytes: 8 * KIB,
            small_bytes: 64 * KIB,
            large_bytes: 256 * KIB,
            review_factor: 64,
            review_bytes: 48 * MIB,
            concurrent_reviews: thread::available_parallelism().map_or(1, usize::from).min(2),
            file: Duration::from_secs(5),
            certificate_poll: Duration::from_secs(5),
        }
    }
}
