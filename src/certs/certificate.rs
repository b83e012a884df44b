//! A certificate as far as trust goes: who it is, until when, and what its bytes are.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A moment in seconds since 1970, as certificates count.
pub type Seconds = i64;

const BEGIN: &str = "-----BEGIN ";
const CERTIFICATE: &str = "CERTIFICATE";
/// Bytes of the fingerprint that are shown: enough to tell a handful of certificates apart.
const SHOWN_FINGERPRINT_BYTES: usize = 8;

/// A certificate that could be read. Two are the same when their bytes are.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    subject: String,
    not_before: Seconds,
    not_after: Seconds,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Certificate {
    /// Reads a certificate; nothing when the bytes are none.
    pub fn from_der(der: CertificateDer<'static>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let subject = parsed.subject().to_string();
        let (not_before, not_after) =
            (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        Some(Self { der, subject, not_before, not_after })
    }

    /// Its bytes.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Its subject, such as `CN=ippool-webhook CA`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// From when it is valid.
    pub fn not_before(&self) -> Seconds {
        self.not_before
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> Seconds {
        self.not_after
    }

    /// Whether `now` is within its life.
    pub fn is_valid(&self, now: Seconds) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// When two thirds of its life are over.
    pub fn renewal(&self) -> Seconds {
        self.not_before + (self.not_after - self.not_before) / 3 * 2
    }

    /// Its SHA-256 fingerprint as `openssl x509 -fingerprint -sha256` prints it.
    pub fn fingerprint(&self) -> String {
        hexadecimal(ring::digest::digest(&ring::digest::SHA256, &self.der).as_ref())
    }

    /// The beginning of the fingerprint.
    fn short_fingerprint(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.der);
        hexadecimal(digest.as_ref().get(..SHOWN_FINGERPRINT_BYTES).unwrap_or_default())
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new(CERTIFICATE, self.der.as_ref()), config)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, until {})", self.subject, self.short_fingerprint(), day(self.not_after))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// Certificates in PEM, as a Secret or a `caBundle` holds them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// What could be read, in order.
    pub certificates: Vec<Certificate>,
    /// Blocks that could not.
    pub unreadable: usize,
}

impl Bundle {
    /// Reads every block by itself, as Go does: a damaged one does not hide those beside it.
    pub fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut bundle = Self::default();
        for block in text.split(BEGIN).skip(1) {
            match read_block(&format!("{BEGIN}{block}")) {
                Some(certificate) => bundle.certificates.push(certificate),
                None => bundle.unreadable += 1,
            }
        }
        bundle
    }

    /// Whether both hold the same certificates, in whatever order, and each can be read.
    pub fn trusts_the_same(&self, other: &[Certificate]) -> bool {
        let all = |some: &[Certificate], of: &[Certificate]| some.iter().all(|it| of.contains(it));
        self.unreadable == 0 && all(&self.certificates, other) && all(other, &self.certificates)
    }
}

fn read_block(block: &str) -> Option<Certificate> {
    let block = pem::parse(block).ok()?;
    (block.tag() == CERTIFICATE).then_some(())?;
    Certificate::from_der(CertificateDer::from(block.into_contents()))
}

/// Certificates in PEM, one after the other.
pub fn pem_of<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates.into_iter().map(Certificate::pem).collect()
}

/// The current time.
pub fn now() -> Seconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Seconds::try_from(since.as_secs()).unwrap_or(Seconds::MAX)
}

/// A moment for people: `2026-11-22 08:30 UTC`.
pub fn minute(at: Seconds) -> String {
    let utc = time::OffsetDateTime::from_unix_timestamp(at);
    utc.map_or_else(|_| day(at), |it| format!("{} {:02}:{:02} UTC", it.date(), it.hour(), it.minute()))
}

/// Its day, in UTC: `2026-11-22`.
pub fn day(at: Seconds) -> String {
    let utc = time::OffsetDateTime::from_unix_timestamp(at);
    utc.map_or_else(|_| "a day out of range".to_owned(), |it| it.date().to_string())
}

/// The moment as RFC 3339 writes it, in UTC.
pub fn rfc_3339(at: Seconds) -> String {
    let utc = time::OffsetDateTime::from_unix_timestamp(at);
    utc.map_or_else(
        |_| day(at),
        |it| format!("{}T{:02}:{:02}:{:02}Z", it.date(), it.hour(), it.minute(), it.second()),
    )
}
