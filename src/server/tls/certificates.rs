//! The serving certificate: read from files, replaced while serving, the last good one kept.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::pem_files::{CertificateError, Loaded, PemFiles, PemPair, Standing};
use super::reload::Reloader;
use crate::server::limits::Limits;
use crate::server::metrics::Metrics;

/// The pause between two warnings that the certificate is about to expire.
const REMINDER_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// The serving certificate in use, and where new ones come from.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<Loaded>,
    /// The files, and what they held at first.
    files: Option<(PemFiles, PemPair)>,
}

impl Certificates {
    /// The certificate chain in `cert` with the private key in `key` (PKCS#8, PKCS#1 or SEC1), both PEM.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, is not PEM, or the two do not belong together. An expired certificate is not an
    /// error: the server starts and is not ready.
    pub fn from_files(cert: PathBuf, key: PathBuf) -> Result<Self, CertificateError> {
        let files = PemFiles { cert, key };
        let first = files.read_within(Limits::default().file)?;
        Ok(Self { current: ArcSwap::from_pointee(files.load(&first)?), files: Some((files, first)) })
    }

    /// A certificate that is not in a file.
    ///
    /// # Errors
    ///
    /// When certificate and key do not belong together.
    pub fn from_pem(cert: &str, key: &str) -> Result<Self, CertificateError> {
        let pair = PemPair { cert: cert.into(), key: key.into() };
        let nowhere = PemFiles { cert: "memory".into(), key: "memory".into() };
        Ok(Self { current: ArcSwap::from_pointee(nowhere.load(&pair)?), files: None })
    }

    /// Whether the certificate in use is valid now.
    ///
    /// # Errors
    ///
    /// Why it is not, as a sentence for the readiness probe.
    pub fn valid(&self) -> Result<(), String> {
        self.current.load().valid().map_err(|why| format!("the serving {why}"))
    }

    /// Shows the expiry of the certificate in use in the metrics, and logs it when it is near.
    pub fn report(&self, metrics: &Metrics) {
        let loaded = self.current.load();
        metrics.certificate_expiry_timestamp_seconds.set(loaded.leaf.not_after);
        match loaded.standing() {
            Standing::Good => {}
            Standing::ExpiresSoon => {
                warn!(expires = loaded.until(), "the serving certificate expires within a week: renew it");
            }
            Standing::Expired => error!(
                expires = loaded.until(),
                "the serving certificate has expired: clients reject it, and this server is not ready; renew it"
            ),
        }
    }

    /// Serves with a new certificate when the files hold one; never returns.
    pub async fn follow(&self, limits: &Limits, metrics: &Metrics) {
        let Some((files, first)) = &self.files else { return std::future::pending().await };
        let (read, paths) = (files.clone(), vec![files.cert.clone(), files.key.clone()]);
        let read = move || read.read().map_err(|error| error.to_string());
        let mut changes = Reloader::new("--tls-cert or --tls-key", paths, Ok(first.clone()), limits, read);
        let mut not_valid_yet = None;
        let mut reported = (self.expiry(), Instant::now());
        loop {
            if let Some(found) = changes.next(|| metrics.reloaded(false)).await {
                let loaded = found.and_then(|pair| files.load(&pair).map_err(|error| error.to_string()));
                not_valid_yet = self.replace(loaded, metrics);
            }
            if let Some(better) = not_valid_yet.take_if(|it| !self.is_better_than(it)) {
                self.swap(better, metrics);
            }
            if reported.0 != self.expiry() || reported.1.elapsed() >= REMINDER_INTERVAL {
                self.report(metrics);
                reported = (self.expiry(), Instant::now());
            }
        }
    }

    /// When the certificate in use expires, in seconds since 1970, and what that means now.
    fn expiry(&self) -> (i64, Standing) {
        let loaded = self.current.load();
        (loaded.leaf.not_after, loaded.standing())
    }

    /// A valid certificate is not replaced by one that is not valid.
    fn is_better_than(&self, other: &Loaded) -> bool {
        self.valid().is_ok() && other.valid().is_err()
    }

    /// Serves with `loaded`, or logs why not. One that is only outside its validity is returned: if the clock of this
    /// node is slow, it will be valid soon.
    fn replace(&self, loaded: Result<Loaded, String>, metrics: &Metrics) -> Option<Loaded> {
        let (why, kept) = match loaded {
            Ok(loaded) if self.is_better_than(&loaded) => (loaded.valid().err(), Some(loaded)),
            Ok(loaded) => {
                self.swap(loaded, metrics);
                return None;
            }
            Err(error) => (Some(error), None),
        };
        metrics.reloaded(false);
        error!(error = why, "the changed certificate cannot be used; the last good one stays in use");
        kept
    }

    fn swap(&self, loaded: Loaded, metrics: &Metrics) {
        metrics.reloaded(true);
        metrics.certificate_expiry_timestamp_seconds.set(loaded.leaf.not_after);
        info!(expires = loaded.until(), "serving with a new certificate");
        self.current.store(Arc::new(loaded));
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}
