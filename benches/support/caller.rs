//! A caller as the apiserver is one: HTTP/1.1 over TLS, the connection kept, one request at a time on each.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::net::SocketAddr;

use super::server::connect;

/// One kept connection.
pub struct Caller(SendRequest<Full<Bytes>>);

impl Caller {
    /// Connects to `address`; its certificate is for localhost.
    pub async fn connect(address: SocketAddr, tls: ClientConfig) -> Self {
        let stream = connect(address, tls).await.unwrap();
        stream.get_ref().0.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a review; the status and the answer.
    pub async fn post(&mut self, path: &str, body: &Bytes) -> (u16, Bytes) {
        let request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))
            .unwrap();
        let response = self.0.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }
}

/// A recorded update of a pool with so many allocations.
pub fn recorded(allocations: usize) -> Bytes {
    let name = match allocations {
        3 => "whereabouts-third-allocation".to_owned(),
        many => format!("large-{many}"),
    };
    let path = format!("{}/tests/fixtures/reviews/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}
