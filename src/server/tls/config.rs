//! The TLS configuration of the webhook.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::TLS13;
use thiserror::Error;

use super::certificates::Certificates;

/// The only protocol served. The apiserver offers only this to webhooks, so that its requests spread over the
/// replicas, and HTTP/2 would bring windows, streams and resets that each need a bound.
const ALPN: &[u8] = b"http/1.1";

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

/// Serves with `certificates`; `verifier` verifies the clients, where there is one.
pub fn server_config(
    certificates: Arc<Certificates>,
    min_version: TlsVersion,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = if min_version == TlsVersion::V1_2 { rustls::ALL_VERSIONS } else { &[&TLS13] };
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let mut config = match verifier {
        None => builder.with_no_client_auth().with_cert_resolver(certificates),
        Some(verifier) => {
            let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(certificates);
            // A resumed session would skip the verification of the client certificate.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config.max_early_data_size = 0;
            config
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
