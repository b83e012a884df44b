//! Taking connections: a bounded number, and never in a hot loop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::activity::Activity;
use super::connections::Connections;
use super::lifecycle::Lifecycle;
use super::limits::Limits;
use super::metrics::Metrics;

/// After the system would not give a connection (file handles run out), before asking again.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What the log says then.
const NO_FILES: &str =
    "no connection can be accepted, is the limit of open files reached? those idle longest are closed";

/// Takes the connections of `listener`, as many at once as `connections` says, and has each served in a task of
/// `tasks`, until the server closes; then the listener is gone, too. Where no file is left for a connection, one of
/// `spare` is closed: never the one that was just accepted.
pub async fn accept<F, Served>(
    listener: TcpListener,
    connections: &Arc<Connections>,
    spare: &Connections,
    tasks: &TaskTracker,
    life: &Lifecycle,
    serve: F,
) where
    F: Fn(TcpStream, Activity) -> Served,
    Served: Future<Output = ()> + Send + 'static,
{
    while let Some(accepted) = life.closing.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _peer)) = accepted.inspect_err(|error| refused(error, spare)) else {
            tokio::time::sleep(BACK_OFF).await;
            continue;
        };
        if life.closing.run_until_cancelled(connections.vacancy()).await.is_none() {
            return;
        }
        let entry = connections.open();
        let serving = serve(stream, entry.activity.clone());
        tasks.spawn(async move {
            serving.await;
            drop(entry);
        });
    }
}

/// A peer that gave up while it waited is its own affair; else there are no file handles, and one connection less
/// frees one.
fn refused(error: &io::Error, spare: &Connections) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        debug!(%error, "no connection can be accepted");
        spare.evict(NO_FILES);
    }
}

/// The TLS handshake on `stream`, within its bound.
pub async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    limits: &Limits,
    metrics: &Metrics,
) -> Option<TlsStream<TcpStream>> {
    // An answer is one small write; waiting to fill a packet only delays it.
    let _ = stream.set_nodelay(true);
    match tokio::time::timeout(limits.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            handshake_failed(&error, metrics);
            None
        }
        Err(_) => {
            metrics.handshake_failed("timeout");
            debug!("a TLS handshake took too long");
            None
        }
    }
}

/// Probes that only knock are no news; a caller that refuses our certificate is, and so is one whose own is
/// refused.
fn handshake_failed(error: &io::Error, metrics: &Metrics) {
    if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) {
        metrics.handshake_failed("closed");
        debug!(%error, "a caller left during the TLS handshake");
        return;
    }
    metrics.handshake_failed("rejected");
    if refused_client(error) {
        info!(%error, "a caller without a usable certificate of --client-ca was turned away; if it is the \
                       apiserver, does its AdmissionConfiguration name a client certificate for this webhook?");
    } else {
        info!(%error, "a TLS handshake failed; if the caller is the apiserver, does its caBundle hold our CA?");
    }
}

/// Whether it was the server that did not like the caller's certificate, not the other way round.
fn refused_client(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)))
}
