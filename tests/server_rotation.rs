//! The serving certificate changes as the kubelet changes it: a symlink beside the files is swapped.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/server.rs"]
mod server;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ippool_webhook::admission::respond;
use ippool_webhook::server::Certificates;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use server::{ALLOWED, Ca, Pair, Running, client, connect, quick, soon};

const RELOADED: &str = "ippool_webhook_certificate_reloads_total{outcome=\"success\"}";
const REFUSED: &str = "ippool_webhook_certificate_reloads_total{outcome=\"failure\"}";

/// A Secret volume: `tls.crt -> ..data/tls.crt`, `..data -> ..1`.
struct Volume {
    directory: tempfile::TempDir,
    version: u32,
}

impl Volume {
    fn new(pair: &Pair) -> Self {
        let mut volume = Self { directory: tempfile::tempdir().unwrap(), version: 0 };
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), volume.path(name)).unwrap();
        }
        volume.swap(&pair.cert, &pair.key);
        volume
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes both files to a new directory, and swaps `..data` over to it in one rename.
    fn swap(&mut self, cert: &str, key: &str) {
        let old = format!("..{}", self.version);
        self.version += 1;
        let new = format!("..{}", self.version);
        std::fs::create_dir(self.path(&new)).unwrap();
        std::fs::write(self.path(&new).join("tls.crt"), cert).unwrap();
        std::fs::write(self.path(&new).join("tls.key"), key).unwrap();
        symlink(&new, self.path("..data_tmp")).unwrap();
        std::fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        if self.version > 1 {
            std::fs::remove_dir_all(self.path(&old)).unwrap();
        }
    }

    async fn serve(&self, ca: &Ca) -> Running {
        self.serve_looking_every(Duration::from_millis(1), ca).await
    }

    async fn serve_looking_every(&self, interval: Duration, ca: &Ca) -> Running {
        serve_files(self.path("tls.crt"), self.path("tls.key"), interval, ca).await
    }
}

async fn serve_files(cert: PathBuf, key: PathBuf, interval: Duration, ca: &Ca) -> Running {
    let certificates = Certificates::from_files(cert, key).unwrap();
    let mut config = quick();
    config.limits.certificate_poll = interval;
    Running::start_tls(config, Arc::new(respond), &ca.pem, Arc::new(certificates)).await
}

/// Longer than any test: nobody looks unless told.
const NEVER: Duration = Duration::from_secs(3600);

/// The certificate a new connection is shown.
async fn served(server: &Running) -> CertificateDer<'static> {
    let stream = soon(connect(server.address, client(&server.ca, None))).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn until_served(server: &Running, pair: &Pair) {
    let wanted = CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap();
    soon(async { while served(server).await != wanted {} }).await;
}

#[tokio::test]
async fn a_rotated_certificate_is_served_each_time() {
    let ca = Ca::new();
    let mut volume = Volume::new(&ca.pair("first"));
    let server = volume.serve(&ca).await;
    let mut early = server.caller().await;
    for (turn, name) in [(1.0, "second"), (2.0, "third"), (3.0, "fourth")] {
        let pair = ca.pair(name);
        volume.swap(&pair.cert, &pair.key);
        until_served(&server, &pair).await;
        assert_eq!(server.metric(RELOADED).await, turn);
    }
    assert_eq!(server.metric(REFUSED).await, 0.0);
    assert_eq!(early.post("/validate", ALLOWED).await.status, 200, "connections outlive a rotation");
}

#[tokio::test]
async fn each_swap_of_a_secret_volume_is_noticed_at_once_and_not_only_the_first() {
    let ca = Ca::new();
    let mut volume = Volume::new(&ca.pair("first"));
    let server = volume.serve_looking_every(NEVER, &ca).await;
    for name in ["second", "third", "fourth", "fifth"] {
        let pair = ca.pair(name);
        volume.swap(&pair.cert, &pair.key);
        until_served(&server, &pair).await;
    }
    assert_eq!(server.metric(REFUSED).await, 0.0);
}

#[tokio::test]
async fn two_files_written_one_after_the_other_are_one_change() {
    let ca = Ca::new();
    let (first, second) = (ca.pair("first"), ca.pair("second"));
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [cert, key] = [directories[0].path().join("cert.pem"), directories[1].path().join("key.pem")];
    std::fs::write(&cert, &first.cert).unwrap();
    std::fs::write(&key, &first.key).unwrap();
    let server = serve_files(cert.clone(), key.clone(), NEVER, &ca).await;
    std::fs::write(&cert, &second.cert).unwrap();
    std::fs::write(&key, &second.key).unwrap();
    until_served(&server, &second).await;
}

#[tokio::test]
async fn a_change_that_no_event_tells_of_is_found_by_looking() {
    let ca = Ca::new();
    let (first, second) = (ca.pair("first"), ca.pair("second"));
    let (elsewhere, directory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [cert, key] = ["tls.crt", "tls.key"].map(|name| {
        symlink(elsewhere.path().join(name), directory.path().join(name)).unwrap();
        directory.path().join(name)
    });
    let write = |pair: &Pair| {
        std::fs::write(elsewhere.path().join("tls.key"), &pair.key).unwrap();
        std::fs::write(elsewhere.path().join("tls.crt"), &pair.cert).unwrap();
    };
    write(&first);
    let server = serve_files(cert, key, Duration::from_millis(50), &ca).await;
    write(&second);
    until_served(&server, &second).await;
}

#[tokio::test]
async fn a_directory_that_was_replaced_is_watched_anew() {
    let ca = Ca::new();
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("tls");
    let fill = |name: &str| {
        let pair = ca.pair(name);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("tls.crt"), &pair.cert).unwrap();
        std::fs::write(directory.join("tls.key"), &pair.key).unwrap();
        pair
    };
    fill("first");
    let interval = Duration::from_millis(100);
    let server = serve_files(directory.join("tls.crt"), directory.join("tls.key"), interval, &ca).await;
    for name in ["second", "third"] {
        std::fs::remove_dir_all(&directory).unwrap();
        let pair = fill(name);
        until_served(&server, &pair).await;
    }
}

#[tokio::test]
async fn a_certificate_that_expires_while_it_is_served_turns_unready_until_a_good_one_comes() {
    let ca = Ca::new();
    let soon_over = std::time::SystemTime::now() + Duration::from_secs(3);
    let mut volume = Volume::new(&ca.pair_with("brief", |params| params.not_after = soon_over.into()));
    let server = volume.serve(&ca).await;
    assert_eq!(server.admin("/readyz").await.0, 200, "it has some seconds left");
    soon(async { while server.admin("/readyz").await.0 == 200 {} }).await;
    let (status, why) = server.admin("/readyz").await;
    assert_eq!((status, why.contains("certificate expired at")), (503, true), "{why}");
    assert_eq!(server.admin("/livez").await.0, 200);
    let good = ca.pair("good");
    volume.swap(&good.cert, &good.key);
    soon(async { while server.admin("/readyz").await.0 != 200 {} }).await;
}

#[tokio::test]
async fn a_broken_pair_keeps_the_last_good_one() {
    let ca = Ca::new();
    let (first, second) = (ca.pair("first"), ca.pair("second"));
    let mut volume = Volume::new(&first);
    let server = volume.serve(&ca).await;
    let broken = [(&*second.cert, &*first.key), (&*second.cert, "no key"), ("", &*second.key)];
    for (turn, (cert, key)) in (1..).zip(broken) {
        volume.swap(cert, key);
        server.until_metric(REFUSED, f64::from(turn)).await;
        until_served(&server, &first).await;
        assert_eq!(server.admin("/readyz").await.0, 200, "what is served is still good");
    }
    volume.swap(&second.cert, &second.key);
    until_served(&server, &second).await;
    assert_eq!(server.metric(RELOADED).await, 1.0);
    assert_eq!(server.metric(REFUSED).await, 3.0, "each broken pair is counted once, not at every look");
}

#[tokio::test]
async fn a_valid_certificate_does_not_give_way_to_one_that_is_not() {
    let ca = Ca::new();
    let first = ca.pair("first");
    let mut volume = Volume::new(&first);
    let server = volume.serve(&ca).await;
    let future = ca.pair_with("future", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1));
    for (turn, pair) in (1..).zip([ca.expired_pair(), future]) {
        volume.swap(&pair.cert, &pair.key);
        server.until_metric(REFUSED, f64::from(turn)).await;
        until_served(&server, &first).await;
        assert_eq!(server.admin("/readyz").await.0, 200, "what is served is still good");
    }
}

#[tokio::test]
async fn a_certificate_whose_time_has_not_come_is_served_when_it_has() {
    let ca = Ca::new();
    let mut volume = Volume::new(&ca.pair("first"));
    let server = volume.serve(&ca).await;
    let begins = std::time::SystemTime::now() + Duration::from_secs(2);
    let second = ca.pair_with("second", |params| params.not_before = begins.into());
    volume.swap(&second.cert, &second.key);
    server.until_metric(REFUSED, 1.0).await;
    server.until_metric(RELOADED, 1.0).await;
    until_served(&server, &second).await;
}

#[tokio::test]
async fn files_that_vanish_for_a_while_do_no_harm() {
    let ca = Ca::new();
    let first = ca.pair("first");
    let mut volume = Volume::new(&first);
    let server = volume.serve(&ca).await;
    std::fs::remove_file(volume.path("..data")).unwrap();
    server.until_metric(REFUSED, 1.0).await;
    until_served(&server, &first).await;
    let second = ca.pair("second");
    volume.swap(&second.cert, &second.key);
    until_served(&server, &second).await;
}

#[tokio::test]
async fn the_expiry_in_use_is_a_metric() {
    const EXPIRY: &str = "ippool_webhook_certificate_expiry_timestamp_seconds";
    let ca = Ca::new();
    let until = |year| {
        move |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(year, 1, 1)
    };
    let mut volume = Volume::new(&ca.pair_with("first", until(2040)));
    let server = volume.serve(&ca).await;
    server.until_metric(EXPIRY, 2_208_988_800.0).await;
    let second = ca.pair_with("second", until(2041));
    volume.swap(&second.cert, &second.key);
    server.until_metric(EXPIRY, 2_240_611_200.0).await;
}

#[tokio::test]
async fn an_expired_certificate_is_not_ready_but_alive_until_a_good_one_comes() {
    let ca = Ca::new();
    let mut volume = Volume::new(&ca.expired_pair());
    let server = volume.serve(&ca).await;
    let (status, why) = server.admin("/readyz").await;
    assert_eq!(status, 503);
    assert!(why.contains("certificate expired at"), "{why}");
    assert_eq!(server.admin("/livez").await.0, 200);
    let good = ca.pair("good");
    volume.swap(&good.cert, &good.key);
    soon(async { while server.admin("/readyz").await.0 != 200 {} }).await;
}

#[tokio::test]
async fn a_certificate_of_the_future_is_not_ready() {
    let ca = Ca::new();
    let volume =
        Volume::new(&ca.pair_with("future", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1)));
    let server = volume.serve(&ca).await;
    let (status, why) = server.admin("/readyz").await;
    assert_eq!(status, 503);
    assert!(why.contains("not valid yet"), "{why}");
}
