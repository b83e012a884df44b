//! Client authentication: the TLS configuration in use, and whether a connected client is still allowed.
//!
//! `--client-ca` may change while connections are kept. A connection made before the change is not closed, since the
//! apiserver does not repeat a POST that ends in EOF. Its client is verified again at the next request, and a client
//! that the new CA did not sign is rejected there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use super::certificates::Certificates;
use super::client_cert::{self, Identity};
use super::config::{self, TlsError, TlsOptions, TlsVersion};
use super::files;
use super::follow::Follow;
use crate::server::limits::{FILE, Limits};
use crate::server::metrics::Metrics;

/// Which clients may connect.
pub struct ClientAuth {
    certificates: Arc<Certificates>,
    min_version: TlsVersion,
    names: Vec<String>,
    ca: Option<ClientCa>,
    current: ArcSwap<TlsSnapshot>,
}

/// The file of `--client-ca`, and its content when the server started.
struct ClientCa {
    file: PathBuf,
    first: Vec<u8>,
}

/// The TLS configuration for one content of the client CA file.
struct TlsSnapshot {
    config: Arc<ServerConfig>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientAuth {
    /// Serves with `certificates`, as `options` say.
    pub fn new(certificates: Arc<Certificates>, options: TlsOptions) -> Result<Self, TlsError> {
        let TlsOptions { min_version, client_ca, client_names: names } = options;
        let ca = client_ca.map(ClientCa::read).transpose()?;
        let verifier = ca.as_ref().map(ClientCa::first_verifier).transpose()?;
        let current = ArcSwap::from_pointee(TlsSnapshot::new(&certificates, min_version, verifier)?);
        Ok(Self { certificates, min_version, names, ca, current })
    }

    /// The acceptor for the next connection, and the snapshot that its client is verified against.
    pub fn acceptor(self: &Arc<Self>) -> (TlsAcceptor, PendingClient) {
        let snapshot = self.current.load_full();
        let acceptor = TlsAcceptor::from(Arc::clone(&snapshot.config));
        (acceptor, PendingClient { auth: Arc::clone(self), snapshot })
    }

    /// Verifies clients by a new CA when the file holds one; never returns.
    pub async fn follow(&self, limits: &Limits, metrics: &Metrics) {
        let Some(ClientCa { file, first }) = &self.ca else { return std::future::pending().await };
        let mut changes = {
            let (files, file) = (vec![file.clone()], file.clone());
            let read = move || files::read(&file).map_err(|error| error.to_string());
            Follow::new("--client-ca", files, Ok(first.clone()), limits, read)
        };
        loop {
            if let Some(found) = changes.next(|| metrics.client_ca_reloaded(false)).await {
                self.replace(found, metrics);
            }
        }
    }

    fn replace(&self, found: Result<Vec<u8>, String>, metrics: &Metrics) {
        let verifier = found.and_then(|pem| client_cert::verifier(&pem));
        let next = verifier.and_then(|verifier| {
            TlsSnapshot::new(&self.certificates, self.min_version, Some(verifier))
                .map_err(|error| error.to_string())
        });
        metrics.client_ca_reloaded(next.is_ok());
        match next {
            Ok(next) => {
                info!("clients are verified by a new CA");
                self.current.store(Arc::new(next));
            }
            Err(error) => {
                error!(error, "the changed --client-ca cannot be used; the last good one stays in use");
            }
        }
    }
}

impl ClientCa {
    fn read(file: PathBuf) -> Result<Self, TlsError> {
        let path = file.clone();
        match files::within(FILE, move || files::read(&path)) {
            Ok(first) => Ok(Self { file, first }),
            Err(error) => Err(unusable(&file, error.to_string())),
        }
    }

    fn first_verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        client_cert::verifier(&self.first).map_err(|reason| unusable(&self.file, reason))
    }
}

fn unusable(file: &Path, reason: String) -> TlsError {
    TlsError::ClientCa { path: file.into(), reason }
}

impl TlsSnapshot {
    fn new(
        certificates: &Arc<Certificates>,
        min_version: TlsVersion,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Self, TlsError> {
        let config = config::server_config(Arc::clone(certificates), min_version, verifier.clone())?;
        Ok(Self { config: Arc::new(config), verifier })
    }

    fn accepts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some(verifier) = &self.verifier else { return true };
        let Some((leaf, intermediates)) = chain.split_first() else { return false };
        verifier.verify_client_cert(leaf, intermediates, UnixTime::now()).is_ok()
    }
}

/// The client of a connection that is in its TLS handshake.
pub struct PendingClient {
    auth: Arc<ClientAuth>,
    snapshot: Arc<TlsSnapshot>,
}

impl PendingClient {
    /// The client that presented `chain` in the handshake, where this snapshot verified it.
    pub fn client(self, chain: Option<&[CertificateDer<'_>]>) -> Client {
        let Self { auth, snapshot } = self;
        let has_allowed_name = client_cert::has_allowed_name(chain, &auth.names);
        let identity = auth.ca.as_ref().and(chain).and_then(client_cert::identity);
        let owned = |it: &CertificateDer<'_>| it.clone().into_owned();
        let chain = chain.unwrap_or_default().iter().map(owned).collect();
        Client { auth, chain, has_allowed_name, identity, verified: Mutex::new((snapshot, true)) }
    }
}

pub struct Client {
    auth: Arc<ClientAuth>,
    chain: Vec<CertificateDer<'static>>,
    has_allowed_name: bool,
    /// Of its certificate; `None` where none is required.
    identity: Option<Identity>,
    /// The snapshot that verified the chain last, and its result.
    verified: Mutex<(Arc<TlsSnapshot>, bool)>,
}

/// Whether the requests of a client are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientStatus {
    Allowed,
    /// The client has none of the allowed names, or the current CA did not sign its certificate.
    Forbidden,
    Expired,
}

impl Client {
    /// Whether its requests are served now.
    pub fn status(&self) -> ClientStatus {
        let is_expired = |identity: &Identity| identity.not_after < UnixTime::now().as_secs();
        if self.identity.as_ref().is_some_and(is_expired) {
            ClientStatus::Expired
        } else if self.has_allowed_name && (self.auth.ca.is_none() || self.is_verified()) {
            ClientStatus::Allowed
        } else {
            ClientStatus::Forbidden
        }
    }

    /// The name in its certificate, where one is required and the name is allowed.
    pub fn name(&self) -> Option<&str> {
        self.identity.as_ref().filter(|_| self.has_allowed_name).map(|identity| identity.name.as_str())
    }

    fn is_verified(&self) -> bool {
        let current = self.auth.current.load_full();
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&verified.0, &current) {
            let is_accepted = current.accepts(&self.chain);
            *verified = (current, is_accepted);
        }
        verified.1
    }
}
