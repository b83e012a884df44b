//! The TLS handshake of one connection.

use std::io;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, info};

use crate::server::limits::Limits;
use crate::server::metrics::Metrics;

pub async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    limits: &Limits,
    metrics: &Metrics,
) -> Option<TlsStream<TcpStream>> {
    // A response is one small write, which Nagle's algorithm would only delay.
    let _ = stream.set_nodelay(true);
    match tokio::time::timeout(limits.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => failed(&error, metrics),
        Err(_) => {
            metrics.handshake_failed("timeout");
            debug!("a TLS handshake timed out");
        }
    }
    None
}

/// TCP probes are logged at debug, certificate failures in either direction at info.
fn failed(error: &io::Error, metrics: &Metrics) {
    if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) {
        metrics.handshake_failed("closed");
        debug!(%error, "a client disconnected during the TLS handshake");
        return;
    }
    metrics.handshake_failed("rejected");
    if is_client_rejected(error) {
        info!(%error, "a client without a usable certificate of --client-ca was rejected; if it is the apiserver, \
                       does its AdmissionConfiguration name a client certificate for this webhook?");
    } else {
        info!(%error, "a TLS handshake failed; if the client is the apiserver, does its caBundle hold our CA?");
    }
}

/// Whether the server rejected the certificate of the client, and not the other way round.
fn is_client_rejected(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)))
}
