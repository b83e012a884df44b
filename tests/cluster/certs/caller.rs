//! A caller that trusts what a `caBundle` says, as the apiserver does.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};

use super::NAME;
use crate::http::{block_on, connect_to};

/// The serving certificate (DER) at `address`, if a caller accepts it that trusts `bundle` (PEM) alone; or why
/// it does not.
pub fn handshake(address: SocketAddr, bundle: &str) -> Result<Vec<u8>, String> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(bundle))
        .with_no_client_auth();
    let stream = block_on(connect_to(NAME, address, config)).map_err(|error| error.to_string())?;
    let (_, connection) = stream.get_ref();
    Ok(connection.peer_certificates().unwrap()[0].to_vec())
}

/// Whether that caller would accept this certificate (PEM) from a pod that serves it; or why not.
pub fn accepts(bundle: &str, certificate: &str) -> Result<(), String> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(bundle), provider()).build().unwrap();
    let (leaf, name) = (first(certificate), ServerName::try_from(NAME).unwrap());
    let verified = verifier.verify_server_cert(&leaf.into(), &[], &name, &[], UnixTime::now());
    verified.map(|_| ()).map_err(|error| error.to_string())
}

fn roots(bundle: &str) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    Arc::new(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The first certificate of a PEM text, DER.
pub fn first(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}
