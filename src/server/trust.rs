//! Whom the server lets in: its TLS configuration as of now, and whether a caller still belongs to it.
//!
//! The file of `--client-ca` may change while connections are kept. A connection made under the old one is not
//! cut: the apiserver does not repeat a POST that ends in EOF. Its caller is verified anew at its next request,
//! and one who does not belong any more gets no answer but a refusal.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use super::certificates::Certificates;
use super::files;
use super::limits::{FILE, Limits};
use super::metrics::Metrics;
use super::tls::{self, Identity, TlsError, TlsOptions, TlsVersion};
use super::watch::Watch;

/// Whom the server lets in.
pub struct Trust {
    certificates: Arc<Certificates>,
    min_version: TlsVersion,
    names: Vec<String>,
    clients: Option<Clients>,
    current: ArcSwap<Generation>,
}

/// Where the CA of the clients comes from.
struct Clients {
    file: PathBuf,
    /// Its content when the server started.
    first: Vec<u8>,
}

/// Trust as of one content of the file.
struct Generation {
    config: Arc<ServerConfig>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl Trust {
    /// Serves with `certificates`, as `options` say.
    ///
    /// # Errors
    ///
    /// When the client CA cannot be used.
    pub fn new(certificates: Arc<Certificates>, options: TlsOptions) -> Result<Self, TlsError> {
        let TlsOptions { min_version, client_ca, client_names } = options;
        let clients = client_ca.map(Clients::read).transpose()?;
        let verifier = clients.as_ref().map(Clients::first_verifier).transpose()?;
        let current = generation(&certificates, min_version, verifier)?;
        let current = ArcSwap::from_pointee(current);
        Ok(Self { certificates, min_version, names: client_names, clients, current })
    }

    /// What accepts the next connection, and what its caller is to be known by.
    pub fn acceptor(self: &Arc<Self>) -> (TlsAcceptor, Admission) {
        let generation = self.current.load_full();
        let acceptor = TlsAcceptor::from(Arc::clone(&generation.config));
        (acceptor, Admission { trust: Arc::clone(self), generation })
    }

    /// Looks at the file of the client CA whenever it may have changed, at the latest every few seconds, and
    /// trusts what is new and good; never returns.
    pub async fn follow(&self, limits: &Limits, metrics: &Metrics) {
        let Some(clients) = &self.clients else { return std::future::pending().await };
        let (mut seen, mut watch) = (Ok(clients.first.clone()), None);
        // First without waiting: something may have changed before the watch began.
        loop {
            let (file, interval) = (clients.file.clone(), limits.certificate_poll);
            let look = move || {
                let watch = Watch::armed(watch, &[&file], interval);
                (watch, files::read(&file).map_err(|error| error.to_string()))
            };
            let late = || metrics.client_ca_reloaded(false);
            let Some((mut armed, found)) = files::elsewhere("--client-ca", limits.file, look, late).await
            else {
                return std::future::pending().await;
            };
            if found != seen {
                self.replace(found.clone(), metrics);
                seen = found;
            }
            armed.look().await;
            watch = Some(armed);
        }
    }

    fn replace(&self, found: Result<Vec<u8>, String>, metrics: &Metrics) {
        let verifier = found.and_then(|pem| tls::client_verifier(&pem));
        let next = verifier.and_then(|verifier| {
            generation(&self.certificates, self.min_version, Some(verifier))
                .map_err(|error| error.to_string())
        });
        metrics.client_ca_reloaded(next.is_ok());
        match next {
            Ok(next) => {
                info!("clients are verified by a new CA");
                self.current.store(Arc::new(next));
            }
            Err(error) => error!(error, "the changed --client-ca cannot be used; the last good one stays"),
        }
    }
}

impl Clients {
    fn read(file: PathBuf) -> Result<Self, TlsError> {
        match files::within(FILE, {
            let file = file.clone();
            move || files::read(&file)
        }) {
            Ok(first) => Ok(Self { file, first }),
            Err(error) => Err(unusable(&file, error.to_string())),
        }
    }

    fn first_verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        tls::client_verifier(&self.first).map_err(|reason| unusable(&self.file, reason))
    }
}

fn unusable(file: &Path, reason: String) -> TlsError {
    TlsError::ClientCa { path: file.into(), reason }
}

fn generation(
    certificates: &Arc<Certificates>,
    min_version: TlsVersion,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Generation, TlsError> {
    let config = tls::server_config(Arc::clone(certificates), min_version, verifier.clone())?;
    Ok(Generation { config: Arc::new(config), verifier })
}

/// A connection that is being accepted.
pub struct Admission {
    trust: Arc<Trust>,
    generation: Arc<Generation>,
}

impl Admission {
    /// The caller who showed `chain` in the handshake, which this generation has verified.
    pub fn caller(self, chain: Option<&[CertificateDer<'_>]>) -> Caller {
        let Self { trust, generation } = self;
        let named = tls::has_allowed_name(chain, &trust.names);
        let identity = trust.clients.as_ref().and(chain).and_then(tls::identity);
        let own = |it: &CertificateDer<'_>| it.clone().into_owned();
        let chain = chain.unwrap_or_default().iter().map(own).collect();
        Caller { trust, chain, named, identity, verified: Mutex::new((generation, true)) }
    }
}

/// Who is on a connection.
pub struct Caller {
    trust: Arc<Trust>,
    chain: Vec<CertificateDer<'static>>,
    named: bool,
    /// Of the certificate, where one is asked for.
    identity: Option<Identity>,
    /// The generation that has looked at the chain last, and what it found.
    verified: Mutex<(Arc<Generation>, bool)>,
}

/// What a caller is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// What it asks.
    Allowed,
    /// That it may not ask.
    Forbidden,
    /// That its certificate has expired.
    Expired,
}

impl Caller {
    /// What the caller is to be answered now.
    pub fn standing(&self) -> Standing {
        let expired = |identity: &Identity| identity.not_after < UnixTime::now().as_secs();
        if self.identity.as_ref().is_some_and(expired) {
            Standing::Expired
        } else if self.named && (self.trust.clients.is_none() || self.is_verified()) {
            Standing::Allowed
        } else {
            Standing::Forbidden
        }
    }

    /// The name in its certificate, where it was asked for one and may call.
    pub fn name(&self) -> Option<&str> {
        self.identity.as_ref().filter(|_| self.named).map(|identity| identity.name.as_str())
    }

    fn is_verified(&self) -> bool {
        let current = self.trust.current.load_full();
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&verified.0, &current) {
            let belongs = current.accepts(&self.chain);
            *verified = (current, belongs);
        }
        verified.1
    }
}

impl Generation {
    fn accepts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some(verifier) = &self.verifier else { return true };
        let Some((leaf, intermediates)) = chain.split_first() else { return false };
        verifier.verify_client_cert(leaf, intermediates, UnixTime::now()).is_ok()
    }
}
