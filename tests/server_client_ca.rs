//! Changes of the client CA while the server runs.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use ippool_webhook::policy::Policy;
use ippool_webhook::server::{Server, TlsVersion};
use testkit::client::client;
use testkit::client_auth::{client_pair, for_clients, for_clients_as, for_clients_with, status_for};
use testkit::pki::Ca;
use testkit::server::{ALLOWED, quick};

const RELOADED: &str = "ippool_webhook_client_ca_reloads_total{outcome=\"success\"}";
const FAILED: &str = "ippool_webhook_client_ca_reloads_total{outcome=\"failure\"}";

#[tokio::test]
async fn after_a_ca_change_a_kept_connection_of_a_removed_ca_gets_403() {
    let (removed, kept_ca) = (Ca::root(), Ca::root());
    let (server, file) = for_clients_with(&removed, &[], TlsVersion::V1_3).await;
    file.write(&format!("{}{}", removed.pem, kept_ca.pem));
    server.until_metric(RELOADED, 1.0).await;
    let of = |ca: &Ca| client(&server.ca, Some(&client_pair(ca, "anyone")));
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
    assert_eq!(status_for(&server, Some(&client_pair(&removed, "anyone"))).await, None);
}

#[tokio::test]
async fn a_client_is_served_again_when_its_ca_is_restored() {
    let (ca, other) = (Ca::root(), Ca::root());
    let (server, file) = for_clients(&ca, &[]).await;
    let identity = client_pair(&ca, "anyone");
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
    assert_eq!(status_for(&server, Some(&client_pair(&ca, "anyone"))).await, None);
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
        assert_eq!(status_for(&server, Some(&client_pair(&ca, "anyone"))).await, Some(200));
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
