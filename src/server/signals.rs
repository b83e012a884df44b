//! SIGTERM and SIGINT: the first asks the server to leave, the second ends it at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tokens that are cancelled by the first and by the second signal.
///
/// # Errors
///
/// When the system gives no signal handler. Has to be called within a runtime.
pub fn first_and_second() -> io::Result<(CancellationToken, CancellationToken)> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let tokens = (first.clone(), second.clone());
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("a signal: leaving; a second one ends it at once");
        first.cancel();
        either(&mut terminate, &mut interrupt).await;
        second.cancel();
    });
    Ok(tokens)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
