//! An authority, and the certificates for a Service that it issues.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedKey, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::PrivateKeyDer;

use super::certificate::Certificate;
use super::pair::is_pair;
use super::{DAY_SECONDS, UnixTime, date_time, format_rfc3339};

/// Lifetime of an authority; it signs for two thirds of it.
const AUTHORITY_SECONDS: i64 = 730 * DAY_SECONDS;
/// Lifetime of a serving certificate.
const LEAF_SECONDS: i64 = 90 * DAY_SECONDS;
/// How long before its creation a certificate becomes valid, because clocks differ.
pub const BACKDATED_SECONDS: i64 = 3600;

/// An authority that can sign.
#[derive(Debug)]
pub struct Authority {
    /// The certificate that clients trust.
    pub certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    /// Creates an authority with a new ECDSA P-256 key.
    pub fn new(now: UnixTime) -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Unique, so that people and chain builders tell it from the previous one.
        params
            .distinguished_name
            .push(DnType::CommonName, format!("ippool-webhook CA {}", format_rfc3339(now)));
        set_validity(&mut params, now, now + AUTHORITY_SECONDS);
        let certificate = params.self_signed(&key)?.der().clone();
        let certificate = Certificate::from_der(certificate)
            .ok_or_else(|| anyhow::anyhow!("a certificate just made cannot be read"))?;
        Ok(Self { certificate, key })
    }

    /// The authority among `certificates` whose private key is `key` (PEM, PKCS#8).
    pub fn of_key(certificates: &[Certificate], key: &[u8]) -> Option<Self> {
        let key = KeyPair::from_pem(std::str::from_utf8(key).ok()?).ok()?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).ok()?;
        let certificate = certificates.iter().find(|it| is_pair(it, &private))?.clone();
        Some(Self { certificate, key })
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Issues a certificate for these DNS names and IP addresses; it does not outlive this authority. It needs no chain,
    /// since this is a root.
    pub fn issue(&self, names: &[String], now: UnixTime) -> anyhow::Result<CertifiedKey<KeyPair>> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name.push(DnType::CommonName, "ippool-webhook");
        set_validity(&mut params, now, (now + LEAF_SECONDS).min(self.certificate.not_after));
        let issuer = Issuer::from_ca_cert_der(&self.certificate.der, &self.key)?;
        Ok(CertifiedKey { cert: params.signed_by(&key, &issuer)?, signing_key: key })
    }
}

fn set_validity(params: &mut CertificateParams, now: UnixTime, until: UnixTime) {
    params.not_before = date_time(now - BACKDATED_SECONDS);
    params.not_after = date_time(until);
}
