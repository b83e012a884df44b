//! Servers that require client certificates, and clients that have them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ippool_webhook::admission::respond;
use ippool_webhook::server::{Config, TlsVersion};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::client::{Caller, client, header};
use crate::pki::{Ca, Pair};
use crate::server::{ALLOWED, Running, quick};

/// The file of a client CA.
pub struct CaFile {
    file: PathBuf,
    _directory: tempfile::TempDir,
}

impl CaFile {
    /// Replaces its content in one step.
    pub fn write(&self, pem: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, pem).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

/// A server for clients of `ca` with one of `names`.
pub async fn for_clients(ca: &Ca, names: &[&str]) -> (Running, CaFile) {
    for_clients_with(ca, names, TlsVersion::V1_3).await
}

pub async fn for_clients_with(ca: &Ca, names: &[&str], min_version: TlsVersion) -> (Running, CaFile) {
    let mut config = quick();
    config.tls.min_version = min_version;
    config.tls.client_names = names.iter().map(|&name| name.to_owned()).collect();
    config.limits.certificate_poll = Duration::from_millis(20);
    for_clients_as(config, ca).await
}

/// The same with all of a configuration.
pub async fn for_clients_as(mut config: Config, ca: &Ca) -> (Running, CaFile) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clients.pem");
    std::fs::write(&file, &ca.pem).unwrap();
    config.tls.client_ca = Some(file.clone());
    (Running::start_with(config, Arc::new(respond)).await, CaFile { file, _directory: directory })
}

/// A client certificate of `ca` for `name`.
pub fn client_pair(ca: &Ca, name: &str) -> Pair {
    ca.pair_with(name, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![SanType::URI("spiffe://cluster/apiserver".try_into().unwrap())];
    })
}

/// The status that a client with `identity` gets, or `None` if the connection is closed. With TLS 1.3, the handshake of
/// the client ends before the server has seen its certificate.
pub async fn status_for(server: &Running, identity: Option<&Pair>) -> Option<u16> {
    status_with(server, client(&server.ca, identity)).await
}

pub async fn status_with(server: &Running, config: ClientConfig) -> Option<u16> {
    let mut caller = server.caller_with(config).await.ok()?;
    attempt(&mut caller).await
}

/// The status of the response to a request, or `None` if the server closes the connection instead.
pub async fn attempt<S: AsyncRead + AsyncWrite + Unpin>(caller: &mut Caller<S>) -> Option<u16> {
    let request = header("/validate", ALLOWED.len()) + ALLOWED;
    caller.0.write_all(request.as_bytes()).await.ok()?;
    caller.0.flush().await.ok()?;
    caller.try_answer().await.map(|reply| reply.status)
}
