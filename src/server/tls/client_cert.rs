//! Client certificates: their verification, and the names in them.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Accepts clients whose certificates the CAs in `pem` signed.
pub fn verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
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

/// The identity in a client certificate.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The common name of the subject, or an alternative name if there is no common name.
    pub name: String,
    /// When the certificate expires, in seconds since 1970.
    pub not_after: u64,
}

/// The identity in the first certificate of `chain`.
pub fn identity(chain: &[CertificateDer<'_>]) -> Option<Identity> {
    let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
    let name = common_names(&leaf).chain(alternative_names(&leaf)).next().unwrap_or_default().to_owned();
    let not_after = u64::try_from(leaf.validity().not_after.timestamp()).unwrap_or_default();
    Some(Identity { name, not_after })
}

/// Whether the first certificate of `chain` has one of `names`: as a DNS name, a URI or an e-mail address of its
/// subject alternative names, or as the common name of its subject, which is where Kubernetes puts a user.
pub fn has_allowed_name(chain: Option<&[CertificateDer<'_>]>, names: &[String]) -> bool {
    if names.is_empty() {
        return true;
    }
    let Some(leaf) = chain.and_then(|chain| chain.first()) else { return false };
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
