//! A chain and the key of its first certificate.

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;

use super::bundle::Bundle;
use super::certificate::Certificate;

/// Why a chain is rejected that begins with a CA.
const LEAF_FIRST: &str =
    "the certificate of this key is in the file, but has to be the first in it, before those of CAs";

/// Why a chain and a key cannot be served with.
#[derive(Debug)]
pub enum PairError {
    /// The chain is empty or damaged.
    Certificate,
    /// There is no private key.
    Key,
    /// Both can be read, but not used together, for this reason.
    Mismatch(String),
}

/// Reads a chain, the certificate of the server first, and its key, both PEM.
pub fn certify(chain: &[u8], key: &[u8]) -> Result<(Vec<Certificate>, CertifiedKey), PairError> {
    let chain = Bundle::read(chain).into_chain().ok_or(PairError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| PairError::Key)?;
    match certified(&chain, &key) {
        Ok(certified) => Ok((chain, certified)),
        Err(error) => {
            let misplaced = chain.iter().skip(1).any(|it| is_pair(it, &key));
            Err(PairError::Mismatch(if misplaced { LEAF_FIRST.to_owned() } else { remedy(&error) }))
        }
    }
}

/// Whether `key` is the key of `certificate`.
pub(super) fn is_pair(certificate: &Certificate, key: &PrivateKeyDer<'static>) -> bool {
    certified(std::slice::from_ref(certificate), key).is_ok()
}

fn certified(chain: &[Certificate], key: &PrivateKeyDer<'static>) -> Result<CertifiedKey, rustls::Error> {
    let chain = chain.iter().map(|it| it.der.clone()).collect();
    CertifiedKey::from_der(chain, key.clone_key(), &rustls::crypto::ring::default_provider())
}

fn remedy(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            "the key is not that of the certificate; both have to come from one Secret".to_owned()
        }
        rustls::Error::General(what) => {
            format!("{what}; keys are RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519")
        }
        other => other.to_string(),
    }
}
