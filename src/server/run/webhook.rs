//! The TLS port.

use std::sync::Arc;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::server::conn::{self, Activity, ConnectionTable};
use crate::server::review::{self, Handler, Peer, Rejection};
use crate::server::shutdown::Shutdown;
use crate::server::tls::{self, Client, ClientAuth, ClientStatus};

#[derive(Clone)]
pub struct Webhook {
    auth: Arc<ClientAuth>,
    routers: Arc<Routers>,
    handler: Arc<Handler>,
    shutdown: Shutdown,
}

/// The routers for each kind of request and client.
struct Routers {
    allowed: Router,
    forbidden: Router,
    expired: Router,
    without_host: Router,
}

impl Routers {
    fn of(&self, request: &Request<Incoming>, client: &Client) -> Router {
        let router = match client.status() {
            _ if !conn::has_one_host(request) => &self.without_host,
            ClientStatus::Allowed => &self.allowed,
            ClientStatus::Forbidden => &self.forbidden,
            ClientStatus::Expired => &self.expired,
        };
        router.clone()
    }
}

impl Webhook {
    /// Serves clients that `auth` allows with `handler`.
    pub fn new(auth: Arc<ClientAuth>, handler: Arc<Handler>, shutdown: Shutdown) -> Self {
        let rejecting = |rejection| review::rejecting(Arc::clone(&handler), rejection);
        let routers = Routers {
            allowed: review::webhook(Arc::clone(&handler)),
            forbidden: rejecting(Rejection::wrong_client),
            expired: rejecting(Rejection::client_expired),
            without_host: rejecting(Rejection::wrong_host),
        };
        Self { auth, routers: Arc::new(routers), handler, shutdown }
    }

    /// Serves the connections of `listener` in `tasks` until the server is closed.
    pub async fn accept(
        &self,
        listener: TcpListener,
        connections: &Arc<ConnectionTable>,
        tasks: &TaskTracker,
    ) {
        let serve = |stream, activity| self.clone().serve(stream, activity);
        conn::accept(listener, connections, connections, tasks, &self.shutdown, serve).await;
    }

    async fn serve(self, stream: TcpStream, activity: Activity) {
        let Handler { limits, metrics, memory, .. } = &*self.handler;
        let (acceptor, pending) = self.auth.acceptor();
        // A connection in its handshake has no request to finish.
        let stream = tokio::select! {
            stream = tls::handshake(&acceptor, stream, limits, metrics) => stream,
            () = self.shutdown.closed.cancelled() => None,
            () = activity.evicted() => None,
        };
        let Some(stream) = stream else { return };
        let client = pending.client(stream.get_ref().1.peer_certificates());
        activity.established(client.name().is_some());
        let peer = Peer { activity: activity.clone(), usage: memory.usage(client.name()) };
        let route = |request: &mut Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            self.routers.of(request, &client)
        };
        conn::serve(stream, &activity, route, limits, &self.shutdown).await;
    }
}
