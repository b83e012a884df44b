//! The admission webhook that guards the IPPool objects of whereabouts.
//!
//! A request walks in one direction, from the door to the verdict and back out:
//!
//! ```text
//!  the apiserver rings                                        it hears the answer
//!         │                                                           ▲
//!    server      TLS, limits, two routes ──────────────────── status, headers
//!         │ bytes                                                     │ bytes
//!  admission     the door: reads the envelope, keeps the uid ── writes it, same uid
//!         │ Request { operation, username, old, new }                 │ Verdict
//!    review      the hall: severity, ratchet, trust, caller ──────────┤
//!  normalize     the canonical text of the range, moving no address ──┘
//!         │ Pool
//!    policy      what an administrator may set
//!     rules      the list, in order: rules/{range, key, owner, allocations, change, name}
//!    report      findings, severities
//!      path      where a finding is
//!      pool      the stored object as typed parts, borrowed from the body
//!     range      addresses and offsets exactly as whereabouts counts them
//!      text      foreign text, made safe to repeat
//! ```
//!
//! `check` enters at the hall by a side door ([`examine`]) and leaves with the same findings. `certs` stands
//! apart: it looks after the serving certificate, and is the only part that writes to a cluster.
//! Outside of the core, `output` writes findings for `check`; `pki` reads, verifies and issues certificates for `server`
//! and `certs`; and `cluster` is the client of the API for `certs`.
//!
//! # Laws of the house
//!
//! 1. [`review()`] is total and pure: same request, same verdict; no clock, environment, file, network, lock
//!    or panic.
//! 2. The server remembers nothing between two requests and asks the cluster nothing.
//! 3. A rule sees pools and nothing else: not HTTP, not who asks, not whether it is enforced. Severity,
//!    trust, ratchet and the caller's code are decided once, after all rules have spoken.
//! 4. A finding is not an error. Errors exist only at the edge, and each names its remedy.
//! 5. Only the door serialises. A field that does not parse is kept as unparsed and becomes a finding,
//!    never an early return.
//! 6. Every body, queue, connection, handshake and wait has a bound, named with its unit and its reason.
//! 7. A file uses only the files below it in the drawing. The core builds without tokio, axum, rustls or
//!    kube; the feature `serve` (default) brings those.

// The core.
pub mod admission;
pub mod normalize;
pub mod path;
pub mod policy;
pub mod pool;
pub mod range;
pub mod report;
pub mod review;
pub mod rules;
pub mod text;

// Everything with I/O.
#[cfg(feature = "serve")]
mod catalogue;
#[cfg(feature = "serve")]
mod certs;
#[cfg(feature = "serve")]
mod check;
#[cfg(feature = "serve")]
pub mod cli;
#[cfg(feature = "serve")]
mod cluster;
#[cfg(feature = "serve")]
pub mod ippool;
#[cfg(feature = "serve")]
mod output;
#[cfg(feature = "serve")]
mod pki;
#[cfg(feature = "serve")]
mod policy_file;
#[cfg(feature = "serve")]
pub mod server;

#[cfg(feature = "cluster")]
#[doc(hidden)]
pub use check::documents;
pub use review::{examine, review};
