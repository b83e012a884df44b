//! How a server ends: it drains, then it is closed.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The two steps of a shutdown. Each token is cancelled once and for good.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Readiness is off and each response closes its connection, but requests are still served.
    pub draining: CancellationToken,
    /// There are no new connections and no further requests on the open ones.
    pub closed: CancellationToken,
}

impl Shutdown {
    /// Drains when `signal` completes, and closes after `delay`: by then the endpoints of the Service have changed
    /// and nobody connects any more.
    pub async fn follow(&self, signal: impl Future<Output = ()>, delay: Duration) {
        signal.await;
        self.draining.cancel();
        info!(delay_seconds = delay.as_secs_f64(), "draining: readiness off, still serving");
        tokio::time::sleep(delay).await;
        self.closed.cancel();
    }
}

/// Tokens that the first and the second SIGTERM or SIGINT cancel. It has to be called within a runtime.
pub fn signals() -> io::Result<(CancellationToken, CancellationToken)> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let tokens = (first.clone(), second.clone());
    tokio::spawn(async move {
        let name = received(&mut terminate, &mut interrupt).await;
        info!("received {name}, draining; a second signal exits immediately");
        first.cancel();
        received(&mut terminate, &mut interrupt).await;
        second.cancel();
    });
    Ok(tokens)
}

async fn received(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
