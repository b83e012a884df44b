//! TLS: what is offered, and who may call.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use thiserror::Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::certificates::Certificates;

/// The only protocol served. The apiserver offers only this to webhooks, so that its calls spread over the
/// replicas, and HTTP/2 would bring windows, streams and resets that each need a bound.
const ALPN: &[u8] = b"http/1.1";

/// The oldest TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2, for clusters whose TLS profile asks for it.
    V1_2,
    /// 1.3.
    #[default]
    V1_3,
}

/// Everything about TLS but the certificate.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// The oldest version.
    pub min_version: TlsVersion,
    /// PEM certificates of the CAs whose clients are answered; without it, everybody is.
    pub client_ca: Option<PathBuf>,
    /// The names of which a client's certificate must have one; none: any name will do.
    pub client_names: Vec<String>,
}

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The CA file holds nothing to trust.
    #[error("cannot use --client-ca {}: {reason}; it has to hold CA certificates in PEM", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// rustls says no.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// What rustls serves with: `certificates`, and clients that `verifier` lets in, where there is one.
///
/// # Errors
///
/// When rustls does not accept the combination.
pub fn server_config(
    certificates: Arc<Certificates>,
    min_version: TlsVersion,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_protocol_versions(versions(min_version))?;
    let mut config = match verifier {
        None => builder.with_no_client_auth().with_cert_resolver(certificates),
        Some(verifier) => {
            without_resumption(builder.with_client_cert_verifier(verifier).with_cert_resolver(certificates))
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

static FROM_1_2: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
static FROM_1_3: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

fn versions(min: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match min {
        TlsVersion::V1_2 => &FROM_1_2,
        TlsVersion::V1_3 => &FROM_1_3,
    }
}

/// A resumed session would skip the check of the client's certificate.
fn without_resumption(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config
}

/// Lets in clients of the CAs in `pem`, the content of `--client-ca`.
///
/// # Errors
///
/// When it holds no CA certificate, or something that is none.
pub fn client_verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map(|it| it as Arc<dyn ClientCertVerifier>).map_err(|error| match error {
        VerifierBuilderError::NoRootAnchors => "it holds no certificate".to_owned(),
        other => other.to_string(),
    })
}

/// Who a client certificate says it is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The common name of its subject, or an alternative name where there is none.
    pub name: String,
    /// When the certificate expires, in seconds since 1970.
    pub not_after: u64,
}

/// The identity in the certificate a caller showed.
pub fn identity(shown: &[CertificateDer<'_>]) -> Option<Identity> {
    let (_, leaf) = X509Certificate::from_der(shown.first()?).ok()?;
    let name = common_names(&leaf).chain(alternative_names(&leaf)).next().unwrap_or_default().to_owned();
    let not_after = u64::try_from(leaf.validity().not_after.timestamp()).unwrap_or_default();
    Some(Identity { name, not_after })
}

/// Whether the certificate a caller showed has one of `names`: as a DNS name, a URI or an e-mail address
/// of its subject alternative names, or as the common name of its subject, which is where Kubernetes puts
/// a user.
pub fn has_allowed_name(shown: Option<&[CertificateDer<'_>]>, names: &[String]) -> bool {
    if names.is_empty() {
        return true;
    }
    let Some(leaf) = shown.and_then(|chain| chain.first()) else { return false };
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return false };
    alternative_names(&leaf).chain(common_names(&leaf)).any(|name| names.iter().any(|n| n == name))
}

fn alternative_names<'a>(leaf: &'a X509Certificate<'_>) -> impl Iterator<Item = &'a str> {
    let extension = leaf.subject_alternative_name().ok().flatten();
    extension.into_iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) | GeneralName::RFC822Name(name) => Some(*name),
        _ => None,
    })
}

fn common_names<'a>(leaf: &'a X509Certificate<'_>) -> impl Iterator<Item = &'a str> {
    leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok())
}
