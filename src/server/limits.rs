//! Every bound of the server: its number, its unit and its reason.

use std::time::Duration;

/// Longest body that is read, in bytes. The apiserver takes objects of up to 3 MiB and sends two of them
/// in the review of an UPDATE, which makes 7 MiB with the envelope.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// The account of memory, in bytes: bodies as they arrive, what a review of them takes, answers until they are sent.
/// Eight of the longest bodies.
pub const MAX_IN_FLIGHT_BYTES: usize = 64 * 1024 * 1024;
/// Silence on a kept-alive connection. The apiserver reuses one for 90 s and does not repeat a POST that
/// ends in EOF, so the server must never be the first to hang up.
pub const IDLE: Duration = Duration::from_secs(120);
/// The shortest `--idle-timeout`, in seconds: the 90 s of the apiserver and some room for clocks.
pub const LEAST_IDLE_SECONDS: u64 = 100;
/// From SIGTERM to refusing connections: the endpoints of the Service need a few seconds to change.
pub const SHUTDOWN_DELAY: Duration = Duration::from_secs(5);

/// A TLS handshake takes two round trips; what is slower holds a socket for nothing.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// From the first byte of a request's header to its last.
const HEADER: Duration = Duration::from_secs(10);
/// One header with its request line, in bytes. The apiserver sends under 1 KiB.
const HEADER_BYTES: usize = 64 * 1024;
/// From the end of the header to the end of the body.
const BODY: Duration = Duration::from_secs(10);
/// The server's own deadline for one review: a body at its slowest, and the time to answer.
const REVIEW: Duration = Duration::from_secs(12);
/// Waiting for room in memory or on a processor; after it the apiserver does better at another replica.
const QUEUE: Duration = Duration::from_secs(2);
/// What is still read of a refused body, in bytes. An answer given while the caller still writes is lost
/// in a TCP reset.
const DISCARD_BYTES: usize = 8 * 1024 * 1024;
/// How long it is read.
const DISCARD: Duration = Duration::from_secs(2);
/// What is read after the last answer of a connection that ends with a body unread, in bytes: a caller who writes all
/// before it reads has its answer then.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// How long it is read.
const LINGER: Duration = Duration::from_secs(2);
/// Without progress of a body or an answer, before it is dropped for the sake of others that wait for memory. A caller
/// that is well sends the next packet within milliseconds.
const STALL: Duration = Duration::from_millis(500);
/// An answer of which nothing can be written.
const WRITE: Duration = Duration::from_secs(10);
/// From telling a connection to end to dropping it: longer than any review may take.
const DRAIN: Duration = Duration::from_secs(15);
/// Webhook connections at once. An apiserver pools 25.
const CONNECTIONS: usize = 512;
/// Admin connections at once: probes and a scraper or two.
const ADMIN_CONNECTIONS: usize = 64;
/// Since its last review, a connection may carry the next one any moment: the apiserver keeps it for 90 s, and does not
/// repeat a POST that ends in EOF.
const RECENT: Duration = Duration::from_secs(90);
/// A connection that gives way to another is closed in an orderly way within this time.
const EVICT: Duration = Duration::from_millis(250);
/// A body up to this size, in bytes, is reviewed where it was read: under a millisecond, also where it was made to
/// take long (0.08 ms for each KiB).
const INLINE_BYTES: usize = 8 * 1024;
/// A request up to this size, in bytes, may use the part of the account that is kept from larger ones.
const SMALL_BYTES: usize = 64 * 1024;
/// From this size on, in bytes, bodies are reviewed one at a time, and the others need not wait for them: a hostile one
/// takes half a second.
const LARGE_BYTES: usize = 256 * 1024;
/// What a review takes at most beside its body, in sizes of the body (`tests/memory.rs`); half of one for what
/// whereabouts writes.
const REVIEW_FACTOR: usize = 64;
/// What a review takes at most, in bytes: there are no more than 65,536 entries in a pool.
const REVIEW_BYTES: usize = 48 * 1024 * 1024;
/// Reading a file of certificates; a file system that takes longer hangs.
pub const FILE: Duration = Duration::from_secs(5);
/// Between two looks at the certificate files, should nothing have told of a change. The kubelet itself takes
/// a minute to bring a new Secret.
const CERTIFICATE_POLL: Duration = Duration::from_secs(5);

/// The bounds one server runs under; [`Default`] gives the values above.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest body, in bytes.
    pub max_body_bytes: usize,
    /// The account of memory, in bytes; not less than `max_body_bytes`.
    pub max_in_flight_bytes: usize,
    /// Silence between two requests of a connection.
    pub idle: Duration,
    /// A TLS handshake.
    pub handshake: Duration,
    /// A header that has begun.
    pub header: Duration,
    /// A header, in bytes.
    pub header_bytes: usize,
    /// A body that has begun.
    pub body: Duration,
    /// One review, all of it.
    pub review: Duration,
    /// Waiting for memory, and again for a processor; at most half of what the deadline leaves.
    pub queue: Duration,
    /// What is read of a refused body, in bytes.
    pub discard_bytes: usize,
    /// How long a refused body is read.
    pub discard: Duration,
    /// What is read after the last answer, in bytes, where a body was left unread.
    pub linger_bytes: usize,
    /// How long it is read.
    pub linger: Duration,
    /// Without progress, while others wait for memory.
    pub stall: Duration,
    /// An answer of which nothing can be written.
    pub write: Duration,
    /// Finishing what is under way on a connection that has to end.
    pub drain: Duration,
    /// Webhook connections at once.
    pub connections: usize,
    /// Admin connections at once.
    pub admin_connections: usize,
    /// Since its last review, a connection gives way last.
    pub recent: Duration,
    /// The end of a connection that gives way.
    pub evict: Duration,
    /// Bodies up to this size, in bytes, are reviewed on the thread that read them.
    pub inline_bytes: usize,
    /// Requests up to this size, in bytes, may use all of the account.
    pub small_bytes: usize,
    /// Bodies from this size on, in bytes, are reviewed one at a time.
    pub large_bytes: usize,
    /// What a review takes at most, in sizes of its body.
    pub review_factor: usize,
    /// What a review takes at most, in bytes.
    pub review_bytes: usize,
    /// Bodies below that and above `inline_bytes` reviewed at once.
    pub reviews_at_once: usize,
    /// Reading a file of certificates.
    pub file: Duration,
    /// Between two looks at the certificate files.
    pub certificate_poll: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: MAX_BODY_BYTES,
            max_in_flight_bytes: MAX_IN_FLIGHT_BYTES,
            idle: IDLE,
            handshake: HANDSHAKE,
            header: HEADER,
            header_bytes: HEADER_BYTES,
            body: BODY,
            review: REVIEW,
            queue: QUEUE,
            discard_bytes: DISCARD_BYTES,
            discard: DISCARD,
            linger_bytes: LINGER_BYTES,
            linger: LINGER,
            stall: STALL,
            write: WRITE,
            drain: DRAIN,
            connections: CONNECTIONS,
            admin_connections: ADMIN_CONNECTIONS,
            recent: RECENT,
            evict: EVICT,
            inline_bytes: INLINE_BYTES,
            small_bytes: SMALL_BYTES,
            large_bytes: LARGE_BYTES,
            review_factor: REVIEW_FACTOR,
            review_bytes: REVIEW_BYTES,
            reviews_at_once: reviews_at_once(),
            file: FILE,
            certificate_poll: CERTIFICATE_POLL,
        }
    }
}

/// One for each processor, since they compute and never wait, and at most two: that is thousands a second, far more
/// than an apiserver can encode.
fn reviews_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(2)
}
