//! Client authentication: the TLS configuration in use, and whether a connected client is still allowed.
//!
//! `--client-ca` may change while connections are kept. A connection made before the change is not closed, since the
//! apiserver does not repeat a POST that ends in EOF. Its client is verified again at the next request, and a client
//! that the new CA did not sign is rejected there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::certificates::Certificates;
use super::pem_files;
use super::reload::Reloader;
use super::{TlsError, TlsOptions, TlsVersion};
use crate::server::limits::Limits;
use crate::server::metrics::Metrics;

/// The only protocol served. The apiserver offers only this to webhooks, so that its requests spread over the
/// replicas, and HTTP/2 would bring windows, streams and resets that each need a bound.
const ALPN: &[u8] = b"http/1.1";

/// Which clients may connect.
pub struct ClientAuth {
    pub certificates: Arc<Certificates>,
    min_version: TlsVersion,
    names: Vec<String>,
    /// The file of `--client-ca`, and its content when the server started.
    ca: Option<(PathBuf, Vec<u8>)>,
    current: ArcSwap<TlsSnapshot>,
}

/// The TLS configuration for one content of the client CA file.
pub struct TlsSnapshot {
    pub acceptor: TlsAcceptor,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientAuth {
    /// Serves with `certificates`, as `options` say.
    pub fn new(certificates: Arc<Certificates>, options: TlsOptions) -> Result<Self, TlsError> {
        let TlsOptions { min_version, client_ca, client_names: names } = options;
        let read = |file: PathBuf| match read_ca(&file) {
            Ok((pem, verifier)) => Ok(((file, pem), verifier)),
            Err(reason) => Err(TlsError::ClientCa { path: file, reason }),
        };
        let (ca, verifier) = client_ca.map(read).transpose()?.unzip();
        let current =
            ArcSwap::from_pointee(TlsSnapshot::new(Arc::clone(&certificates), min_version, verifier)?);
        Ok(Self { certificates, min_version, names, ca, current })
    }

    /// What the client of the next connection is verified against.
    pub fn snapshot(&self) -> Arc<TlsSnapshot> {
        self.current.load_full()
    }

    /// Verifies clients by a new CA when the file holds one; never returns.
    pub async fn follow(&self, limits: &Limits, metrics: &Metrics) {
        let Some((file, first)) = self.ca.clone() else { return std::future::pending().await };
        let paths = vec![file.clone()];
        let read = move || pem_files::read(&file).map_err(|error| error.to_string());
        let mut changes = Reloader::new("--client-ca", paths, Ok(first), limits, read);
        loop {
            if let Some(found) = changes.next(|| metrics.client_ca_reloaded(false)).await {
                self.replace(found, metrics);
            }
        }
    }

    fn replace(&self, found: Result<Vec<u8>, String>, metrics: &Metrics) {
        let next = found.and_then(|pem| verifier(&pem)).and_then(|verifier| {
            TlsSnapshot::new(Arc::clone(&self.certificates), self.min_version, Some(verifier))
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

impl TlsSnapshot {
    /// Serves with `certificates`; `verifier` verifies the clients, where there is one.
    fn new(
        certificates: Arc<Certificates>,
        min_version: TlsVersion,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = if min_version == TlsVersion::V1_2 { rustls::ALL_VERSIONS } else { &[&TLS13] };
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
        let mut config = match verifier.clone() {
            None => builder.with_no_client_auth().with_cert_resolver(certificates),
            Some(verifier) => {
                let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(certificates);
                // A resumed session would skip the verification of the client certificate.
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
                config.max_early_data_size = 0;
                config
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { acceptor: Arc::new(config).into(), verifier })
    }

    fn accepts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some(verifier) = &self.verifier else { return true };
        let Some((leaf, intermediates)) = chain.split_first() else { return false };
        verifier.verify_client_cert(leaf, intermediates, UnixTime::now()).is_ok()
    }
}

/// The client of a connection.
pub struct Client {
    auth: Arc<ClientAuth>,
    chain: Vec<CertificateDer<'static>>,
    /// Of its certificate; `None` where none is required.
    identity: Option<Identity>,
    /// The snapshot that verified the chain last, and its result.
    verified: Mutex<(Arc<TlsSnapshot>, bool)>,
}

struct Identity {
    /// The common name of the subject, or an alternative name if there is no common name.
    name: String,
    is_allowed: bool,
    /// When the certificate expires, in seconds since 1970.
    not_after: u64,
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
    /// The client that presented `chain` in a handshake with `snapshot`.
    pub fn new(
        auth: Arc<ClientAuth>,
        snapshot: Arc<TlsSnapshot>,
        chain: Option<&[CertificateDer<'_>]>,
    ) -> Self {
        let chain = chain.unwrap_or_default();
        let identity = auth.ca.as_ref().and_then(|_| Identity::of(chain.first()?, &auth.names));
        let chain = chain.iter().map(|it| it.clone().into_owned()).collect();
        Self { auth, chain, identity, verified: Mutex::new((snapshot, true)) }
    }

    /// Whether its requests are served now.
    pub fn status(&self) -> ClientStatus {
        let identity = self.identity.as_ref();
        if identity.is_some_and(|it| it.not_after < UnixTime::now().as_secs()) {
            ClientStatus::Expired
        } else if identity.map_or(self.auth.names.is_empty(), |it| it.is_allowed) && self.is_verified() {
            ClientStatus::Allowed
        } else {
            ClientStatus::Forbidden
        }
    }

    /// The name in its certificate, where one is required and the name is allowed.
    pub fn name(&self) -> Option<&str> {
        self.identity.as_ref().filter(|it| it.is_allowed).map(|it| it.name.as_str())
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

impl Identity {
    /// The identity in `leaf`. It is allowed if one of `allowed` is a DNS name, a URI or an e-mail address of its subject
    /// alternative names, or the common name of its subject, which is where Kubernetes puts a user; or if `allowed` is
    /// empty.
    fn of(leaf: &CertificateDer<'_>, allowed: &[String]) -> Option<Self> {
        let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
        let common = leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        let extension = leaf.subject_alternative_name().ok().flatten();
        let general = extension.iter().flat_map(|extension| &extension.value.general_names);
        let alternative = general.filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) | GeneralName::RFC822Name(name) => {
                Some(*name)
            }
            _ => None,
        });
        let names: Vec<_> = common.chain(alternative).collect();
        let is_allowed = allowed.is_empty() || allowed.iter().any(|name| names.contains(&name.as_str()));
        let not_after = u64::try_from(leaf.validity().not_after.timestamp()).unwrap_or_default();
        Some(Self { name: (*names.first().unwrap_or(&"")).to_owned(), is_allowed, not_after })
    }
}

/// The content of `file`, and the verifier of its clients.
fn read_ca(file: &Path) -> Result<(Vec<u8>, Arc<dyn ClientCertVerifier>), String> {
    let path = file.to_owned();
    let content = pem_files::within(Limits::default().file, move || pem_files::read(&path)).flatten();
    let content = content.map_err(|error| error.to_string())?;
    let verifier = verifier(&content)?;
    Ok((content, verifier))
}

/// Accepts clients whose certificates the CAs in `pem` signed.
fn verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map(|it| it as Arc<dyn ClientCertVerifier>).map_err(|error| match error {
        VerifierBuilderError::NoRootAnchors => "it holds no certificate".to_owned(),
        other => other.to_string(),
    })
}
