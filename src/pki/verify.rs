//! Whether the apiserver would accept a certificate, as it decides on every call.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{self, ServerName};

use super::UnixTime;
use super::certificate::Certificate;

/// Verifies `chain` (the server's certificate first) for `name` at `now`, as a client does that trusts `roots`. Expired
/// roots are not trusted, as in Go.
/// The error is the end of a sentence.
pub fn verify(roots: &[Certificate], chain: &[Certificate], name: &str, now: UnixTime) -> Result<(), String> {
    let (leaf, intermediates) = chain.split_first().ok_or("there is no certificate")?;
    let server = ServerName::try_from(name).map_err(|_| format!("{name:?} is not a DNS name"))?;
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().filter(|it| it.is_valid(now)).map(|it| it.der.clone()));
    if store.is_empty() {
        return Err("no valid CA is trusted".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
        .build()
        .map_err(|error| error.to_string())?;
    let intermediates: Vec<_> = intermediates.iter().map(|it| it.der.clone()).collect();
    let now = pki_types::UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
    verifier
        .verify_server_cert(&leaf.der, &intermediates, &server, &[], now)
        .map(|_| ())
        .map_err(|error| reason(&error))
}

/// The common reasons in the words that operators use.
fn reason(error: &rustls::Error) -> String {
    use rustls::CertificateError as E;
    let rustls::Error::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        // A CA with the same subject and another key gives a bad signature.
        E::UnknownIssuer | E::BadSignature => "no trusted CA has signed it".to_owned(),
        E::Expired | E::ExpiredContext { .. } => "it has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "it is for other names".to_owned(),
        other => other.to_string(),
    }
}
