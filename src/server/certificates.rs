//! The serving certificate: read from files, swapped while serving, the last good one kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::files;
use super::limits::{FILE, Limits};
use super::metrics::Metrics;
use super::pair::{CertificateError, Loaded, Pair, Standing};
use super::watch::Watch;

/// Between two warnings that the certificate is about to expire.
const REMIND: Duration = Duration::from_secs(24 * 3600);
/// The certificate in use and where new ones come from.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<Loaded>,
    files: Option<Files>,
}

#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
    first: Pair,
}

impl Files {
    /// A look at both files, to be done where it may take long; the watch that tells of the next one comes with it.
    fn look(
        &self,
        watch: Option<Watch>,
        interval: Duration,
    ) -> impl FnOnce() -> (Watch, Result<Pair, String>) + Send + use<> {
        let (cert, key) = (self.cert.clone(), self.key.clone());
        move || {
            let watch = Watch::armed(watch, &[&cert, &key], interval);
            (watch, Pair::read(&cert, &key).map_err(|error| error.to_string()))
        }
    }
}

impl Certificates {
    /// The certificate chain of `cert` with the private key of `key` (PKCS#8, PKCS#1 or SEC1), both PEM.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, is not PEM, or the two do not belong together. An expired certificate
    /// is not an error: the server starts and is not ready.
    pub fn from_files(cert: PathBuf, key: PathBuf) -> Result<Self, CertificateError> {
        let first = {
            let (cert, key) = (cert.clone(), key.clone());
            files::within(FILE, move || Ok(Pair::read(&cert, &key)))
        };
        let first = first.unwrap_or_else(|source| Err(CertificateError::unreadable(&cert, source)))?;
        let current = ArcSwap::from_pointee(first.load(&cert, &key)?);
        Ok(Self { current, files: Some(Files { cert, key, first }) })
    }

    /// A certificate that no file stands behind.
    ///
    /// # Errors
    ///
    /// When certificate and key do not belong together.
    pub fn from_pem(cert: &str, key: &str) -> Result<Self, CertificateError> {
        let pair = Pair { cert: cert.into(), key: key.into() };
        let nowhere = Path::new("memory");
        Ok(Self { current: ArcSwap::from_pointee(pair.load(nowhere, nowhere)?), files: None })
    }

    /// Whether the certificate in use is valid now; if not, why.
    ///
    /// # Errors
    ///
    /// A sentence for the readiness probe.
    pub fn valid(&self) -> Result<(), String> {
        self.current.load().valid().map_err(|why| format!("the serving {why}"))
    }

    /// Puts the expiry of the certificate in use into the metrics, and into the log when it is near.
    pub fn report(&self, metrics: &Metrics) {
        let loaded = self.current.load();
        metrics.certificate_expiry.set(loaded.not_after);
        match loaded.standing() {
            Standing::Good => {}
            Standing::ExpiresSoon => {
                warn!(expires = loaded.until, "the serving certificate expires within a week: renew it");
            }
            Standing::Expired => error!(
                expires = loaded.until,
                "the serving certificate has expired: callers refuse it, and this server is not ready; renew it"
            ),
        }
    }

    /// Looks at the files whenever they may have changed, at the latest every few seconds, and swaps in what is
    /// new and good; never returns. The content is compared, not the time or the inode.
    pub async fn follow(&self, limits: &Limits, metrics: &Metrics) {
        let Some(files) = &self.files else { return std::future::pending().await };
        let (mut seen, mut waiting, mut watch) = (Ok(files.first.clone()), None, None);
        let mut reported = (self.standing(), Instant::now());
        // First without waiting: something may have changed before the watch began.
        loop {
            let look = files.look(watch, limits.certificate_poll);
            let late = || metrics.reloaded(false);
            let Some((mut armed, found)) =
                files::elsewhere("--tls-cert or --tls-key", limits.file, look, late).await
            else {
                return std::future::pending().await;
            };
            if found != seen {
                let loaded = found
                    .clone()
                    .and_then(|pair| pair.load(&files.cert, &files.key).map_err(|error| error.to_string()));
                waiting = self.replace(loaded, metrics);
                seen = found;
            }
            if let Some(better) = waiting.take_if(|it| !self.is_better_than(it)) {
                self.swap(better, metrics);
            }
            if reported.0 != self.standing() || reported.1.elapsed() >= REMIND {
                self.report(metrics);
                reported = (self.standing(), Instant::now());
            }
            armed.look().await;
            watch = Some(armed);
        }
    }

    /// When the certificate in use expires, in seconds since 1970, and what that means now.
    fn standing(&self) -> (i64, Standing) {
        let loaded = self.current.load();
        (loaded.not_after, loaded.standing())
    }

    /// A valid certificate does not give way to one that is not.
    fn is_better_than(&self, other: &Loaded) -> bool {
        self.valid().is_ok() && other.valid().is_err()
    }

    /// Serves with `loaded`, or says why not. One that is refused for its dates alone is handed back: should the
    /// clock of this node be slow, its time is about to come.
    fn replace(&self, loaded: Result<Loaded, String>, metrics: &Metrics) -> Option<Loaded> {
        let (why, waiting) = match loaded {
            Ok(loaded) if self.is_better_than(&loaded) => (loaded.valid().err(), Some(loaded)),
            Ok(loaded) => {
                self.swap(loaded, metrics);
                return None;
            }
            Err(error) => (Some(error), None),
        };
        metrics.reloaded(false);
        error!(error = why, "the changed certificate cannot be used; the last good one stays");
        waiting
    }

    fn swap(&self, loaded: Loaded, metrics: &Metrics) {
        metrics.reloaded(true);
        metrics.certificate_expiry.set(loaded.not_after);
        info!(expires = loaded.until, "serving with a new certificate");
        self.current.store(Arc::new(loaded));
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}
