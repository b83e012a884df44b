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

mod admin;
mod args;
mod conn;
mod handler;
mod limits;
mod log;
mod metrics;
mod plain;
mod shutdown;
mod start;
mod tls;
mod webhook;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tracing::info;

pub(crate) use self::admin::METRICS_TYPE;
pub use self::args::ServeArgs;
pub use self::handler::Evaluate;
pub use self::limits::Limits;
pub use self::log::LogFormat;
pub(crate) use self::log::{level as log_level, start as start_log};
pub(crate) use self::metrics::Process;
pub(crate) use self::plain::PlainServer;
pub(crate) use self::shutdown::signals;
pub use self::start::serve;
pub use self::tls::{CertificateError, Certificates, TlsError, TlsOptions, TlsVersion};

use self::admin::Admin;
use self::conn::ConnectionTable;
use self::handler::Handler;
use self::shutdown::Shutdown;
use self::tls::ClientAuth;
use self::webhook::Webhook;
use crate::policy::Policy;

/// Connections that wait to be accepted; as many as tokio's own listeners have.
const BACKLOG: u32 = 1024;

/// Where a server listens, and its bounds.
#[derive(Clone, Debug)]
pub struct Config {
    /// HTTPS, as `HOST:PORT`, or `:PORT` for all addresses; port 0 takes any free port.
    pub listen: String,
    /// Plain HTTP for probes and metrics, in the same form.
    pub admin_listen: String,
    /// The TLS version and client certificates.
    pub tls: TlsOptions,
    /// From the shutdown signal to closing the listener: the endpoints of the Service take a few seconds to change.
    pub shutdown_delay: Duration,
    /// The bounds.
    pub limits: Limits,
}

/// Any free port of the loopback, and the default bounds.
impl Default for Config {
    fn default() -> Self {
        let loopback = "127.0.0.1:0";
        Self {
            listen: loopback.to_owned(),
            admin_listen: loopback.to_owned(),
            tls: TlsOptions::default(),
            shutdown_delay: Duration::from_secs(5),
            limits: Limits::default(),
        }
    }
}

/// Why a server cannot start.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address is in use, not of this machine, or not allowed.
    #[error("cannot listen on {address} ({flag}): {source}; free it, or give another address to {flag}")]
    Listen {
        /// The flag that names the address.
        flag: &'static str,
        /// The address.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A webhook that is bound to both its ports and does not serve yet.
pub struct Server {
    listener: TcpListener,
    admin_listener: TcpListener,
    address: SocketAddr,
    admin_address: SocketAddr,
    auth: Arc<ClientAuth>,
    shutdown_delay: Duration,
    handler: Handler,
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
        let auth = Arc::new(ClientAuth::new(certificates, config.tls)?);
        let (listener, address) = listen("--listen", &config.listen).await?;
        let (admin_listener, admin_address) = listen("--admin-listen", &config.admin_listen).await?;
        let (shutdown_delay, handler) = (config.shutdown_delay, Handler::new(policy, config.limits));
        Ok(Self { listener, admin_listener, address, admin_address, auth, shutdown_delay, handler })
    }

    /// Evaluates reviews with `evaluate` instead, to test everything around it.
    #[must_use]
    pub fn evaluating_with(mut self, evaluate: Evaluate) -> Self {
        self.handler.evaluate = evaluate;
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

    /// Serves until `signal` completes. Then it drains: it is not ready but serves for the shutdown delay, closes its
    /// listener, and finishes the requests in progress within their bounds.
    pub async fn run(self, signal: impl Future<Output = ()>) {
        let shutdown = Shutdown::default();
        let handler = Arc::new(self.handler);
        let (metrics, limits) = (Arc::clone(&handler.metrics), &handler.limits);
        info!(address = %self.address, admin = %self.admin_address, "serving");
        let certificates = &self.auth.certificates;
        certificates.report(&metrics);

        let connections = ConnectionTable::new("webhook", limits.connections, limits.recent, &metrics);
        let admin = Admin {
            metrics: Arc::clone(&metrics),
            certificates: Arc::clone(certificates),
            shutdown: shutdown.clone(),
        };
        let webhook = Webhook {
            auth: Arc::clone(&self.auth),
            router: handler::router(Arc::clone(&handler)),
            handler: Arc::clone(&handler),
            shutdown: shutdown.clone(),
        };
        let serve = |stream, activity| webhook.clone().serve(stream, activity);
        let serving = async {
            let accepting = conn::accept(self.listener, &connections, &connections, &shutdown, serve);
            tokio::join!(accepting, shutdown.follow(signal, self.shutdown_delay));
        };
        // Probes are served and certificate files are followed for as long as there are connections.
        tokio::select! {
            () = serving => {}
            () = admin::serve(self.admin_listener, admin, limits, &connections) => {}
            () = certificates.follow(limits, &metrics) => {}
            () = self.auth.follow(limits, &metrics) => {}
        }
    }
}

async fn listen(flag: &'static str, address: &str) -> Result<(TcpListener, SocketAddr), BindError> {
    let fail = |source| BindError::Listen { flag, address: address.to_owned(), source };
    let listener = match address.strip_prefix(':').and_then(|port| port.parse().ok()) {
        Some(port) => on_all_addresses(port),
        None => TcpListener::bind(address).await,
    };
    let listener = listener.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound))
}

/// Listens on all addresses, also those of IPv6 where the kernel has it.
fn on_all_addresses(port: u16) -> io::Result<TcpListener> {
    let (socket, any) = match TcpSocket::new_v6() {
        Ok(socket) => {
            // Whether a socket of IPv6 also accepts IPv4 depends on the system otherwise.
            SockRef::from(&socket).set_only_v6(false)?;
            (socket, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
        }
        Err(_) => (TcpSocket::new_v4()?, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
    };
    socket.set_reuseaddr(true)?;
    socket.bind(any)?;
    socket.listen(BACKLOG)
}
