//! Client certificates, and changes of their CA.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ippool_webhook::admission::answer;
use ippool_webhook::policy::Policy;
use ippool_webhook::server::{Config, Server, TlsVersion};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls12Resumption, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, NamedGroup, SupportedProtocolVersion};
use testkit::client::{Caller, client, client_of};
use testkit::pki::{Ca, Pair};
use testkit::server::{ALLOWED, Running, quick};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

const REJECTED: &str = "ippool_webhook_tls_handshakes_failed_total{reason=\"rejected\"}";
const RELOADED: &str = "ippool_webhook_client_ca_reloads_total{outcome=\"success\"}";
const FAILED: &str = "ippool_webhook_client_ca_reloads_total{outcome=\"failure\"}";

/// The file of a client CA.
struct CaFile {
    file: PathBuf,
    _directory: tempfile::TempDir,
}

impl CaFile {
    /// Replaces its content in one step.
    fn write(&self, pem: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, pem).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

/// A server for clients of `ca` with one of `names`.
async fn for_clients(ca: &Ca, names: &[&str]) -> (Running, CaFile) {
    for_clients_with(ca, names, TlsVersion::V1_3).await
}

async fn for_clients_with(ca: &Ca, names: &[&str], min_version: TlsVersion) -> (Running, CaFile) {
    let mut config = quick();
    config.tls.min_version = min_version;
    config.tls.client_names = names.iter().map(|&name| name.to_owned()).collect();
    config.limits.certificate_poll = Duration::from_millis(20);
    for_clients_as(config, ca).await
}

async fn for_clients_as(mut config: Config, ca: &Ca) -> (Running, CaFile) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clients.pem");
    std::fs::write(&file, &ca.pem).unwrap();
    config.tls.client_ca = Some(file.clone());
    (Running::start_with(config, Arc::new(answer)).await, CaFile { file, _directory: directory })
}

fn caller_pair(ca: &Ca, name: &str) -> Pair {
    ca.pair_with(name, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![SanType::URI("spiffe://cluster/apiserver".try_into().unwrap())];
    })
}

/// The status that a client with `identity` gets, or `None` if the connection is closed. With TLS 1.3, the handshake of
/// the client ends before the server has seen its certificate.
async fn status_for(server: &Running, identity: Option<&Pair>) -> Option<u16> {
    status_with(server, client(&server.ca, identity)).await
}

async fn status_with(server: &Running, config: ClientConfig) -> Option<u16> {
    let mut caller = server.caller_with(config).await.ok()?;
    attempt(&mut caller).await
}

#[tokio::test]
async fn with_a_client_ca_only_its_clients_are_served() {
    let ca = Ca::root();
    let (server, _directory) = for_clients(&ca, &[]).await;
    assert_eq!(status_for(&server, Some(&caller_pair(&ca, "anyone"))).await, Some(200));
    assert_eq!(status_for(&server, None).await, None, "no certificate");
    assert_eq!(status_for(&server, Some(&caller_pair(&Ca::root(), "anyone"))).await, None, "another CA");
    server.until_metric(REJECTED, 2.0).await;
}

#[tokio::test]
async fn a_client_with_another_name_gets_403() {
    let ca = Ca::root();
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
async fn a_client_with_an_allowed_alternative_name_is_served() {
    let ca = Ca::root();
    let (server, _directory) = for_clients(&ca, &["another", "spiffe://cluster/apiserver"]).await;
    let identity = caller_pair(&ca, "whoever");
    let mut caller = server.caller_with(client(&server.ca, Some(&identity))).await.unwrap();
    assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
}

#[tokio::test]
async fn an_expired_or_server_certificate_is_rejected_in_the_handshake() {
    let ca = Ca::root();
    let (server, _directory) = for_clients(&ca, &[]).await;
    assert_eq!(status_for(&server, Some(&ca.expired_pair())).await, None, "expired");
    let for_servers = ca
        .pair_with("anyone", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(status_for(&server, Some(&for_servers)).await, None, "of a server");
    server.until_metric(REJECTED, 2.0).await;
    assert_eq!(server.admin("/readyz").await.0, 200, "the admin port requires no certificate");
}

/// A client that resumes sessions and offers only `version`.
fn resuming(server: &Running, identity: &Pair, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut config = client_of(&server.ca, Some(identity), &[version]);
    config.resumption =
        Resumption::in_memory_sessions(8).tls12_resumption(Tls12Resumption::SessionIdOrTickets);
    config
}

#[tokio::test]
async fn a_client_is_verified_on_every_connection_without_resumption() {
    let ca = Ca::root();
    for version in [&TLS12, &TLS13] {
        let (server, file) = for_clients_with(&ca, &[], TlsVersion::V1_2).await;
        let config = resuming(&server, &caller_pair(&ca, "anyone"), version);
        for _ in 0..3 {
            let mut caller = server.caller_with(config.clone()).await.unwrap();
            assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
            let kind = caller.0.get_ref().1.handshake_kind();
            assert_eq!(kind, Some(rustls::HandshakeKind::Full), "{version:?}");
        }
        let mut without = client_of(&server.ca, None, &[version]);
        without.resumption = config.resumption.clone();
        assert_eq!(
            status_with(&server, without).await,
            None,
            "a certificate is required on each connection; {version:?}"
        );
        file.write(&Ca::root().pem);
        server.until_metric(RELOADED, 1.0).await;
        assert_eq!(status_with(&server, config).await, None, "an earlier verification does not count");
    }
}

/// The status of the response to a request, or `None` if the server closes the connection instead.
async fn attempt<S: AsyncRead + AsyncWrite + Unpin>(caller: &mut Caller<S>) -> Option<u16> {
    let request = testkit::client::header("/validate", ALLOWED.len()) + ALLOWED;
    caller.0.write_all(request.as_bytes()).await.ok()?;
    caller.0.flush().await.ok()?;
    caller.try_answer().await.map(|reply| reply.status)
}

/// Counts the sessions and tickets of a server without storing them.
#[derive(Debug, Default)]
struct TicketCounter(AtomicUsize);

impl ClientSessionStore for TicketCounter {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

/// How many sessions and tickets a server issues to `config` in one connection with one request.
async fn tickets(server: &Running, mut config: ClientConfig) -> usize {
    let store = Arc::new(TicketCounter::default());
    config.resumption =
        Resumption::store(store.clone()).tls12_resumption(Tls12Resumption::SessionIdOrTickets);
    let mut caller = server.caller_with(config).await.unwrap();
    assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    store.0.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_server_with_a_client_ca_issues_no_session_tickets() {
    let ca = Ca::root();
    let (verifying, _file) = for_clients_with(&ca, &[], TlsVersion::V1_2).await;
    let mut config = quick();
    config.tls.min_version = TlsVersion::V1_2;
    let open = Running::start_with(config, Arc::new(answer)).await;
    let identity = caller_pair(&ca, "anyone");
    for version in [&TLS12, &TLS13] {
        let shown = client_of(&verifying.ca, Some(&identity), &[version]);
        assert_eq!(tickets(&verifying, shown).await, 0, "{version:?}");
        let anonymous = client_of(&open.ca, None, &[version]);
        assert_ne!(
            tickets(&open, anonymous).await,
            0,
            "sessions are resumed without a client CA; {version:?}"
        );
    }
}

#[tokio::test]
async fn after_a_ca_change_a_kept_connection_of_a_removed_ca_gets_403() {
    let (removed, kept_ca) = (Ca::root(), Ca::root());
    let (server, file) = for_clients_with(&removed, &[], TlsVersion::V1_3).await;
    file.write(&format!("{}{}", removed.pem, kept_ca.pem));
    server.until_metric(RELOADED, 1.0).await;
    let of = |ca: &Ca| client(&server.ca, Some(&caller_pair(ca, "anyone")));
    let mut rejected = server.caller_with(of(&removed)).await.unwrap();
    let mut allowed = server.caller_with(of(&kept_ca)).await.unwrap();
    for caller in [&mut rejected, &mut allowed] {
        assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    }
    file.write(&kept_ca.pem);
    server.until_metric(RELOADED, 2.0).await;
    let rejection = rejected.post("/validate", ALLOWED).await;
    assert!(rejection.closes(), "the client has to connect again with another certificate");
    assert!(rejection.assert_status(403, "Forbidden").contains("or --client-ca no longer holds its CA"));
    for _ in 0..2 {
        assert_eq!(allowed.post("/validate", ALLOWED).await.status, 200, "on the same connection");
    }
    assert_eq!(status_for(&server, Some(&caller_pair(&removed, "anyone"))).await, None);
}

#[tokio::test]
async fn a_client_is_served_again_when_its_ca_is_restored() {
    let (ca, other) = (Ca::root(), Ca::root());
    let (server, file) = for_clients(&ca, &[]).await;
    let identity = caller_pair(&ca, "anyone");
    for (turn, (pem, status)) in (1..).zip([(&other.pem, None), (&ca.pem, Some(200)), (&other.pem, None)]) {
        file.write(pem);
        server.until_metric(RELOADED, f64::from(turn)).await;
        assert_eq!(status_for(&server, Some(&identity)).await, status, "{turn}");
    }
}

#[tokio::test]
async fn every_change_of_the_client_ca_file_is_noticed_at_once() {
    let ca = Ca::root();
    let mut config = quick();
    config.limits.certificate_poll = Duration::from_secs(3600);
    let (server, file) = for_clients_as(config, &ca).await;
    for turn in 1..4 {
        file.write(&Ca::root().pem);
        server.until_metric(RELOADED, f64::from(turn)).await;
    }
    assert_eq!(status_for(&server, Some(&caller_pair(&ca, "anyone"))).await, None);
}

#[tokio::test]
async fn an_unusable_client_ca_leaves_the_last_good_one_in_use() {
    let ca = Ca::root();
    let (server, file) = for_clients_with(&ca, &[], TlsVersion::V1_3).await;
    for (turn, broken) in
        (1..).zip(["", "no certificate", &format!("{}-----BEGIN CERTIFICATE-----\n!", ca.pem)])
    {
        file.write(broken);
        server.until_metric(FAILED, f64::from(turn)).await;
        assert_eq!(status_for(&server, Some(&caller_pair(&ca, "anyone"))).await, Some(200));
    }
    assert_eq!(server.metric(RELOADED).await, 0.0);
}

#[tokio::test]
async fn an_unusable_client_ca_at_start_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clients.pem");
    for (content, reason) in [(None, "No such file"), (Some(""), "it holds no certificate")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let mut config = quick();
        config.tls.client_ca = Some(file.clone());
        let bound = Server::bind(config, Policy::default(), Ca::root().pair("server").certificates()).await;
        let error = bound.err().unwrap().to_string();
        assert!(error.starts_with("cannot use --client-ca") && error.contains("clients.pem"), "{error}");
        assert!(error.contains(reason) && error.ends_with("CA certificates in PEM"), "{error}");
    }
}
