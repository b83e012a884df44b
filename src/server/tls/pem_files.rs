//! The files of the serving certificate and its key: read within bounds, and as rustls takes them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::pki::{self, Certificate, DAY_SECONDS, PairError};

/// The longest file of certificates or of a key, in bytes; a bundle of all public CAs has a quarter of it.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
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
        source: io::Error,
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

/// The paths of a certificate chain and its key.
#[derive(Clone, Debug)]
pub struct PemFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// The content of both files.
#[derive(Clone, PartialEq)]
pub struct PemPair {
    pub cert: Vec<u8>,
    pub key: Vec<u8>,
}

/// Without the key, which must not be logged.
impl fmt::Debug for PemPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemPair").finish_non_exhaustive()
    }
}

impl PemFiles {
    /// Reads both files within `timeout`.
    pub fn read_within(&self, timeout: Duration) -> Result<PemPair, CertificateError> {
        let files = self.clone();
        let timed_out =
            |source| CertificateError::Unreadable { flag: "--tls-cert", path: self.cert.clone(), source };
        within(timeout, move || files.read()).map_err(timed_out).flatten()
    }

    /// Reads both files consistently: the certificate is read again after the key, and both are read again when it has
    /// changed in between. May block for as long as the file system does.
    pub fn read(&self) -> Result<PemPair, CertificateError> {
        let read = |flag, path: &Path| {
            read(path).map_err(|source| CertificateError::Unreadable { flag, path: path.into(), source })
        };
        let read_both = |cert| Ok(PemPair { cert, key: read("--tls-key", &self.key)? });
        let mut pair = read_both(read("--tls-cert", &self.cert)?)?;
        for _ in 1..READ_ATTEMPTS {
            let again = read("--tls-cert", &self.cert)?;
            if again == pair.cert {
                break;
            }
            pair = read_both(again)?;
        }
        Ok(pair)
    }

    /// The certified key of `pair`, which was in these files.
    pub fn load(&self, pair: &PemPair) -> Result<Loaded, CertificateError> {
        let Self { cert, key } = self;
        let not_pem =
            |flag, path: &PathBuf, wanted| CertificateError::NotPem { flag, path: path.into(), wanted };
        let no_certificate = || not_pem("--tls-cert", cert, "certificate");
        let (chain, certified) = pki::certify(&pair.cert, &pair.key).map_err(|error| match error {
            PairError::Certificate => no_certificate(),
            PairError::Key => not_pem("--tls-key", key, "private key (PKCS#8, PKCS#1 or SEC1, unencrypted)"),
            PairError::Mismatch(reason) => {
                CertificateError::Unusable { cert: cert.into(), key: key.into(), reason }
            }
        })?;
        let leaf = chain.into_iter().next().ok_or_else(no_certificate)?;
        Ok(Loaded { key: Arc::new(certified), leaf })
    }
}

/// A usable certificate.
#[derive(Debug)]
pub struct Loaded {
    /// For rustls.
    pub key: Arc<CertifiedKey>,
    /// The certificate of the server.
    pub leaf: Certificate,
}

/// How close a certificate is to its expiry.
#[derive(Clone, Copy, PartialEq)]
pub enum Standing {
    /// More than a week is left.
    Good,
    ExpiresSoon,
    Expired,
}

impl Loaded {
    /// When it expires, in RFC 3339.
    pub fn until(&self) -> String {
        pki::format_rfc3339(self.leaf.not_after)
    }

    /// Whether it is valid now; if not, why, to be put after "the serving ".
    pub fn valid(&self) -> Result<(), String> {
        match pki::now() {
            now if self.leaf.is_valid(now) => Ok(()),
            now if now < self.leaf.not_before => {
                Err("certificate is not valid yet: is the clock of this node right?".to_owned())
            }
            _ => Err(format!("certificate expired at {}: renew it", self.until())),
        }
    }

    /// How close it is to its expiry.
    pub fn standing(&self) -> Standing {
        match self.leaf.not_after - pki::now() {
            ..=0 => Standing::Expired,
            1..=EXPIRES_SOON_SECONDS => Standing::ExpiresSoon,
            _ => Standing::Good,
        }
    }
}

/// The content of a file that may be anything, also one without end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(content)
}

/// The result of `work`, done on a thread of its own: the file may be a pipe without a writer, or its file system hang.
pub fn within<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(timeout).map_err(|_| timed_out(timeout))
}

/// The error of a file that could not be read within `timeout`.
pub fn timed_out(timeout: Duration) -> io::Error {
    let seconds = timeout.as_secs_f64();
    let message = format!("not read within {seconds} s; is it a pipe, or does its file system hang?");
    io::Error::new(io::ErrorKind::TimedOut, message)
}
