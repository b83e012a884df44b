//! A certificate as far as trust and renewal are concerned.

use std::fmt;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{UnixTime, format_date};

/// Characters of the fingerprint that are shown, for 8 bytes: enough to tell a handful of certificates apart.
const SHOWN_FINGERPRINT: usize = 8 * 3 - 1;

/// A certificate; two are equal when their bytes are.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub der: CertificateDer<'static>,
    /// Such as `CN=ippool-webhook CA`.
    pub subject: String,
    pub not_before: UnixTime,
    pub not_after: UnixTime,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Certificate {
    /// Parses a certificate; `None` where `der` is not one.
    pub fn from_der(der: CertificateDer<'static>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let subject = parsed.subject().to_string();
        let validity = parsed.validity();
        let (not_before, not_after) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        Some(Self { der, subject, not_before, not_after })
    }

    pub fn is_valid(&self, now: UnixTime) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// The instant at which two thirds of its lifetime are over.
    pub fn renewal(&self) -> UnixTime {
        self.not_before + (self.not_after - self.not_before) / 3 * 2
    }

    /// Its SHA-256 fingerprint as `openssl x509 -fingerprint -sha256` prints it.
    pub fn fingerprint(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.der);
        digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    pub fn pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("CERTIFICATE", self.der.as_ref()), config)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fingerprint, until) = (self.fingerprint(), format_date(self.not_after));
        write!(f, "{} ({fingerprint:.SHOWN_FINGERPRINT$}, until {until})", self.subject)
    }
}
