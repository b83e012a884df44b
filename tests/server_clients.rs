//! Who may call: client certificates, and what happens when their CA changes.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/server.rs"]
mod server;

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
use server::{ALLOWED, Ca, Caller, Pair, Running, client, client_of, quick};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

const REJECTED: &str = "ippool_webhook_tls_handshakes_failed_total{reason=\"rejected\"}";
const RELOADED: &str = "ippool_webhook_client_ca_reloads_total{outcome=\"success\"}";
const REFUSED: &str = "ippool_webhook_client_ca_reloads_total{outcome=\"failure\"}";

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

/// A server that answers callers of `ca` with one of `names`.
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

/// What a caller that shows `identity` gets: a status, or nothing but an end. In TLS 1.3 the client is done
/// before the server has seen its certificate.
async fn status_for(server: &Running, identity: Option<&Pair>) -> Option<u16> {
    status_with(server, client(&server.ca, identity)).await
}

async fn status_with(server: &Running, config: ClientConfig) -> Option<u16> {
    let mut caller = server.caller_with(config).await.ok()?;
    attempt(&mut caller).await
}

#[tokio::test]
async fn with_a_client_ca_only_its_clients_are_answered() {
    let ca = Ca::new();
    let (server, _directory) = for_clients(&ca, &[]).await;
    assert_eq!(status_for(&server, Some(&caller_pair(&ca, "anyone"))).await, Some(200));
    assert_eq!(status_for(&server, None).await, None, "no certificate");
    assert_eq!(status_for(&server, Some(&caller_pair(&Ca::new(), "anyone"))).await, None, "another CA");
    server.until_metric(REJECTED, 2.0).await;
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
async fn a_certificate_that_has_expired_or_is_for_servers_lets_nobody_in() {
    let ca = Ca::new();
    let (server, _directory) = for_clients(&ca, &[]).await;
    assert_eq!(status_for(&server, Some(&ca.expired_pair())).await, None, "expired");
    let for_servers = ca
        .pair_with("anyone", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(status_for(&server, Some(&for_servers)).await, None, "of a server");
    server.until_metric(REJECTED, 2.0).await;
    assert_eq!(server.admin("/readyz").await.0, 200, "the admin port asks nobody for a certificate");
}

/// A client that resumes whatever it can, and speaks nothing but `version`.
fn resuming(server: &Running, identity: &Pair, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut config = client_of(&server.ca, Some(identity), &[version]);
    config.resumption =
        Resumption::in_memory_sessions(8).tls12_resumption(Tls12Resumption::SessionIdOrTickets);
    config
}

#[tokio::test]
async fn no_session_is_resumed_and_so_every_client_is_verified_on_every_connection() {
    let ca = Ca::new();
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
        assert_eq!(status_with(&server, without).await, None, "it has to be shown each time; {version:?}");
        file.write(&Ca::new().pem);
        server.until_metric(RELOADED, 1.0).await;
        assert_eq!(status_with(&server, config).await, None, "what was shown before counts for nothing");
    }
}

/// The status of the answer to a request, or nothing when the server ends the connection instead.
async fn attempt<S: AsyncRead + AsyncWrite + Unpin>(caller: &mut Caller<S>) -> Option<u16> {
    let request = server::header("/validate", ALLOWED.len()) + ALLOWED;
    caller.0.write_all(request.as_bytes()).await.ok()?;
    caller.0.flush().await.ok()?;
    caller.try_answer().await.map(|reply| reply.status)
}

/// Counts what a server hands out to resume a session with, and keeps none of it.
#[derive(Debug, Default)]
struct HandedOut(AtomicUsize);

impl ClientSessionStore for HandedOut {
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

/// How often a server hands `config` something to resume with, in one connection and one request.
async fn handed_out(server: &Running, mut config: ClientConfig) -> usize {
    let store = Arc::new(HandedOut::default());
    config.resumption =
        Resumption::store(store.clone()).tls12_resumption(Tls12Resumption::SessionIdOrTickets);
    let mut caller = server.caller_with(config).await.unwrap();
    assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    store.0.load(Ordering::Relaxed)
}

#[tokio::test]
async fn nothing_to_resume_a_session_with_is_handed_out_where_clients_are_verified() {
    let ca = Ca::new();
    let (asking, _file) = for_clients_with(&ca, &[], TlsVersion::V1_2).await;
    let mut config = quick();
    config.tls.min_version = TlsVersion::V1_2;
    let open = Running::start_with(config, Arc::new(answer)).await;
    let identity = caller_pair(&ca, "anyone");
    for version in [&TLS12, &TLS13] {
        let shown = client_of(&asking.ca, Some(&identity), &[version]);
        assert_eq!(handed_out(&asking, shown).await, 0, "{version:?}");
        let anonymous = client_of(&open.ca, None, &[version]);
        assert_ne!(handed_out(&open, anonymous).await, 0, "anybody may resume; {version:?}");
    }
}

#[tokio::test]
async fn a_client_of_a_ca_that_is_gone_gets_a_refusal_on_a_kept_connection_and_one_that_stayed_an_answer() {
    let (going, staying) = (Ca::new(), Ca::new());
    let (server, file) = for_clients_with(&going, &[], TlsVersion::V1_3).await;
    file.write(&format!("{}{}", going.pem, staying.pem));
    server.until_metric(RELOADED, 1.0).await;
    let kept = |ca: &Ca| client(&server.ca, Some(&caller_pair(ca, "anyone")));
    let mut goes = server.caller_with(kept(&going)).await.unwrap();
    let mut stays = server.caller_with(kept(&staying)).await.unwrap();
    for caller in [&mut goes, &mut stays] {
        assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    }
    file.write(&staying.pem);
    server.until_metric(RELOADED, 2.0).await;
    let refusal = goes.post("/validate", ALLOWED).await;
    assert!(refusal.closes(), "it has to come back with another certificate");
    assert!(refusal.assert_status(403, "Forbidden").contains("or --client-ca no longer holds its CA"));
    for _ in 0..2 {
        assert_eq!(stays.post("/validate", ALLOWED).await.status, 200, "on the same connection");
    }
    assert_eq!(status_for(&server, Some(&caller_pair(&going, "anyone"))).await, None);
}

#[tokio::test]
async fn a_client_of_a_ca_that_came_back_is_answered_again() {
    let (ca, other) = (Ca::new(), Ca::new());
    let (server, file) = for_clients(&ca, &[]).await;
    let identity = caller_pair(&ca, "anyone");
    for (turn, (pem, status)) in (1..).zip([(&other.pem, None), (&ca.pem, Some(200)), (&other.pem, None)]) {
        file.write(pem);
        server.until_metric(RELOADED, f64::from(turn)).await;
        assert_eq!(status_for(&server, Some(&identity)).await, status, "{turn}");
    }
}

#[tokio::test]
async fn each_change_of_the_client_ca_is_noticed_at_once_and_not_only_the_first() {
    let ca = Ca::new();
    let mut config = quick();
    config.limits.certificate_poll = Duration::from_secs(3600);
    let (server, file) = for_clients_as(config, &ca).await;
    for turn in 1..4 {
        file.write(&Ca::new().pem);
        server.until_metric(RELOADED, f64::from(turn)).await;
    }
    assert_eq!(status_for(&server, Some(&caller_pair(&ca, "anyone"))).await, None);
}

#[tokio::test]
async fn a_client_ca_that_cannot_be_used_keeps_the_last_good_one() {
    let ca = Ca::new();
    let (server, file) = for_clients_with(&ca, &[], TlsVersion::V1_3).await;
    for (turn, broken) in
        (1..).zip(["", "no certificate", &format!("{}-----BEGIN CERTIFICATE-----\n!", ca.pem)])
    {
        file.write(broken);
        server.until_metric(REFUSED, f64::from(turn)).await;
        assert_eq!(status_for(&server, Some(&caller_pair(&ca, "anyone"))).await, Some(200));
    }
    assert_eq!(server.metric(RELOADED).await, 0.0);
}

#[tokio::test]
async fn a_client_ca_that_cannot_be_used_at_start_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clients.pem");
    for (content, reason) in [(None, "No such file"), (Some(""), "it holds no certificate")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let mut config = quick();
        config.tls.client_ca = Some(file.clone());
        let bound = Server::bind(config, Policy::default(), Ca::new().pair("server").certificates()).await;
        let error = bound.err().unwrap().to_string();
        assert!(error.starts_with("cannot use --client-ca") && error.contains("clients.pem"), "{error}");
        assert!(error.contains(reason) && error.ends_with("CA certificates in PEM"), "{error}");
    }
}
