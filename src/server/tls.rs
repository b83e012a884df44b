//! TLS: the configuration, the serving certificate and the client CA, each read again when its files change.

mod certificates;
mod client_auth;
mod handshake;
mod pem_files;
mod reload;
pub mod self_signed;

use std::path::PathBuf;

use clap::ValueEnum;
use thiserror::Error;

pub use self::certificates::Certificates;
pub use self::client_auth::{Client, ClientAuth, ClientStatus};
pub use self::handshake::handshake;
pub use self::pem_files::CertificateError;

/// The minimum TLS version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TlsVersion {
    /// TLS 1.2, for clusters whose TLS profile requires it.
    #[value(name = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[default]
    #[value(name = "1.3")]
    V1_3,
}

/// Everything about TLS except the serving certificate.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// The minimum version.
    pub min_version: TlsVersion,
    /// PEM certificates of the CAs whose clients are served; without it, every client is.
    pub client_ca: Option<PathBuf>,
    /// The certificate of a client needs one of these names; if there are none, any name will do.
    pub client_names: Vec<String>,
}

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The client CA file cannot be used.
    #[error("cannot use --client-ca {}: {reason}; it has to hold CA certificates in PEM", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// rustls rejects the configuration.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}
