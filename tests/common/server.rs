//! A real server on real sockets of the loopback, certificates for it, and a caller that can misbehave.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "pki.rs"]
mod pki;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub use pki::{Ca, Pair};

use ippool_webhook::admission::{Endpoint, answer};
use ippool_webhook::policy::Policy;
use ippool_webhook::server::{Certificates, Config, Evaluate, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// The longest any awaited condition may take before the test counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// A review the validating webhook denies, as a real apiserver sent it.
pub const DENIED: &str = include_str!("../fixtures/reviews/create-prefix-33.json");
/// A review both webhooks let through.
pub const ALLOWED: &str = include_str!("../fixtures/reviews/create-v4.json");

/// `future`, or a failed test when it hangs.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this should not take so long")
}

/// A server that runs in this process until it is stopped or dropped.
pub struct Running {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub ca: String,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Running {
    /// With the usual bounds and the real review.
    pub async fn start() -> Self {
        Self::start_with(quick(), Arc::new(answer)).await
    }

    pub async fn start_with(config: Config, evaluate: Evaluate) -> Self {
        let ca = Ca::new();
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
        Self { address, admin, ca: ca.to_owned(), stop, running }
    }

    /// Asks it to leave.
    pub fn leave(&self) {
        self.stop.cancel();
    }

    /// Waits until it has left.
    pub async fn left(self) {
        soon(self.running).await.unwrap();
    }

    pub async fn caller(&self) -> Caller<TlsStream<TcpStream>> {
        self.caller_with(client(&self.ca, None)).await.unwrap()
    }

    pub async fn caller_with(&self, config: ClientConfig) -> std::io::Result<Caller<TlsStream<TcpStream>>> {
        Ok(Caller(soon(connect(self.address, config)).await?))
    }

    /// The status and text of an admin path.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let mut caller = Caller(TcpStream::connect(self.admin).await.unwrap());
        caller.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        let answer = caller.answer().await;
        (answer.status, answer.text)
    }

    /// The value of a metric as `/metrics` writes it, labels included; 0 when it is not there.
    pub async fn metric(&self, series: &str) -> f64 {
        let (_, text) = self.admin("/metrics").await;
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(value).unwrap_or(0.0)
    }

    /// Waits until a metric has `value`.
    pub async fn until_metric(&self, series: &str, value: f64) {
        soon(async { while self.metric(series).await != value {} }).await;
    }

    pub async fn rejected(&self, reason: &str) -> f64 {
        self.metric(&format!("ippool_webhook_rejected_requests_total{{reason=\"{reason}\"}}")).await
    }
}

/// The usual bounds, and no wait at shutdown.
pub fn quick() -> Config {
    Config { shutdown_delay: Duration::ZERO, ..Config::default() }
}

/// A client that trusts `ca`, and shows `identity` where there is one.
pub fn client(ca: &str, identity: Option<&Pair>) -> ClientConfig {
    client_of(ca, identity, rustls::DEFAULT_VERSIONS)
}

/// The same, speaking these versions.
pub fn client_of(
    ca: &str,
    identity: Option<&Pair>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let Some(Pair { cert, key }) = identity else { return builder.with_no_client_auth() };
    let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
    builder.with_client_auth_cert(vec![cert], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
}

pub async fn connect(address: SocketAddr, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// One HTTP/1.1 connection, written and read byte by byte.
pub struct Caller<S>(pub S);

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Asserts a `Status` as the apiserver reads it; its message.
    pub fn assert_status(&self, code: u16, reason: &str) -> String {
        assert_eq!(self.status, code, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json"));
        let status = self.json();
        let expected = serde_json::json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
            "code": code, "reason": reason, "message": status["message"],
        });
        assert_eq!(status, expected);
        status["message"].as_str().unwrap().to_owned()
    }

    pub fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// The header of a review of `length` bytes.
pub fn header(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

impl<S: AsyncRead + AsyncWrite + Unpin> Caller<S> {
    pub async fn send(&mut self, text: &str) {
        soon(self.0.write_all(text.as_bytes())).await.unwrap();
        soon(self.0.flush()).await.unwrap();
    }

    pub async fn post(&mut self, path: &str, body: &str) -> Reply {
        self.send(&(header(path, body.len()) + body)).await;
        self.answer().await
    }

    pub async fn answer(&mut self) -> Reply {
        soon(self.read_reply()).await.expect("the connection ended without an answer")
    }

    /// The answer, or nothing when the server ends the connection without one.
    pub async fn try_answer(&mut self) -> Option<Reply> {
        soon(self.read_reply()).await
    }

    /// Whether the server ends the connection without another byte.
    pub async fn is_cut(&mut self) -> bool {
        self.try_answer().await.is_none()
    }

    async fn read_reply(&mut self) -> Option<Reply> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let pairs = lines.filter_map(|line| line.split_once(": "));
        let headers: HashMap<_, _> =
            pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Reply { status, headers, text: String::from_utf8(body).unwrap() })
    }
}

/// A review that waits until the gate opens; it opens when it is dropped, too.
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

    pub fn review(&self) -> Evaluate {
        let shared = Arc::clone(&self.0);
        Arc::new(move |endpoint: Endpoint, body: &[u8], policy: &Policy| {
            shared.entered.add_permits(1);
            let open = shared.open.lock().unwrap();
            drop(shared.opened.wait_while(open, |open| !*open).unwrap());
            answer(endpoint, body, policy)
        })
    }

    /// Waits until one more review has come to the gate.
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
