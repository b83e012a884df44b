//! What the Secret holds: the pair that is served, and the authorities behind it.
//!
//! | key | is |
//! |---|---|
//! | `tls.crt`, `tls.key` | the serving certificate and its key; the webhook's pods mount these two |
//! | `ca.crt` | the authorities that are to be trusted: first the one that signs, then older ones until they expire |
//! | `ca.key` | the key of the one that signs |
//! | `next-ca.crt`, `next-ca.key` | an authority that is being introduced: trusted already, not signing yet |

use std::collections::BTreeMap;

use super::authority::{Authority, Issued, chain_of};
use super::certificate::{Bundle, Certificate, Seconds, pem_of};

/// The entries of a Secret.
pub type Data = BTreeMap<String, Vec<u8>>;
/// Entries to write; nothing takes one out.
pub type Change = BTreeMap<&'static str, Option<String>>;

const TLS_CRT: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";
const CA_CRT: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const NEXT_CA_CRT: &str = "next-ca.crt";
const NEXT_CA_KEY: &str = "next-ca.key";

/// Whether something is in `data` and nothing of it says that this program put it there.
pub fn is_foreign(data: &Data) -> bool {
    !data.is_empty() && !data.contains_key(CA_KEY) && !data.contains_key(NEXT_CA_KEY)
}

/// What a Secret holds, as far as it can be read and fits together.
#[derive(Debug)]
pub struct Keyring {
    /// The authority that signs.
    pub signing: Option<Authority>,
    /// The one that is to sign after it.
    pub next: Option<Authority>,
    /// Those that signed before, or whose key is gone.
    pub older: Vec<Certificate>,
    /// The chain that is served, its own certificate first; or what is wrong with the pair.
    pub serving: Result<Vec<Certificate>, String>,
}

impl Keyring {
    /// Reads the entries of a Secret.
    pub fn read(data: &Data) -> Self {
        let entry = |key: &str| data.get(key).map_or(&[][..], Vec::as_slice);
        let authority = |certificates: &[Certificate], key: &str| Authority::of_key(certificates, entry(key));
        let mut older = Bundle::read(entry(CA_CRT)).certificates;
        let signing = authority(&older, CA_KEY);
        older.retain(|it| signing.as_ref().is_none_or(|signing| signing.certificate != *it));
        let next = authority(&Bundle::read(entry(NEXT_CA_CRT)).certificates, NEXT_CA_KEY);
        let serving = match (data.get(TLS_CRT), data.get(TLS_KEY)) {
            (None, None) => Err("there is no certificate yet".to_owned()),
            (Some(_), None) => Err("tls.key is missing beside tls.crt".to_owned()),
            (None, Some(_)) => Err("tls.crt is missing beside tls.key".to_owned()),
            (Some(certificate), Some(key)) => chain_of(certificate, key),
        };
        Self { signing, next, older, serving }
    }

    /// The authorities of this keyring that are to be trusted at `now`, the one that signs first.
    pub fn trusted(&self, now: Seconds) -> Vec<Certificate> {
        let keyed = self.signing.iter().chain(&self.next).map(|it| &it.certificate);
        keyed.chain(&self.older).filter(|it| now < it.not_after()).cloned().collect()
    }

    /// The certificate that is served, without the chain below the root.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.serving.as_ref().ok().and_then(|chain| chain.first())
    }
}

/// Puts `next` beside the authority that signs.
pub fn introduce(next: &Authority) -> Change {
    let (certificate, key) = (next.certificate.pem(), next.key_pem());
    Change::from([(NEXT_CA_CRT, Some(certificate)), (NEXT_CA_KEY, Some(key))])
}

/// Serves what was issued by `signing`, which signs from now on; `older` ones stay trusted.
pub fn serve(issued: Issued, signing: &Authority, older: &[Certificate]) -> Change {
    Change::from([
        (TLS_CRT, Some(issued.certificate)),
        (TLS_KEY, Some(issued.key)),
        (CA_CRT, Some(pem_of([&signing.certificate].into_iter().chain(older)))),
        (CA_KEY, Some(signing.key_pem())),
        (NEXT_CA_CRT, None),
        (NEXT_CA_KEY, None),
    ])
}

/// Trusts `signing` and `older` ones alone.
pub fn forget(signing: &Certificate, older: &[Certificate]) -> Change {
    Change::from([(CA_CRT, Some(pem_of([signing].into_iter().chain(older))))])
}
