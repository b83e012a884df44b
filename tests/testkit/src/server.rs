//! A server on sockets of the loopback, in this process.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::policy::Policy;
use ippool_webhook::server::{Certificates, Config, Evaluate, Server};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::client::{AdminPort, Caller, client, connect, soon};
use crate::pki::Ca;

/// A review that the validating webhook denies, as an apiserver sent it.
pub const DENIED: &str = include_str!("../../fixtures/reviews/create-prefix-33.json");
/// A review that both webhooks allow.
pub const ALLOWED: &str = include_str!("../../fixtures/reviews/create-v4.json");

/// A server that runs in this process until it is stopped or dropped.
pub struct Running {
    pub address: SocketAddr,
    admin_port: AdminPort,
    pub ca: String,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Deref for Running {
    type Target = AdminPort;

    fn deref(&self) -> &AdminPort {
        &self.admin_port
    }
}

impl Running {
    /// With the default bounds and the real evaluation.
    pub async fn start() -> Self {
        Self::start_with(quick(), Arc::new(respond)).await
    }

    pub async fn start_with(config: Config, evaluate: Evaluate) -> Self {
        let ca = Ca::root();
        Self::start_tls(config, evaluate, &ca.pem, ca.pair("server").certificates()).await
    }

    pub async fn start_tls(
        config: Config,
        evaluate: Evaluate,
        ca: &str,
        certificates: Arc<Certificates>,
    ) -> Self {
        let server =
            Server::bind(config, Policy::default(), certificates).await.unwrap().evaluating_with(evaluate);
        let (address, admin, stop) = (server.address(), server.admin_address(), CancellationToken::new());
        let running = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        let admin_port = AdminPort { admin };
        Self { address, admin_port, ca: ca.to_owned(), stop, running }
    }

    /// Begins the shutdown.
    pub fn shut_down(&self) {
        self.stop.cancel();
    }

    /// Waits until it has ended.
    pub async fn ended(self) {
        soon(self.running).await.unwrap();
    }

    pub async fn caller(&self) -> Caller<TlsStream<TcpStream>> {
        self.caller_with(client(&self.ca, None)).await.unwrap()
    }

    pub async fn caller_with(&self, config: ClientConfig) -> std::io::Result<Caller<TlsStream<TcpStream>>> {
        Ok(Caller(soon(connect(self.address, config)).await?))
    }

    /// Waits until a metric has `value`.
    pub async fn until_metric(&self, series: &str, value: f64) {
        soon(async { while self.metric(series).await != value {} }).await;
    }

    pub async fn rejected(&self, reason: &str) -> f64 {
        self.metric(&format!("ippool_webhook_rejected_requests_total{{reason=\"{reason}\"}}")).await
    }
}

/// The default bounds, and no delay at shutdown.
pub fn quick() -> Config {
    Config { shutdown_delay: Duration::ZERO, ..Config::default() }
}

/// An evaluation that waits until the gate opens, at the latest when it is dropped.
pub struct Gate(Arc<Shared>);

struct Shared {
    open: Mutex<bool>,
    opened: Condvar,
    entered: Semaphore,
}

impl Gate {
    pub fn closed() -> Self {
        let entered = Semaphore::new(0);
        Self(Arc::new(Shared { open: Mutex::new(false), opened: Condvar::new(), entered }))
    }

    pub fn evaluate(&self) -> Evaluate {
        let shared = Arc::clone(&self.0);
        Arc::new(move |endpoint: Endpoint, body: &[u8], policy: &Policy| {
            shared.entered.add_permits(1);
            let open = shared.open.lock().unwrap();
            drop(shared.opened.wait_while(open, |open| !*open).unwrap());
            respond(endpoint, body, policy)
        })
    }

    /// Waits until one more review has reached the gate.
    pub async fn entered(&self) {
        soon(self.0.entered.acquire()).await.unwrap().forget();
    }

    pub fn open(&self) {
        *self.0.open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}
