//! The content of the Secret: the serving certificate and its authorities.
//!
//! | key | value |
//! |---|---|
//! | `tls.crt`, `tls.key` | the serving certificate and its key; the webhook's pods mount these two |
//! | `ca.crt` | the trusted authorities: first the signing one, then older ones until they expire |
//! | `ca.key` | the key of the signing authority |
//! | `next-ca.crt`, `next-ca.key` | the staged authority: already trusted, not signing yet |

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use rcgen::{CertifiedKey, KeyPair};

use crate::pki::{self, Authority, Bundle, Certificate, PairError, UnixTime, pem_of};

pub type Data = BTreeMap<String, ByteString>;
/// The entries to write; `None` removes one.
pub type SecretPatch = BTreeMap<&'static str, Option<String>>;

const TLS_CRT: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";
const CA_CRT: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const NEXT_CA_CRT: &str = "next-ca.crt";
const NEXT_CA_KEY: &str = "next-ca.key";

/// Whether `data` was written by another program: it has entries, but no key of an authority.
pub fn is_foreign(data: &Data) -> bool {
    !data.is_empty() && !data.contains_key(CA_KEY) && !data.contains_key(NEXT_CA_KEY)
}

/// The entries of a Secret that can be read and belong together.
#[derive(Debug)]
pub struct Keyring {
    pub signing: Option<Authority>,
    /// The staged authority, which signs next.
    pub next: Option<Authority>,
    /// Authorities that signed before, or whose key is lost.
    pub older: Vec<Certificate>,
    /// The serving chain, the leaf first; or what is wrong with it.
    pub serving: Result<Vec<Certificate>, String>,
}

impl Keyring {
    pub fn read(data: &Data) -> Self {
        let entry = |key: &str| data.get(key).map_or(&[][..], |it| &it.0);
        let authority = |certificates: &[Certificate], key: &str| Authority::of_key(certificates, entry(key));
        let mut older = Bundle::read(entry(CA_CRT)).certificates;
        let signing = authority(&older, CA_KEY);
        older.retain(|it| signing.as_ref().is_none_or(|signing| signing.certificate != *it));
        let next = authority(&Bundle::read(entry(NEXT_CA_CRT)).certificates, NEXT_CA_KEY);
        let serving = match (data.get(TLS_CRT), data.get(TLS_KEY)) {
            (None, None) => Err("there is no certificate yet".to_owned()),
            (Some(_), None) => Err("tls.key is missing beside tls.crt".to_owned()),
            (None, Some(_)) => Err("tls.crt is missing beside tls.key".to_owned()),
            (Some(certificate), Some(key)) => chain(&certificate.0, &key.0),
        };
        Self { signing, next, older, serving }
    }

    /// The authorities to trust at `now`, the signing one first.
    pub fn trusted(&self, now: UnixTime) -> Vec<Certificate> {
        let keyed = self.signing.iter().chain(&self.next).map(|it| &it.certificate);
        keyed.chain(&self.older).filter(|it| now < it.not_after).cloned().collect()
    }

    /// The serving certificate without its chain.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.serving.as_ref().ok().and_then(|chain| chain.first())
    }
}

fn chain(certificate: &[u8], key: &[u8]) -> Result<Vec<Certificate>, String> {
    let certified = pki::certify(certificate, key).map(|(chain, _)| chain);
    certified.map_err(|error| {
        match error {
            PairError::Certificate => "tls.crt cannot be read: it should hold certificates in PEM",
            PairError::Key => "tls.key cannot be read: it should hold a private key in PEM",
            PairError::Mismatch(_) => "tls.key is not the key of the certificate in tls.crt",
        }
        .to_owned()
    })
}

/// Stores `next` beside the signing authority.
pub fn stage(next: &Authority) -> SecretPatch {
    let (certificate, key) = (next.certificate.pem(), next.key_pem());
    SecretPatch::from([(NEXT_CA_CRT, Some(certificate)), (NEXT_CA_KEY, Some(key))])
}

/// Serves `issued` and makes its issuer the signing authority; the `older` ones stay trusted.
pub fn serve(issued: &CertifiedKey<KeyPair>, signing: &Authority, older: &[Certificate]) -> SecretPatch {
    SecretPatch::from([
        (TLS_CRT, Some(issued.cert.pem())),
        (TLS_KEY, Some(issued.signing_key.serialize_pem())),
        (CA_CRT, Some(pem_of([&signing.certificate].into_iter().chain(older)))),
        (CA_KEY, Some(signing.key_pem())),
        (NEXT_CA_CRT, None),
        (NEXT_CA_KEY, None),
    ])
}

/// Trusts only `signing` and the `older` ones.
pub fn prune(signing: &Certificate, older: &[Certificate]) -> SecretPatch {
    SecretPatch::from([(CA_CRT, Some(pem_of([signing].into_iter().chain(older))))])
}
