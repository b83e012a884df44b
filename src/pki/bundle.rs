//! Certificates in PEM, as files, Secrets and a `caBundle` hold them.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error, PemObject};

use super::certificate::Certificate;

const BEGIN: &str = "-----BEGIN ";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// The certificates that can be read, in order.
    pub certificates: Vec<Certificate>,
    damaged: usize,
    /// Blocks of another kind, such as a key.
    others: usize,
}

impl Bundle {
    /// Reads every block by itself, as Go does: a damaged one does not hide the next.
    pub fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut bundle = Self::default();
        for block in text.split(BEGIN).skip(1) {
            match CertificateDer::from_pem_slice(format!("{BEGIN}{block}").as_bytes()) {
                Ok(der) => match Certificate::from_der(der) {
                    Some(certificate) => bundle.certificates.push(certificate),
                    None => bundle.damaged += 1,
                },
                Err(Error::NoItemsFound) => bundle.others += 1,
                Err(_) => bundle.damaged += 1,
            }
        }
        bundle
    }

    /// The certificates to serve with: at least one, and none damaged. Blocks of another kind do not matter, since a
    /// file may hold the key as well.
    pub fn into_chain(self) -> Option<Vec<Certificate>> {
        (self.damaged == 0 && !self.certificates.is_empty()).then_some(self.certificates)
    }

    /// Whether it holds anything but certificates that can be read.
    pub fn has_unreadable(&self) -> bool {
        self.damaged + self.others > 0
    }

    /// Whether it holds exactly these certificates, in any order.
    pub fn trusts_the_same(&self, other: &[Certificate]) -> bool {
        let all = |some: &[Certificate], of: &[Certificate]| some.iter().all(|it| of.contains(it));
        !self.has_unreadable() && all(&self.certificates, other) && all(other, &self.certificates)
    }
}

/// The certificates in PEM, in this order.
pub fn pem_of<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates.into_iter().map(Certificate::pem).collect()
}
