//! A certificate and its key, as files hold them and as rustls takes them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use thiserror::Error;

use super::files;
use crate::pki::{self, DAY_SECONDS, PairError, UnixTime};

/// From how long before its expiry a certificate is warned about: a week is enough time to act.
const EXPIRES_SOON_SECONDS: i64 = 7 * DAY_SECONDS;
/// Reads of a pair before a change between the two files counts as an error of the pair.
const READ_ATTEMPTS: usize = 3;

/// Why a certificate cannot be served with.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A file does not exist or cannot be read.
    #[error("cannot read {flag} {}: {source}; is the Secret mounted there, and readable by this user?", path.display())]
    Unreadable {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A file does not contain what it should.
    #[error("{flag} {} holds no {wanted} in PEM (it begins with -----BEGIN ...-----)", path.display())]
    NotPem {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
    },
    /// The certificate and the key are valid, but do not match or are of an unsupported kind.
    #[error("the certificate of {} cannot be used with the key of {}: {reason}", cert.display(), key.display())]
    Unusable {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl CertificateError {
    /// `cert`, or the key beside it, cannot be read.
    pub(super) fn unreadable(cert: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { flag: "--tls-cert", path: cert.into(), source }
    }
}

/// A usable certificate and when it is valid.
#[derive(Debug)]
pub struct Loaded {
    /// For rustls.
    pub key: Arc<CertifiedKey>,
    not_before: UnixTime,
    /// When it expires.
    pub not_after: UnixTime,
    /// The same in RFC 3339.
    pub until: String,
}

/// How close a certificate is to its expiry.
#[derive(Clone, Copy, PartialEq)]
pub enum Standing {
    /// More than a week is left.
    Good,
    /// At most a week is left.
    ExpiresSoon,
    /// It has expired.
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

/// Without the key, which must not be logged.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl Pair {
    /// Reads both files consistently: the certificate is read again after the key, and both are read again when it has
    /// changed in between. May block for as long as the file system does.
    ///
    /// # Errors
    ///
    /// When a file does not exist or cannot be read.
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

    /// The certified key; `cert` and `key` are the paths for errors.
    ///
    /// # Errors
    ///
    /// When one is not PEM, or the two do not match.
    pub fn load(&self, cert: &Path, key: &Path) -> Result<Loaded, CertificateError> {
        let (chain, certified) = pki::certify(&self.cert, &self.key).map_err(|error| match error {
            PairError::Certificate => not_pem("--tls-cert", cert, "certificate"),
            PairError::Key => not_pem("--tls-key", key, "private key (PKCS#8, PKCS#1 or SEC1, unencrypted)"),
            PairError::Mismatch(reason) => {
                CertificateError::Unusable { cert: cert.into(), key: key.into(), reason }
            }
        })?;
        let leaf = chain.first().ok_or_else(|| not_pem("--tls-cert", cert, "certificate"))?;
        let (not_before, not_after) = (leaf.not_before, leaf.not_after);
        Ok(Loaded { key: Arc::new(certified), not_before, not_after, until: pki::format_rfc3339(not_after) })
    }
}

impl Loaded {
    /// Whether it is valid now; if not, why.
    ///
    /// # Errors
    ///
    /// Why not, to be put after "the serving ".
    pub fn valid(&self) -> Result<(), String> {
        let now = pki::now();
        if now >= self.not_after {
            return Err(format!("certificate expired at {}: renew it", self.until));
        }
        if now < self.not_before {
            return Err("certificate is not valid yet: is the clock of this node right?".to_owned());
        }
        Ok(())
    }

    /// How close it is to its expiry.
    pub fn standing(&self) -> Standing {
        match self.not_after {
            expiry if expiry <= pki::now() => Standing::Expired,
            expiry if expiry <= pki::now() + EXPIRES_SOON_SECONDS => Standing::ExpiresSoon,
            _ => Standing::Good,
        }
    }
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, CertificateError> {
    files::read(path).map_err(|source| CertificateError::Unreadable { flag, path: path.into(), source })
}

fn not_pem(flag: &'static str, path: &Path, wanted: &'static str) -> CertificateError {
    CertificateError::NotPem { flag, path: path.into(), wanted }
}
