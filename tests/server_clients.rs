//! Client certificates: which clients are served, and that each connection verifies them.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use ippool_webhook::admission::respond;
use ippool_webhook::server::TlsVersion;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls12Resumption, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, NamedGroup, SupportedProtocolVersion};
use testkit::client::{client, client_of, soon};
use testkit::client_auth::{
    client_pair, for_clients, for_clients_as, for_clients_with, status_for, status_with,
};
use testkit::pki::{Ca, Pair};
use testkit::server::{ALLOWED, Running, quick};

const REJECTED: &str = "ippool_webhook_tls_handshakes_failed_total{reason=\"rejected\"}";
const RELOADED: &str = "ippool_webhook_client_ca_reloads_total{outcome=\"success\"}";

#[tokio::test]
async fn with_a_client_ca_only_its_clients_are_served() {
    let ca = Ca::root();
    let (server, _directory) = for_clients(&ca, &[]).await;
    assert_eq!(status_for(&server, Some(&client_pair(&ca, "anyone"))).await, Some(200));
    assert_eq!(status_for(&server, None).await, None, "no certificate");
    assert_eq!(status_for(&server, Some(&client_pair(&Ca::root(), "anyone"))).await, None, "another CA");
    server.until_metric(REJECTED, 2.0).await;
}

#[tokio::test]
async fn a_client_with_another_name_gets_403() {
    let ca = Ca::root();
    let (server, _directory) = for_clients(&ca, &["kube-apiserver"]).await;
    let mut right =
        server.caller_with(client(&server.ca, Some(&client_pair(&ca, "kube-apiserver")))).await.unwrap();
    assert_eq!(right.post("/validate", ALLOWED).await.status, 200);
    let mut wrong =
        server.caller_with(client(&server.ca, Some(&client_pair(&ca, "somebody")))).await.unwrap();
    let message = wrong.post("/validate", ALLOWED).await.assert_status(403, "Forbidden");
    assert!(message.contains("--client-name"), "{message}");
    assert_eq!(server.rejected("client_name").await, 1.0);
}

#[tokio::test]
async fn a_client_with_an_allowed_alternative_name_is_served() {
    let ca = Ca::root();
    let (server, _directory) = for_clients(&ca, &["another", "spiffe://cluster/apiserver"]).await;
    let identity = client_pair(&ca, "whoever");
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
        let config = resuming(&server, &client_pair(&ca, "anyone"), version);
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
    let open = Running::start_with(config, Arc::new(respond)).await;
    let identity = client_pair(&ca, "anyone");
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
async fn a_client_certificate_that_expires_on_a_kept_connection_gets_401() {
    let ca = Ca::root();
    let (server, _file) = for_clients(&ca, &[]).await;
    let identity = ca.pair_with("kube-apiserver", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = (SystemTime::now() + Duration::from_secs(3)).into();
    });
    let mut caller = server.caller_with(client(&server.ca, Some(&identity))).await.unwrap();
    let reply = soon(async {
        loop {
            let reply = caller.post("/validate", ALLOWED).await;
            if reply.status != 200 {
                break reply;
            }
        }
    });
    let reply = reply.await;
    let message = reply.assert_status(401, "Unauthorized");
    assert!(message.contains("expired"), "{message}");
    assert!(reply.closes() && caller.is_cut().await);
    assert_eq!(server.rejected("client_expired").await, 1.0);
}

#[tokio::test]
async fn the_connection_of_an_allowed_client_is_evicted_last() {
    let ca = Ca::root();
    let mut config = quick();
    config.tls.client_names = vec!["kube-apiserver".to_owned()];
    config.limits.connections = 2;
    let (server, _file) = for_clients_as(config, &ca).await;
    let connect = |name: &str| server.caller_with(client(&server.ca, Some(&client_pair(&ca, name))));
    let mut allowed = connect("kube-apiserver").await.unwrap();
    let _other = connect("another").await.unwrap();
    let unused = "ippool_webhook_connections{listener=\"webhook\",state=\"unused\"}";
    server.until_metric(unused, 2.0).await;
    let _new = connect("another").await.unwrap();
    assert_eq!(allowed.post("/validate", ALLOWED).await.status, 200, "it is older, and kept all the same");
}
