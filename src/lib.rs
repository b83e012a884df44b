//! The admission webhook for the IPPool objects of whereabouts.
//!
//! A request goes down through pure code and comes back up; nothing else moves:
//!
//! ```text
//!  apiserver ──► server        TLS, limits, deadlines; POST /mutate, POST /validate   ──► status, headers
//!                 │ bytes                                                ▲ bytes
//!              admission       decodes an AdmissionReview, encodes its response
//!                 │ Request { operation, username, object, old_object }  ▲ Verdict, Normalization
//!               review         severity, ratchet, trust, the code that fits the caller; any kind of object
//!                 │                                                      ▲ findings
//!               policy         what an administrator may set
//!                kinds         trait Kind; ippool: model, parse, rules, normalize
//!               finding        findings, severities, field paths
//!                json          compact JSON by a cursor, any other by serde
//!                text          foreign text, made safe to repeat
//! ```
//!
//! `check` runs the same rules on files ([`lint`]), and `output` writes what it finds. `certs` looks after the serving
//! certificate, and is the only part that writes to a cluster. `audit` checks the objects of a cluster, or of a dump, by the same
//! rules and by those across objects. `kube_client` is their client of the API. `pki` reads, verifies and issues certificates
//! for `server` and `certs`.
//!
//! # Invariants
//!
//! 1. The core is pure: same request, same bytes out; no clock, environment, file, network, lock or panic.
//! 2. A module uses only what is below it in the drawing.
//! 3. The server remembers nothing between two requests and asks the cluster nothing.
//! 4. A rule sees objects and nothing else: not HTTP, not who asks, not whether it is enforced.
//! 5. A finding is not an error. Errors exist only at the edges, and each names its remedy. A field that cannot be parsed
//!    becomes a finding, never an early return.
//! 6. Every body, queue, connection, handshake, wait, log line and echo of foreign text has a bound, named with its unit
//!    and its reason.
//! 7. The core builds without tokio, axum, rustls or kube; the feature `serve` (default) brings those.

// The core, in which nothing can panic.
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice))]
pub mod admission;
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice))]
pub mod finding;
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice))]
pub mod json;
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice))]
pub mod kinds;
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice))]
pub mod policy;
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice))]
pub mod review;
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice))]
pub mod text;

// Everything with I/O.
#[cfg(feature = "serve")]
mod audit;
#[cfg(feature = "serve")]
mod certs;
#[cfg(feature = "serve")]
mod check;
#[cfg(feature = "serve")]
pub mod cli;
#[cfg(feature = "serve")]
mod kube_client;
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
pub use review::{lint, review};
