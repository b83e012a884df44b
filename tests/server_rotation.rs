//! The serving certificate is replaced as the kubelet does it: a symlink beside the files is swapped.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ippool_webhook::admission::respond;
use ippool_webhook::server::Certificates;
use notify::Watcher as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use testkit::client::{client, connect, soon};
use testkit::pki::{Ca, Pair};
use testkit::server::{ALLOWED, Running, quick};

const RELOADED: &str = "ippool_webhook_certificate_reloads_total{outcome=\"success\"}";
const FAILED: &str = "ippool_webhook_certificate_reloads_total{outcome=\"failure\"}";

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
        self.serve_polling(Duration::from_millis(1), ca).await
    }

    async fn serve_polling(&self, interval: Duration, ca: &Ca) -> Running {
        serve_files(self.path("tls.crt"), self.path("tls.key"), interval, ca).await
    }
}

async fn serve_files(cert: PathBuf, key: PathBuf, interval: Duration, ca: &Ca) -> Running {
    let certificates = Certificates::from_files(cert, key).unwrap();
    let mut config = quick();
    config.limits.certificate_poll = interval;
    Running::start_tls(config, Arc::new(respond), &ca.pem, Arc::new(certificates)).await
}

/// Longer than any test, so that only events cause a reload.
const NEVER: Duration = Duration::from_secs(3600);

/// The certificate that a new connection gets.
async fn served(server: &Running) -> CertificateDer<'static> {
    let stream = soon(connect(server.address, client(&server.ca, None))).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn until_served(server: &Running, pair: &Pair) {
    let wanted = CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap();
    soon(async { while served(server).await != wanted {} }).await;
}

#[tokio::test]
async fn every_rotated_certificate_is_served() {
    let ca = Ca::root();
    let mut volume = Volume::new(&ca.pair("first"));
    let server = volume.serve(&ca).await;
    let mut early = server.caller().await;
    for (turn, name) in [(1.0, "second"), (2.0, "third"), (3.0, "fourth")] {
        let pair = ca.pair(name);
        volume.swap(&pair.cert, &pair.key);
        until_served(&server, &pair).await;
        assert_eq!(server.metric(RELOADED).await, turn);
    }
    assert_eq!(server.metric(FAILED).await, 0.0);
    assert_eq!(early.post("/validate", ALLOWED).await.status, 200, "connections outlive a rotation");
}

#[tokio::test]
async fn every_swap_of_a_secret_volume_is_noticed_at_once() {
    let ca = Ca::root();
    let mut volume = Volume::new(&ca.pair("first"));
    let server = volume.serve_polling(NEVER, &ca).await;
    for name in ["second", "third", "fourth", "fifth"] {
        let pair = ca.pair(name);
        volume.swap(&pair.cert, &pair.key);
        until_served(&server, &pair).await;
    }
    assert_eq!(server.metric(FAILED).await, 0.0);
}

#[tokio::test]
async fn files_written_one_after_the_other_are_served_as_a_pair() {
    let ca = Ca::root();
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
async fn a_change_without_an_event_is_found_by_polling() {
    let ca = Ca::root();
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
async fn a_replaced_directory_is_watched_again() {
    let ca = Ca::root();
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
    let interval = Duration::from_secs(3);
    let server = serve_files(directory.join("tls.crt"), directory.join("tls.key"), interval, &ca).await;
    std::fs::remove_dir_all(&directory).unwrap();
    server.until_metric(FAILED, 1.0).await;
    until_served(&server, &fill("second")).await;
    // This was found by polling, and from then on events are reported again.
    let third = ca.pair("third");
    std::fs::write(directory.join("tls.crt"), &third.cert).unwrap();
    std::fs::write(directory.join("tls.key"), &third.key).unwrap();
    let started = std::time::Instant::now();
    until_served(&server, &third).await;
    assert!(started.elapsed() < interval / 2, "{:?}", started.elapsed());
}

#[tokio::test]
async fn reading_the_files_is_not_a_change_of_them() {
    let ca = Ca::root();
    let mut volume = Volume::new(&ca.pair("first"));
    let server = volume.serve_polling(NEVER, &ca).await;
    let second = ca.pair("second");
    volume.swap(&second.cert, &second.key);
    until_served(&server, &second).await;
    let (opened, mut events) = tokio::sync::mpsc::unbounded_channel();
    let mut watcher = notify::recommended_watcher(move |event| drop(opened.send(event))).unwrap();
    watcher.watch(&volume.path("..2"), notify::RecursiveMode::NonRecursive).unwrap();
    // Otherwise, each reading would cause the next one a moment later.
    let quiet = Duration::from_millis(300);
    soon(async { while tokio::time::timeout(quiet, events.recv()).await.is_ok() {} }).await;
}

#[tokio::test]
async fn readiness_is_off_from_expiry_until_a_valid_certificate_is_read() {
    let ca = Ca::root();
    let expiry = std::time::SystemTime::now() + Duration::from_secs(3);
    let mut volume = Volume::new(&ca.pair_with("brief", |params| params.not_after = expiry.into()));
    let server = volume.serve(&ca).await;
    assert_eq!(server.admin("/readyz").await.0, 200, "it is valid for some seconds");
    soon(async { while server.admin("/readyz").await.0 == 200 {} }).await;
    let (status, why) = server.admin("/readyz").await;
    assert_eq!((status, why.contains("certificate expired at")), (503, true), "{why}");
    assert_eq!(server.admin("/livez").await.0, 200);
    let good = ca.pair("good");
    volume.swap(&good.cert, &good.key);
    soon(async { while server.admin("/readyz").await.0 != 200 {} }).await;
}

#[tokio::test]
async fn an_unusable_pair_leaves_the_last_good_one_in_use() {
    let ca = Ca::root();
    let (first, second) = (ca.pair("first"), ca.pair("second"));
    let mut volume = Volume::new(&first);
    let server = volume.serve(&ca).await;
    let broken = [(&*second.cert, &*first.key), (&*second.cert, "no key"), ("", &*second.key)];
    for (turn, (cert, key)) in (1..).zip(broken) {
        volume.swap(cert, key);
        server.until_metric(FAILED, f64::from(turn)).await;
        until_served(&server, &first).await;
        assert_eq!(server.admin("/readyz").await.0, 200, "the certificate in use is still valid");
    }
    volume.swap(&second.cert, &second.key);
    until_served(&server, &second).await;
    assert_eq!(server.metric(RELOADED).await, 1.0);
    assert_eq!(server.metric(FAILED).await, 3.0, "each broken pair is counted once, not at every poll");
}

#[tokio::test]
async fn an_expired_certificate_does_not_replace_a_valid_one() {
    let ca = Ca::root();
    let first = ca.pair("first");
    let mut volume = Volume::new(&first);
    let server = volume.serve(&ca).await;
    let future = ca.pair_with("future", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1));
    for (turn, pair) in (1..).zip([ca.expired_pair(), future]) {
        volume.swap(&pair.cert, &pair.key);
        server.until_metric(FAILED, f64::from(turn)).await;
        until_served(&server, &first).await;
        assert_eq!(server.admin("/readyz").await.0, 200, "the certificate in use is still valid");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_yet_valid_is_served_once_it_is() {
    let ca = Ca::root();
    let mut volume = Volume::new(&ca.pair("first"));
    let server = volume.serve(&ca).await;
    let begins = std::time::SystemTime::now() + Duration::from_secs(2);
    let second = ca.pair_with("second", |params| params.not_before = begins.into());
    volume.swap(&second.cert, &second.key);
    server.until_metric(FAILED, 1.0).await;
    server.until_metric(RELOADED, 1.0).await;
    until_served(&server, &second).await;
}

#[tokio::test]
async fn the_certificate_stays_in_use_while_its_files_are_missing() {
    let ca = Ca::root();
    let first = ca.pair("first");
    let mut volume = Volume::new(&first);
    let server = volume.serve(&ca).await;
    std::fs::remove_file(volume.path("..data")).unwrap();
    server.until_metric(FAILED, 1.0).await;
    until_served(&server, &first).await;
    let second = ca.pair("second");
    volume.swap(&second.cert, &second.key);
    until_served(&server, &second).await;
}

#[tokio::test]
async fn a_metric_shows_the_expiry_of_the_certificate_in_use() {
    const EXPIRY: &str = "ippool_webhook_certificate_expiry_timestamp_seconds";
    let ca = Ca::root();
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
async fn with_an_expired_certificate_at_start_it_is_live_but_not_ready() {
    let ca = Ca::root();
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
async fn with_a_certificate_that_is_not_yet_valid_it_is_not_ready() {
    let ca = Ca::root();
    let volume =
        Volume::new(&ca.pair_with("future", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1)));
    let server = volume.serve(&ca).await;
    let (status, why) = server.admin("/readyz").await;
    assert_eq!(status, 503);
    assert!(why.contains("not valid yet"), "{why}");
}
