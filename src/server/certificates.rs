//! The serving certificate: read from files, swapped while serving, the last good one kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio::time::Instant;
use tracing::{error, info, warn};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::metrics::Metrics;
use super::watch::Watch;

/// A certificate that expires sooner than this is warned of: a week is time enough to act.
const EXPIRES_SOON: Duration = Duration::from_secs(7 * 24 * 3600);
/// Between two warnings that the certificate is about to expire.
const REMIND: Duration = Duration::from_secs(24 * 3600);
/// Reads of a pair before a change between the two files counts as an error of the pair.
const READ_ATTEMPTS: usize = 3;

/// What is wrong with a chain that begins with a CA.
const OWN_FIRST: &str =
    "the certificate of this key is in the file, but has to be the first in it, before those of CAs";

/// Why a certificate cannot be served with.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A file is not there or may not be read.
    #[error("cannot read {flag} {}: {source}; is the Secret mounted there, and readable by this user?", path.display())]
    Unreadable {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{flag} {} holds no {wanted} in PEM (it begins with -----BEGIN ...-----)", path.display())]
    NotPem {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
    },
    /// Both files are what they should be, and do not belong together or cannot be used.
    #[error("the certificate of {} cannot be used with the key of {}: {reason}", cert.display(), key.display())]
    Unusable {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
}

/// The certificate in use and where new ones come from.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<Loaded>,
    files: Option<Files>,
}

/// A usable certificate and when it is valid, in seconds since 1970.
#[derive(Debug)]
struct Loaded {
    key: Arc<CertifiedKey>,
    not_before: i64,
    not_after: i64,
    until: String,
}

#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
    first: Pair,
}

/// The content of both files.
#[derive(Clone, PartialEq)]
struct Pair {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// A key is not for logs.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
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
        let first = read_pair(&cert, &key)?;
        let current = ArcSwap::from_pointee(load(&first, &cert, &key)?);
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
        Ok(Self { current: ArcSwap::from_pointee(load(&pair, nowhere, nowhere)?), files: None })
    }

    /// Whether the certificate in use is valid now; if not, why.
    ///
    /// # Errors
    ///
    /// A sentence for the readiness probe.
    pub fn valid(&self) -> Result<(), String> {
        let loaded = self.current.load();
        let now = seconds(SystemTime::now());
        if now >= loaded.not_after {
            return Err(format!("the serving certificate expired at {}: renew it", loaded.until));
        }
        if now < loaded.not_before {
            return Err(
                "the serving certificate is not valid yet: is the clock of this node right?".to_owned()
            );
        }
        Ok(())
    }

    /// Puts the expiry of the certificate in use into the metrics, and into the log when it is near.
    pub fn report(&self, metrics: &Metrics) {
        let loaded = self.current.load();
        metrics.certificate_expiry.set(loaded.not_after);
        let soon = seconds(SystemTime::now() + EXPIRES_SOON);
        if loaded.not_after <= soon {
            warn!(expires = loaded.until, "the serving certificate expires within a week, or has expired");
        }
    }

    /// Looks at the files whenever they may have changed, at the latest every `interval`, and swaps in what is
    /// new and good; never returns. The content is compared, not the time or the inode.
    pub async fn follow(&self, interval: Duration, metrics: &Metrics) {
        let Some(files) = &self.files else { return std::future::pending().await };
        let mut watch = Watch::of(&[&files.cert, &files.key], interval);
        let (mut seen, mut reminded) = (Ok(files.first.clone()), Instant::now());
        // First without waiting: something may have changed before the watch began.
        loop {
            let found = read_pair(&files.cert, &files.key).map_err(|error| error.to_string());
            if found != seen {
                let loaded = found
                    .clone()
                    .and_then(|pair| load(&pair, &files.cert, &files.key).map_err(|error| error.to_string()));
                self.replace(loaded, metrics);
                seen = found;
            }
            if reminded.elapsed() >= REMIND {
                reminded = Instant::now();
                self.report(metrics);
            }
            watch.look().await;
        }
    }

    fn replace(&self, loaded: Result<Loaded, String>, metrics: &Metrics) {
        metrics.reloaded(loaded.is_ok());
        match loaded {
            Ok(loaded) => {
                info!(expires = loaded.until, "serving with a new certificate");
                self.current.store(Arc::new(loaded));
                self.report(metrics);
            }
            Err(error) => error!(error, "the changed certificate cannot be used; the last good one stays"),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}

/// Reads both files as of one moment: the certificate is read again after the key, and everything once
/// more when it changed in between. Two small files: reading them blocks for no time worth a thread.
fn read_pair(cert: &Path, key: &Path) -> Result<Pair, CertificateError> {
    let mut pair = Pair { cert: read("--tls-cert", cert)?, key: read("--tls-key", key)? };
    for _ in 1..READ_ATTEMPTS {
        let again = read("--tls-cert", cert)?;
        if again == pair.cert {
            break;
        }
        pair = Pair { cert: again, key: read("--tls-key", key)? };
    }
    Ok(pair)
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|source| CertificateError::Unreadable { flag, path: path.into(), source })
}

fn load(pair: &Pair, cert: &Path, key: &Path) -> Result<Loaded, CertificateError> {
    let unusable = |reason: String| CertificateError::Unusable { cert: cert.into(), key: key.into(), reason };
    let chain = chain(&pair.cert).ok_or_else(|| not_pem("--tls-cert", cert, "certificate"))?;
    let private = PrivateKeyDer::from_pem_slice(&pair.key)
        .map_err(|_| not_pem("--tls-key", key, "private key (PKCS#8, PKCS#1 or SEC1, unencrypted)"))?;
    let (not_before, not_after, until) = validity(&chain).map_err(unusable)?;
    let others = chain.get(1..).unwrap_or_default().to_vec();
    let certified = pair_up(chain, private.clone_key()).map_err(|error| {
        let misplaced = others.into_iter().any(|other| pair_up(vec![other], private.clone_key()).is_ok());
        unusable(if misplaced { OWN_FIRST.to_owned() } else { error.to_string() })
    })?;
    Ok(Loaded { key: Arc::new(certified), not_before, not_after, until })
}

/// Fails where the first certificate of the chain is not for this key.
fn pair_up(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, rustls::Error> {
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
}

fn not_pem(flag: &'static str, path: &Path, wanted: &'static str) -> CertificateError {
    CertificateError::NotPem { flag, path: path.into(), wanted }
}

/// Every certificate of `pem`, the server's own first; none at all is no chain.
fn chain(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!chain.is_empty()).then_some(chain)
}

/// From when to when the first certificate of the chain is valid, and the latter for people.
fn validity(chain: &[CertificateDer<'_>]) -> Result<(i64, i64, String), String> {
    let leaf = chain.first().map_or(&[][..], |leaf| leaf.as_ref());
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|error| error.to_string())?;
    let validity = leaf.validity();
    Ok((validity.not_before.timestamp(), validity.not_after.timestamp(), validity.not_after.to_string()))
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}
