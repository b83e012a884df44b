//! A certificate and its key, as files hold them and as rustls wants them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files;

/// A certificate that expires sooner than this is warned of: a week is time enough to act.
const EXPIRES_SOON: Duration = Duration::from_secs(7 * 24 * 3600);
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

impl CertificateError {
    /// `cert`, or the key beside it, cannot be read.
    pub(super) fn unreadable(cert: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { flag: "--tls-cert", path: cert.into(), source }
    }
}

/// A usable certificate and when it is valid, in seconds since 1970.
#[derive(Debug)]
pub struct Loaded {
    /// For rustls.
    pub key: Arc<CertifiedKey>,
    not_before: i64,
    /// When it expires.
    pub not_after: i64,
    /// The same, for people.
    pub until: String,
}

/// What the expiry of a certificate means now.
#[derive(Clone, Copy, PartialEq)]
pub enum Standing {
    /// There is time.
    Good,
    /// A week is left, or less.
    ExpiresSoon,
    /// None is left.
    Expired,
}

/// The content of both files.
#[derive(Clone, PartialEq)]
pub struct Pair {
    /// The chain, PEM.
    pub cert: Vec<u8>,
    /// The key, PEM.
    pub key: Vec<u8>,
}

/// A key is not for logs.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl Pair {
    /// Reads both files as of one moment: the certificate is read again after the key, and everything once
    /// more when it changed in between. It may block for as long as the file system does.
    ///
    /// # Errors
    ///
    /// When a file is not there or may not be read.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, CertificateError> {
        let mut pair = Self { cert: read("--tls-cert", cert)?, key: read("--tls-key", key)? };
        for _ in 1..READ_ATTEMPTS {
            let again = read("--tls-cert", cert)?;
            if again == pair.cert {
                break;
            }
            pair = Self { cert: again, key: read("--tls-key", key)? };
        }
        Ok(pair)
    }

    /// What can be served with, of the files `cert` and `key`.
    ///
    /// # Errors
    ///
    /// When one is not PEM, or the two do not belong together.
    pub fn load(&self, cert: &Path, key: &Path) -> Result<Loaded, CertificateError> {
        let unusable =
            |reason: String| CertificateError::Unusable { cert: cert.into(), key: key.into(), reason };
        let chain = chain(&self.cert).ok_or_else(|| not_pem("--tls-cert", cert, "certificate"))?;
        let private = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| not_pem("--tls-key", key, "private key (PKCS#8, PKCS#1 or SEC1, unencrypted)"))?;
        let (not_before, not_after, until) = validity(&chain).map_err(unusable)?;
        let others = chain.get(1..).unwrap_or_default().to_vec();
        let certified = pair_up(chain, private.clone_key()).map_err(|error| {
            let misplaced = others.into_iter().any(|other| pair_up(vec![other], private.clone_key()).is_ok());
            unusable(if misplaced { OWN_FIRST.to_owned() } else { remedy(&error) })
        })?;
        Ok(Loaded { key: Arc::new(certified), not_before, not_after, until })
    }
}

impl Loaded {
    /// Whether it is valid now; if not, why.
    ///
    /// # Errors
    ///
    /// What is to follow "the serving" or stand alone.
    pub fn valid(&self) -> Result<(), String> {
        let now = seconds(SystemTime::now());
        if now >= self.not_after {
            return Err(format!("certificate expired at {}: renew it", self.until));
        }
        if now < self.not_before {
            return Err("certificate is not valid yet: is the clock of this node right?".to_owned());
        }
        Ok(())
    }

    /// What its expiry means now.
    pub fn standing(&self) -> Standing {
        match self.not_after {
            expiry if expiry <= seconds(SystemTime::now()) => Standing::Expired,
            expiry if expiry <= seconds(SystemTime::now() + EXPIRES_SOON) => Standing::ExpiresSoon,
            _ => Standing::Good,
        }
    }
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, CertificateError> {
    files::read(path).map_err(|source| CertificateError::Unreadable { flag, path: path.into(), source })
}

/// Fails where the first certificate of the chain is not for this key.
fn pair_up(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, rustls::Error> {
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
}

/// What rustls found, and what would be right.
fn remedy(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            "the key is not that of the certificate; both have to come from one Secret".to_owned()
        }
        rustls::Error::General(what) => {
            format!("{what}; keys are RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519")
        }
        other => other.to_string(),
    }
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
