//! What is issued: an authority, and certificates for the Service below it.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use super::certificate::{Bundle, Certificate, Seconds, rfc_3339};

const DAY: Seconds = 24 * 3600;
/// An authority lives two years; it signs for two thirds of them.
const AUTHORITY_LIFE: Seconds = 730 * DAY;
/// A serving certificate lives 90 days.
const LEAF_LIFE: Seconds = 90 * DAY;
/// Certificates are valid from a little before they are made: clocks differ.
pub const BACKDATED: Seconds = 3600;

/// An authority that can sign: its certificate and the private key of it.
#[derive(Debug)]
pub struct Authority {
    /// What is trusted.
    pub certificate: Certificate,
    key: KeyPair,
}

/// A serving certificate with its private key, both PEM.
pub struct Issued {
    /// The certificate alone: the authority above it is a root.
    pub certificate: String,
    /// PKCS#8.
    pub key: String,
}

impl Authority {
    /// A new one, ECDSA P-256.
    ///
    /// # Errors
    ///
    /// When no key can be made.
    pub fn new(now: Seconds) -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // A name of its own, so that people and chain builders tell it from the one before.
        params.distinguished_name.push(DnType::CommonName, format!("ippool-webhook CA {}", rfc_3339(now)));
        live(&mut params, now, now + AUTHORITY_LIFE);
        let certificate = params.self_signed(&key)?.der().clone();
        let certificate = Certificate::from_der(certificate)
            .ok_or_else(|| anyhow::anyhow!("a certificate just made cannot be read"))?;
        Ok(Self { certificate, key })
    }

    /// The authority of which `key` (PEM, PKCS#8) is the key, among `certificates`.
    pub fn of_key(certificates: &[Certificate], key: &[u8]) -> Option<Self> {
        let key = KeyPair::from_pem(std::str::from_utf8(key).ok()?).ok()?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).ok()?;
        let belongs = |it: &&Certificate| pairs(vec![it.der().clone()], private.clone_key()).is_ok();
        let certificate = certificates.iter().find(belongs)?.clone();
        Some(Self { certificate, key })
    }

    /// The key, PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A certificate for `names`, the first of which the apiserver calls; it does not outlive this authority.
    ///
    /// # Errors
    ///
    /// When a name is not one, or no key can be made.
    pub fn issue(&self, names: &[String], now: Seconds) -> anyhow::Result<Issued> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name.push(DnType::CommonName, "ippool-webhook");
        live(&mut params, now, (now + LEAF_LIFE).min(self.certificate.not_after()));
        let issuer = Issuer::from_ca_cert_der(self.certificate.der(), &self.key)?;
        let certificate = params.signed_by(&key, &issuer)?.pem();
        Ok(Issued { certificate, key: key.serialize_pem() })
    }
}

fn live(params: &mut CertificateParams, now: Seconds, until: Seconds) {
    let moment = |at| OffsetDateTime::from_unix_timestamp(at).unwrap_or_else(|_| date_time_ymd(9999, 12, 31));
    params.not_before = moment(now - BACKDATED);
    params.not_after = moment(until);
}

/// Reads the serving pair: the chain, or what is wrong with it.
pub fn chain_of(certificate: &[u8], key: &[u8]) -> Result<Vec<Certificate>, String> {
    let chain = Bundle::read(certificate);
    if chain.certificates.is_empty() || chain.unreadable > 0 {
        return Err("tls.crt cannot be read: it should hold certificates in PEM".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| "tls.key cannot be read: it should hold a private key in PEM".to_owned())?;
    let der = chain.certificates.iter().map(|it| it.der().clone()).collect();
    pairs(der, key).map_err(|_| "tls.key is not the key of the certificate in tls.crt".to_owned())?;
    Ok(chain.certificates)
}

fn pairs(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), rustls::Error> {
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()).map(|_| ())
}
