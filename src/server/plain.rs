//! Plain HTTP for another subcommand, with the bounds of the admin port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

use super::admin::serve_router;
use super::conn::ConnectionTable;
use super::limits::Limits;
use super::metrics::Metrics;
use super::shutdown::Shutdown;
use super::{BindError, listen};

/// A server that is bound to its port and does not serve yet.
#[derive(Debug)]
pub struct PlainServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl PlainServer {
    /// Binds the address that `--listen` names.
    pub async fn bind(address: &str) -> Result<Self, BindError> {
        let (listener, address) = listen("--listen", address).await?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `signal` completes, then finishes the requests in progress.
    pub async fn run(self, router: Router, signal: impl Future<Output = ()>) {
        let (limits, shutdown) = (Limits::default(), Shutdown::default());
        // Nobody reads these: the metrics of the other subcommand are its own.
        let metrics = Arc::new(Metrics::default());
        let connections = ConnectionTable::new("admin", limits.admin_connections, Duration::ZERO, &metrics);
        tokio::join!(
            serve_router(self.listener, router, &limits, &connections, &connections, &shutdown),
            shutdown.follow(signal, Duration::ZERO),
        );
    }
}
