//! Every bound of the server: its number, its unit and its reason.

use std::thread;
use std::time::Duration;

/// The shortest `--idle-timeout`, in seconds: the 90 s of the apiserver and a margin for clocks.
pub const MIN_IDLE_SECONDS: u64 = 100;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The struct of bounds: each with its unit, its reason and its default.
macro_rules! limits {
    ($($(#[doc = $reason:literal])* $name:ident: $type:ty = $default:expr,)*) => {
        /// The bounds of one server.
        #[derive(Clone, Debug)]
        pub struct Limits {
            $($(#[doc = $reason])* pub $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }
    };
}

limits! {
    /// Longest body, in bytes. The apiserver accepts objects of up to 3 MiB, and the AdmissionReview of an UPDATE holds
    /// two of them, which makes 7 MiB in all.
    max_body_bytes: usize = 8 * MIB,
    /// The memory budget, in bytes, for bodies as they arrive, their reviews, and responses until they are sent: eight
    /// of the longest bodies. It is at least `max_body_bytes`.
    max_in_flight_bytes: usize = 64 * MIB,
    /// Silence between two requests of a connection. The apiserver reuses a connection for 90 s and does not repeat a
    /// POST that ends in EOF, so the server must never be the first to close.
    idle: Duration = Duration::from_secs(120),
    /// A TLS handshake, which takes two round trips. A slower one holds a socket for nothing.
    handshake: Duration = Duration::from_secs(10),
    /// From the first byte of a header to its last.
    header: Duration = Duration::from_secs(10),
    /// A header with its request line, in bytes. The apiserver sends less than 1 KiB.
    header_bytes: usize = 64 * KIB,
    /// From the end of the header to the end of the body.
    body: Duration = Duration::from_secs(10),
    /// One review: the slowest body, and the time to evaluate it.
    review: Duration = Duration::from_secs(12),
    /// Waiting for memory, and again for a processor; at most half of what the deadline leaves. After that, another
    /// replica is the better choice.
    queue: Duration = Duration::from_secs(2),
    /// How much of the body of a rejected request is read, in bytes. The client loses a response that is sent while it
    /// still writes.
    discard_bytes: usize = 8 * MIB,
    /// How long such a body is read.
    discard: Duration = Duration::from_secs(2),
    /// How much is read after the last response if a body was left unread, in bytes, for a client that writes all of it
    /// before it reads.
    linger_bytes: usize = 64 * MIB,
    /// How long that is read.
    linger: Duration = Duration::from_secs(2),
    /// A body or response without progress while others wait for memory. A healthy client sends the next packet within
    /// milliseconds.
    stall: Duration = Duration::from_millis(500),
    /// A response of which nothing can be written.
    write: Duration = Duration::from_secs(10),
    /// Finishing the request of a connection that has to end: longer than any review may take.
    drain: Duration = Duration::from_secs(15),
    /// Webhook connections at once. An apiserver pools 25.
    connections: usize = 512,
    /// Admin connections at once: probes and a few scrapers.
    admin_connections: usize = 64,
    /// For so long after its last review, a connection is evicted last: the apiserver keeps it for 90 s and may use it
    /// at any moment.
    recent: Duration = Duration::from_secs(90),
    /// Closing an evicted connection gracefully.
    evict: Duration = Duration::from_millis(250),
    /// Bodies up to this size, in bytes, are reviewed on the thread that read them. It takes less than a millisecond,
    /// also for an adversarial body (0.08 ms for each KiB).
    inline_bytes: usize = 8 * KIB,
    /// Requests up to this size, in bytes, may use the part of the budget that is reserved for them.
    small_bytes: usize = 64 * KIB,
    /// Bodies from this size on, in bytes, are reviewed one at a time, and others do not wait for them: an adversarial
    /// one takes half a second.
    large_bytes: usize = 256 * KIB,
    /// What a review takes at most, in sizes of its body (`tests/memory.rs`); 0.9 of one for what whereabouts writes.
    review_factor: usize = 64,
    /// What a review takes at most, in bytes: a pool has at most 65,536 entries.
    review_bytes: usize = 48 * MIB,
    /// Bodies above `inline_bytes` and below `large_bytes` that are reviewed at once: one for each processor, since they
    /// compute and never wait, and at most two. That is thousands a second, far more than an apiserver can encode.
    concurrent_reviews: usize = thread::available_parallelism().map_or(1, usize::from).min(2),
    /// Reading a file of certificates. A file system that takes longer hangs.
    file: Duration = Duration::from_secs(5),
    /// The interval at which the certificate files are polled, in case no event reported a change. The kubelet itself
    /// takes a minute to update a Secret volume.
    certificate_poll: Duration = Duration::from_secs(5),
}
