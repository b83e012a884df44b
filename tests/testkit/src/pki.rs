//! Certificates for the tests of the server, new in each test.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ippool_webhook::server::Certificates;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A certificate authority, or an intermediate below one.
pub struct Ca {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
#[derive(Clone)]
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Ca {
    pub fn root() -> Self {
        let (params, key) = (Self::params("root"), KeyPair::generate().unwrap());
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub fn intermediate(&self) -> Self {
        let (params, key) = (Self::params("intermediate"), KeyPair::generate().unwrap());
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// A certificate for localhost whose common name is `name`.
    pub fn pair(&self, name: &str) -> Pair {
        self.pair_with(name, |_| ())
    }

    pub fn expired_pair(&self) -> Pair {
        let ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        self.pair_with("expired", |params| {
            params.not_before = ago(2).into();
            params.not_after = ago(1).into();
        })
    }

    pub fn pair_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        self.issue(name, &KeyPair::generate().unwrap(), change)
    }

    /// A certificate for localhost with this key.
    pub fn pair_of(&self, key: &KeyPair) -> Pair {
        self.issue("leaf", key, |_| ())
    }

    fn issue(&self, name: &str, key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let cert = params.signed_by(key, &self.issuer).unwrap().pem();
        Pair { cert, key: key.serialize_pem() }
    }
}

impl Pair {
    pub fn certificates(&self) -> Arc<Certificates> {
        Arc::new(Certificates::from_pem(&self.cert, &self.key).unwrap())
    }
}
