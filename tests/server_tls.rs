//! TLS versions and ALPN.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use ippool_webhook::admission::respond;
use ippool_webhook::server::TlsVersion;
use rustls::ClientConfig;
use testkit::client::{client, client_of};
use testkit::server::{ALLOWED, Running, quick};

fn offering(ca: &str, protocols: &[&[u8]]) -> ClientConfig {
    let mut config = client(ca, None);
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

#[tokio::test]
async fn http_1_1_is_negotiated_when_it_or_nothing_is_offered() {
    let server = Running::start().await;
    for (offered, settled) in [(&[&b"http/1.1"[..]][..], Some(&b"http/1.1"[..])), (&[], None)] {
        let mut caller = server.caller_with(offering(&server.ca, offered)).await.unwrap();
        assert_eq!(caller.0.get_ref().1.alpn_protocol(), settled);
        assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    }
}

#[tokio::test]
async fn a_client_that_prefers_http_2_gets_http_1_1() {
    let server = Running::start().await;
    let mut caller = server.caller_with(offering(&server.ca, &[b"h2", b"http/1.1"])).await.unwrap();
    assert_eq!(caller.0.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
}

#[tokio::test]
async fn a_client_that_offers_only_http_2_is_rejected() {
    let server = Running::start().await;
    assert!(server.caller_with(offering(&server.ca, &[b"h2"])).await.is_err());
}

#[tokio::test]
async fn tls_1_2_is_accepted_only_if_it_is_the_minimum() {
    for (min_version, works) in [(TlsVersion::V1_3, false), (TlsVersion::V1_2, true)] {
        let mut config = quick();
        config.tls.min_version = min_version;
        let server = Running::start_with(config, Arc::new(respond)).await;
        let old = client_of(&server.ca, None, &[&rustls::version::TLS12]);
        assert_eq!(server.caller_with(old).await.is_ok(), works, "{min_version:?}");
    }
}
