//! TLS: the configuration, the serving certificate and the client CA, each read again when its files change.

mod certificates;
mod client_auth;
mod config;
mod handshake;
mod pem_files;
mod reload;
pub mod self_signed;

pub use certificates::Certificates;
pub use client_auth::{Client, ClientAuth, ClientStatus};
pub use config::{TlsError, TlsOptions, TlsVersion};
pub use handshake::handshake;
pub use pem_files::CertificateError;
