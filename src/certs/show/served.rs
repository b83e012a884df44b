//! The certificate chain that a server presents.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::pki::Certificate;

/// For connecting and the handshake together.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The chain that the server at `address` (host:port) presents for `name`, unverified.
/// The error is the end of a sentence.
pub async fn chain_at(address: &str, name: &str) -> Result<Vec<Certificate>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let recorder = Arc::new(Recorder { algorithms, presented: Mutex::default() });
    let handshake = async {
        let server = ServerName::try_from(name.to_owned());
        let server = server.with_context(|| format!("{name:?} is not a DNS name"))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&recorder) as _)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(server, stream).await?;
        anyhow::Ok(())
    };
    let result = tokio::time::timeout(TIMEOUT, handshake).await;
    let presented = recorder.presented.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // The chain counts even if the handshake failed: a server may require a client certificate.
    if presented.is_empty() {
        return Err(match result {
            Ok(Ok(())) => "it presents no certificate".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not respond within {} s", TIMEOUT.as_secs()),
        });
    }
    let chain: Option<Vec<_>> = presented.into_iter().map(Certificate::from_der).collect();
    chain.ok_or_else(|| "it presents a certificate that cannot be read".to_owned())
}

/// Records the chain without verifying it; the server still has to prove that it has the key.
#[derive(Debug)]
struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    presented: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = [leaf].into_iter().chain(intermediates).map(|it| it.clone().into_owned());
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = chain.collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
