//! TLS: the configuration, the serving certificate and the client CA, each read again when its files change.

mod certificates;
mod client_auth;
mod client_cert;
mod config;
mod files;
mod follow;
mod handshake;
mod pair;
pub mod self_signed;
mod watch;

pub use certificates::Certificates;
pub use client_auth::{Client, ClientAuth, ClientStatus};
pub use config::{TlsError, TlsOptions, TlsVersion};
pub use handshake::handshake;
pub use pair::CertificateError;
