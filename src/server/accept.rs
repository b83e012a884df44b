//! Taking connections: as many as there is room for, and never in a hot loop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::lifecycle::Lifecycle;
use super::limits::Limits;
use super::metrics::Metrics;

/// After the system would not give a connection (file handles run out), before asking again.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Takes the connections of `listener`, `most` at once, and has each served in a task of `tasks`, until
/// the server closes; then the listener is gone, too. Those past `most` wait in the system's queue.
pub async fn accept<F, Served>(
    listener: TcpListener,
    most: usize,
    tasks: &TaskTracker,
    life: &Lifecycle,
    serve: F,
) where
    F: Fn(TcpStream) -> Served,
    Served: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(most));
    while let Some(Ok(place)) = life.closing.run_until_cancelled(Arc::clone(&room).acquire_owned()).await {
        match life.closing.run_until_cancelled(listener.accept()).await {
            None => return,
            Some(Err(error)) => back_off(&error).await,
            Some(Ok((stream, _peer))) => {
                let serving = serve(stream);
                tasks.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
        }
    }
}

/// A peer that gave up while it waited is its own affair; anything else will not go away by hurrying.
async fn back_off(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        warn!(%error, "no connection can be accepted; is the limit of open files reached?");
        tokio::time::sleep(BACK_OFF).await;
    }
}

/// Counts a connection for as long as it lives.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Counted {
    /// Counts one more in `gauge`.
    pub fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
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
