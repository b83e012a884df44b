//! Connections: how they are accepted, what each one is doing, and which one is closed for a new one.

mod activity;
mod http;
mod table;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tracing::debug;

pub use self::activity::Activity;
pub use self::http::{GuardedBytes, has_one_host, serve};
pub use self::table::ConnectionTable;

use crate::server::shutdown::Shutdown;

/// The pause after the system refused a connection, for want of file descriptors.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The log message of that.
const NO_FILES: &str =
    "no connection can be accepted, is the limit of open files reached? the longest idle ones are closed";

/// Accepts the connections of `listener`, at most as many at once as `connections` allows, and has `serve` serve each
/// in a task. When the server is closed, it closes the listener and waits for the tasks, each of which bounds what it
/// still has to do. Without a file descriptor for a new connection, one of `evictable` is closed, but never the one that
/// was just accepted.
pub async fn accept<F, Served>(
    listener: TcpListener,
    connections: &Arc<ConnectionTable>,
    evictable: &ConnectionTable,
    shutdown: &Shutdown,
    serve: F,
) where
    F: Fn(TcpStream, Activity) -> Served,
    Served: Future<Output = ()> + Send + 'static,
{
    let tasks = TaskTracker::new();
    while let Some(accepted) = shutdown.closed.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _peer)) = accepted.inspect_err(|error| make_room(error, evictable)) else {
            tokio::time::sleep(BACK_OFF).await;
            continue;
        };
        let Some(guard) = shutdown.closed.run_until_cancelled(connections.open()).await else { break };
        let serving = serve(stream, guard.activity.clone());
        tasks.spawn(async move {
            serving.await;
            drop(guard);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// Ignores a peer that aborted. Any other error means that file descriptors ran out, and closing a connection frees one.
fn make_room(error: &io::Error, evictable: &ConnectionTable) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        debug!(%error, "no connection can be accepted");
        evictable.evict(NO_FILES);
    }
}
