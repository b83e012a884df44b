//! The server: TLS, limits, two routes, and an orderly end.
//!
//! It is built from what it is given, so that a test binds port 0, learns the addresses and ends it:
//!
//! ```no_run
//! # use ippool_webhook::{policy::Policy, server::{Certificates, Config, Server}};
//! # async fn example(certificates: std::sync::Arc<Certificates>) -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind(Config::default(), Policy::default(), certificates).await?;
//! println!("{}", server.address());
//! server.run(async { /* until this ends */ }).await;
//! # Ok(())
//! # }
//! ```
//!
//! It remembers nothing between two requests, asks the cluster nothing, and every body, queue, connection,
//! handshake and wait has a bound, named in [`Limits`].

mod accept;
mod account;
mod activity;
mod args;
mod body;
mod certificates;
mod connection;
mod connections;
mod deadline;
mod files;
mod lifecycle;
mod limits;
mod log;
mod log_writer;
mod metrics;
mod pair;
mod phase;
mod process;
mod processors;
mod rejection;
mod review;
mod routes;
mod running;
mod self_signed;
mod signals;
mod start;
mod stream;
mod tls;
mod trust;
mod waits;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;

use self::account::Account;
pub use self::args::{EnforcementArg, LogFormat, ServeArgs, TlsVersionArg};
pub use self::certificates::Certificates;
pub use self::limits::Limits;
use self::metrics::Metrics;
pub use self::pair::CertificateError;
use self::processors::Processors;
use self::review::App;
pub use self::review::Review;
pub use self::start::serve;
pub use self::tls::{TlsError, TlsOptions, TlsVersion};
use self::trust::Trust;
use crate::admission;
use crate::policy::Policy;

/// How a server listens and what it bounds.
#[derive(Clone, Debug)]
pub struct Config {
    /// HTTPS; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Plain HTTP, for probes and metrics; port 0 likewise.
    pub admin_listen: SocketAddr,
    /// Versions and client certificates.
    pub tls: TlsOptions,
    /// From the shutdown signal to refusing connections.
    pub shutdown_delay: Duration,
    /// The bounds.
    pub limits: Limits,
}

/// Any free port of the loopback, and the usual bounds.
impl Default for Config {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: loopback,
            admin_listen: loopback,
            tls: TlsOptions::default(),
            shutdown_delay: limits::SHUTDOWN_DELAY,
            limits: Limits::default(),
        }
    }
}

/// Why a server cannot start.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address is taken, not of this machine, or not allowed.
    #[error(
        "cannot listen on {address} ({flag}): {source}; stop what holds it, or give another address to {flag}"
    )]
    Listen {
        /// The flag that names it.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A webhook with both its ports bound, not serving yet.
pub struct Server {
    listener: TcpListener,
    admin_listener: TcpListener,
    address: SocketAddr,
    admin_address: SocketAddr,
    trust: Arc<Trust>,
    certificates: Arc<Certificates>,
    shutdown_delay: Duration,
    app: App,
}

impl Server {
    /// Binds both ports of `config`, to serve `policy` with `certificates`.
    ///
    /// # Errors
    ///
    /// When a port cannot be bound or the client CA cannot be used.
    pub async fn bind(
        config: Config,
        policy: Policy,
        certificates: Arc<Certificates>,
    ) -> Result<Self, BindError> {
        let trust = Trust::new(Arc::clone(&certificates), config.tls)?;
        let (listener, address) = listen("--listen", config.listen).await?;
        let (admin_listener, admin_address) = listen("--admin-listen", config.admin_listen).await?;
        Ok(Self {
            listener,
            admin_listener,
            address,
            admin_address,
            trust: Arc::new(trust),
            certificates,
            shutdown_delay: config.shutdown_delay,
            app: app(policy, config.limits),
        })
    }

    /// Has reviews answered by `review` instead: for tests of what surrounds it.
    #[must_use]
    pub fn answering_with(mut self, review: Review) -> Self {
        self.app.review = review;
        self
    }

    /// Where the webhook listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where probes and metrics are served.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Serves until `shutdown` ends, and then to the orderly end: not ready at once, serving on for the
    /// shutdown delay, then no new connections and what is under way finished, within bounds.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        running::run(self, shutdown).await;
    }
}

fn app(policy: Policy, limits: Limits) -> App {
    let metrics = Arc::new(Metrics::default());
    let account = Account::new(&limits, &metrics);
    let processors = Processors::new(&limits, &metrics);
    App { policy, limits, account, processors, metrics, review: Arc::new(admission::respond) }
}

async fn listen(flag: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let fail = |source| BindError::Listen { flag, address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound))
}
