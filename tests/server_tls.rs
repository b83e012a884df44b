//! TLS: protocols and versions.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ippool_webhook::admission::answer;
use ippool_webhook::server::TlsVersion;
use rustls::ClientConfig;
use server::{ALLOWED, DENIED, PATIENCE, Running, client, client_of, connect, quick, soon};
use tokio::task::JoinHandle;
use tokio::time::Instant;

fn offering(ca: &str, protocols: &[&[u8]]) -> ClientConfig {
    let mut config = client(ca, None);
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

#[tokio::test]
async fn http_1_1_is_spoken_with_those_who_offer_it_or_nothing() {
    let server = Running::start().await;
    for (offered, settled) in [(&[&b"http/1.1"[..]][..], Some(&b"http/1.1"[..])), (&[], None)] {
        let mut caller = server.caller_with(offering(&server.ca, offered)).await.unwrap();
        assert_eq!(caller.0.get_ref().1.alpn_protocol(), settled);
        assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    }
}

type Requests = http2::SendRequest<Full<bytes::Bytes>>;

/// An HTTP/2 connection: for requests, and for waiting until it ends.
async fn http_2(server: &Running) -> (Requests, JoinHandle<()>) {
    let stream = connect(server.address, offering(&server.ca, &[b"h2", b"http/1.1"])).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (requests, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let ended = tokio::spawn(async { drop(connection.await) });
    (requests, ended)
}

async fn post(requests: &mut Requests, path: &str) -> (u16, serde_json::Value) {
    let request = hyper::Request::post(format!("https://localhost{path}"))
        .header("content-type", "application/json")
        .body(Full::new(bytes::Bytes::from_static(DENIED.as_bytes())))
        .unwrap();
    let response = soon(requests.send_request(request)).await.unwrap();
    let status = response.status().as_u16();
    let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn http_2_is_spoken_with_those_who_offer_it() {
    let server = Running::start().await;
    let (mut requests, _ended) = http_2(&server).await;
    for path in ["/validate", "/mutate?timeout=10s"] {
        let (status, body) = post(&mut requests, path).await;
        assert_eq!((status, &body["kind"]), (200, &"AdmissionReview".into()), "{body}");
    }
    let (status, body) = post(&mut requests, "/nowhere").await;
    assert_eq!((status, &body["kind"]), (404, &"Status".into()), "{body}");
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed_after_its_bound_and_not_before() {
    let mut config = quick();
    let idle = Duration::from_millis(500);
    config.limits.idle = idle;
    let server = Running::start_with(config, Arc::new(answer)).await;
    let (mut requests, ended) = http_2(&server).await;
    // The time before a request must not count against the silence after it.
    tokio::time::sleep(idle / 2).await;
    assert_eq!(post(&mut requests, "/validate").await.0, 200);
    let started = Instant::now();
    soon(ended).await.unwrap();
    let took = started.elapsed();
    assert!(idle.mul_f32(0.9) < took && took < PATIENCE / 2, "{took:?}");
}

#[tokio::test]
async fn an_http_2_connection_ends_with_the_server() {
    let server = Running::start().await;
    let (mut requests, ended) = http_2(&server).await;
    assert_eq!(post(&mut requests, "/validate").await.0, 200);
    let started = Instant::now();
    server.leave();
    soon(ended).await.unwrap();
    server.left().await;
    assert!(started.elapsed() < PATIENCE / 2, "told to end, not dropped in the end: {:?}", started.elapsed());
}

#[tokio::test]
async fn tls_1_2_is_spoken_only_when_asked_for() {
    for (min_version, works) in [(TlsVersion::V1_3, false), (TlsVersion::V1_2, true)] {
        let mut config = quick();
        config.tls.min_version = min_version;
        let server = Running::start_with(config, Arc::new(answer)).await;
        let old = client_of(&server.ca, None, &[&rustls::version::TLS12]);
        assert_eq!(server.caller_with(old).await.is_ok(), works, "{min_version:?}");
    }
}
