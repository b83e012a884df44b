//! Clients: one that is written and read byte by byte, and one that behaves like the apiserver.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::pki::Pair;

/// How long any awaited condition may take before the test counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The result of `future`, or a failed test when it hangs.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this should not take so long")
}

/// The admin port of a server.
pub struct AdminPort {
    pub admin: SocketAddr,
}

impl AdminPort {
    /// The status and text of a path.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let mut caller = Caller(soon(TcpStream::connect(self.admin)).await.unwrap());
        caller.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        let answer = caller.answer().await;
        (answer.status, answer.text)
    }

    /// The value of a series of `/metrics`, labels included; 0 if it is not there.
    pub async fn metric(&self, series: &str) -> f64 {
        let (_, text) = self.admin("/metrics").await;
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(value).unwrap_or(0.0)
    }
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

/// The response.
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

    /// Asserts a `Status` as the apiserver reads it, and returns its message.
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
        soon(self.read_reply()).await.expect("the connection ended without a response")
    }

    /// The response, or `None` if the server closes the connection without one.
    pub async fn try_answer(&mut self) -> Option<Reply> {
        soon(self.read_reply()).await
    }

    /// Whether the server closes the connection without another byte.
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

/// A client like the apiserver: HTTP/1.1 over TLS on a connection that is kept, one request at a time.
pub struct KeepAlive(SendRequest<Full<Bytes>>);

impl KeepAlive {
    /// Connects to `address`, whose certificate is for localhost.
    pub async fn connect(address: SocketAddr, tls: ClientConfig) -> Self {
        let stream = connect(address, tls).await.unwrap();
        stream.get_ref().0.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a review, and returns the status and the body of the response.
    pub async fn post(&mut self, path: &str, body: &Bytes) -> (u16, Bytes) {
        self.send("POST", path, "application/json", body.clone()).await
    }

    /// Sends a request, and returns the status and the body of the response.
    pub async fn send(&mut self, method: &str, path: &str, content_type: &str, body: Bytes) -> (u16, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", content_type)
            .body(Full::new(body))
            .unwrap();
        let response = self.0.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }
}
