//! The server: TLS, limits, two endpoints, and a graceful shutdown.
//!
//! It is built from what it is given, so that a test binds port 0, reads the addresses and stops it:
//!
//! ```no_run
//! # use ippool_webhook::{policy::Policy, server::{Certificates, Config, Server}};
//! # async fn example(certificates: std::sync::Arc<Certificates>) -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind(Config::default(), Policy::default(), certificates).await?;
//! println!("{}", server.address());
//! server.run(async { /* until this completes */ }).await;
//! # Ok(())
//! # }
//! ```
//!
//! It remembers nothing between two requests and asks the cluster nothing. Every body, queue, connection,
//! handshake and wait has a bound, named in [`Limits`].

mod args;
mod conn;
mod limits;
mod log;
mod metrics;
mod review;
mod run;
mod shutdown;
mod tls;

pub use self::args::ServeArgs;
pub use self::limits::Limits;
pub use self::log::LogFormat;
pub use self::review::Evaluate;
pub use self::run::{BindError, Config, Server, serve};
pub use self::tls::{CertificateError, Certificates, TlsError, TlsOptions, TlsVersion};
