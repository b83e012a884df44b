//! The TLS port.

use std::sync::Arc;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use tokio::net::TcpStream;

use crate::server::conn::{self, Activity};
use crate::server::handler::{self, Handler, Peer, Rejection};
use crate::server::shutdown::Shutdown;
use crate::server::tls::{self, Client, ClientAuth, ClientStatus};

#[derive(Clone)]
pub struct Webhook {
    pub auth: Arc<ClientAuth>,
    /// Of the requests that are allowed.
    pub router: Router,
    pub handler: Arc<Handler>,
    pub shutdown: Shutdown,
}

impl Webhook {
    pub async fn serve(self, stream: TcpStream, activity: Activity) {
        let Handler { limits, metrics, memory, .. } = &*self.handler;
        let tls = self.auth.snapshot();
        // A connection in its handshake has no request to finish.
        let stream = tokio::select! {
            stream = tls::handshake(&tls.acceptor, stream, limits, metrics) => stream,
            () = self.shutdown.closed.cancelled() => None,
            () = activity.evicted() => None,
        };
        let Some(stream) = stream else { return };
        let client = Client::new(Arc::clone(&self.auth), tls, stream.get_ref().1.peer_certificates());
        activity.established(client.name().is_some());
        let peer = Peer { activity: activity.clone(), usage: memory.usage(client.name()) };
        let route = |request: &mut Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            self.route(request, &client)
        };
        conn::serve(stream, &activity, route, limits, &self.shutdown).await;
    }

    fn route(&self, request: &Request<Incoming>, client: &Client) -> Router {
        let rejection = match client.status() {
            _ if !conn::has_one_host(request) => Rejection::wrong_host,
            ClientStatus::Allowed => return self.router.clone(),
            ClientStatus::Forbidden => Rejection::wrong_client,
            ClientStatus::Expired => Rejection::client_expired,
        };
        handler::rejecting(Arc::clone(&self.handler), rejection)
    }
}
