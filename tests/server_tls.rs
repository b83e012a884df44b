//! TLS: protocols, versions, chains, keys, and who may call.
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
use ippool_webhook::server::{Certificates, TlsVersion};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use server::{ALLOWED, Ca, DENIED, PATIENCE, Pair, Running, client, connect, quick, soon};
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
        let old = old_client(&server.ca);
        assert_eq!(server.caller_with(old).await.is_ok(), works, "{min_version:?}");
    }
}

/// A client that speaks TLS 1.2 and nothing newer.
fn old_client(ca: &str) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[tokio::test]
async fn the_whole_chain_is_sent() {
    let root = Ca::new();
    let intermediate = root.intermediate();
    let mut pair = intermediate.pair("leaf");
    pair.cert += &intermediate.pem;
    let server = Running::start_tls(quick(), Arc::new(answer), &root.pem, pair.certificates()).await;
    assert_eq!(server.caller().await.post("/validate", ALLOWED).await.status, 200);
}

#[tokio::test]
async fn a_key_in_the_form_of_openssl_ec_works() {
    let ca = Ca::new();
    let pair = ca.pair("leaf");
    let sec1 = Pair { key: sec1(&pair.key), ..pair };
    let server = Running::start_tls(quick(), Arc::new(answer), &ca.pem, sec1.certificates()).await;
    assert_eq!(server.caller().await.post("/validate", ALLOWED).await.status, 200);
}

/// The SEC1 key inside a PKCS#8 one: the third element of the sequence, an octet string.
fn sec1(pkcs8: &str) -> String {
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(pkcs8.as_bytes()).unwrap() else {
        panic!("rcgen writes PKCS#8")
    };
    let mut rest = content(key.secret_pkcs8_der()).0;
    for _version_and_algorithm in 0..2 {
        rest = content(rest).1;
    }
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(content(rest).0);
    format!("-----BEGIN EC PRIVATE KEY-----\n{text}\n-----END EC PRIVATE KEY-----\n")
}

/// The content of the DER element at the start of `der`, and what follows it.
fn content(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, at) = match der[1] {
        0x81 => (usize::from(der[2]), 3),
        short => (usize::from(short), 2),
    };
    der[at..].split_at(length)
}

#[test]
fn a_key_of_another_certificate_is_refused_with_both_files_named() {
    let (ca, directory) = (Ca::new(), tempfile::tempdir().unwrap());
    let (cert, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
    std::fs::write(&cert, ca.pair("one").cert).unwrap();
    std::fs::write(&key, ca.pair("another").key).unwrap();
    let error = Certificates::from_files(cert, key).unwrap_err().to_string();
    assert!(error.contains("tls.crt cannot be used with the key of"), "{error}");
    assert!(error.contains("tls.key: keys may not be consistent"), "{error}");
}

#[test]
fn a_file_that_is_no_certificate_is_named_with_its_flag() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
    let missing = Certificates::from_files(cert.clone(), key.clone()).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read --tls-cert") && missing.contains("tls.crt"), "{missing}");
    std::fs::write(&cert, "hello").unwrap();
    std::fs::write(&key, "hello").unwrap();
    let empty = Certificates::from_files(cert.clone(), key.clone()).unwrap_err().to_string();
    assert!(empty.contains("--tls-cert") && empty.contains("holds no certificate in PEM"), "{empty}");
    std::fs::write(&cert, Ca::new().pem).unwrap();
    let keyless = Certificates::from_files(cert, key).unwrap_err().to_string();
    assert!(keyless.contains("--tls-key") && keyless.contains("PKCS#8, PKCS#1 or SEC1"), "{keyless}");
}

/// A server that answers callers of `ca` with one of `names`.
async fn for_clients(ca: &Ca, names: &[&str]) -> (Running, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clients.pem");
    std::fs::write(&file, &ca.pem).unwrap();
    let mut config = quick();
    config.tls.client_ca = Some(file);
    config.tls.client_names = names.iter().map(|&name| name.to_owned()).collect();
    (Running::start_with(config, Arc::new(answer)).await, directory)
}

fn caller_pair(ca: &Ca, name: &str) -> Pair {
    ca.pair_with(name, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![SanType::URI("spiffe://cluster/apiserver".try_into().unwrap())];
    })
}

/// What a caller that shows `identity` gets: a status, or nothing but an end.
async fn status_for(server: &Running, identity: Option<&Pair>) -> Option<u16> {
    let mut caller = server.caller_with(client(&server.ca, identity)).await.ok()?;
    // In TLS 1.3 the client is done before the server has seen its certificate.
    use tokio::io::AsyncWriteExt as _;
    let request = server::header("/validate", ALLOWED.len()) + ALLOWED;
    if caller.0.write_all(request.as_bytes()).await.is_err() || caller.0.flush().await.is_err() {
        return None;
    }
    if caller.is_cut().await { None } else { Some(200) }
}

#[tokio::test]
async fn with_a_client_ca_only_its_clients_are_answered() {
    let ca = Ca::new();
    let (server, _directory) = for_clients(&ca, &[]).await;
    assert_eq!(status_for(&server, Some(&caller_pair(&ca, "anyone"))).await, Some(200));
    assert_eq!(status_for(&server, None).await, None, "no certificate");
    assert_eq!(status_for(&server, Some(&caller_pair(&Ca::new(), "anyone"))).await, None, "another CA");
    server.until_metric("ippool_webhook_tls_handshakes_failed_total{reason=\"rejected\"}", 2.0).await;
}

#[tokio::test]
async fn a_client_of_the_wrong_name_is_403() {
    let ca = Ca::new();
    let (server, _directory) = for_clients(&ca, &["kube-apiserver"]).await;
    let mut right =
        server.caller_with(client(&server.ca, Some(&caller_pair(&ca, "kube-apiserver")))).await.unwrap();
    assert_eq!(right.post("/validate", ALLOWED).await.status, 200);
    let mut wrong =
        server.caller_with(client(&server.ca, Some(&caller_pair(&ca, "somebody")))).await.unwrap();
    let message = wrong.post("/validate", ALLOWED).await.assert_status(403, "Forbidden");
    assert!(message.contains("--client-name"), "{message}");
    assert_eq!(server.rejected("client_name").await, 1.0);
}

#[tokio::test]
async fn a_client_may_be_named_by_an_alternative_name() {
    let ca = Ca::new();
    let (server, _directory) = for_clients(&ca, &["another", "spiffe://cluster/apiserver"]).await;
    let identity = caller_pair(&ca, "whoever");
    let mut caller = server.caller_with(client(&server.ca, Some(&identity))).await.unwrap();
    assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
}

#[tokio::test]
async fn a_client_is_checked_anew_on_each_connection() {
    let ca = Ca::new();
    let (server, _directory) = for_clients(&ca, &[]).await;
    let config = client(&server.ca, Some(&caller_pair(&ca, "anyone")));
    for _ in 0..2 {
        let mut caller = server.caller_with(config.clone()).await.unwrap();
        assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
        let kind = caller.0.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full), "a resumed session skips the check");
    }
}
