//! The admin port: probes and metrics over plain HTTP.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::routing::get;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};

use crate::server::conn::{self, Activity, ConnectionTable};
use crate::server::handler::Rejection;
use crate::server::limits::Limits;
use crate::server::metrics::Metrics;
use crate::server::shutdown::Shutdown;
use crate::server::tls::Certificates;

pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug)]
pub struct Admin {
    pub metrics: Arc<Metrics>,
    /// Readiness depends on the certificate in use.
    pub certificates: Arc<Certificates>,
    /// Readiness ends when the webhook drains.
    pub shutdown: Shutdown,
}

/// Serves the admin port until this is dropped, since probes have to see the whole shutdown. Without a file descriptor
/// for a new connection, one of `webhook` is closed.
pub async fn serve(listener: TcpListener, admin: Admin, limits: &Limits, webhook: &ConnectionTable) {
    let shutdown = Shutdown::default();
    let connections = ConnectionTable::new("admin", limits.admin_connections, Duration::ZERO, &admin.metrics);
    let _close_connections = shutdown.closed.clone().drop_guard();
    serve_router(listener, router(admin), limits, &connections, webhook, &shutdown).await;
}

/// Serves plain HTTP until `shutdown` closes it. Without a file descriptor for a new connection, one of `evictable` is closed.
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    connections: &Arc<ConnectionTable>,
    evictable: &ConnectionTable,
    shutdown: &Shutdown,
) {
    let without_host = Router::new().fallback(async || Rejection::wrong_host().into_response());
    let serve = |stream: TcpStream, activity: Activity| {
        let (router, without_host) = (router.clone(), without_host.clone());
        let (limits, shutdown) = (limits.clone(), shutdown.clone());
        activity.established(false);
        let route = move |request: &mut Request<Incoming>| {
            if conn::has_one_host(request) { router.clone() } else { without_host.clone() }
        };
        async move { conn::serve(stream, &activity, route, &limits, &shutdown).await }
    };
    conn::accept(listener, connections, evictable, shutdown, serve).await;
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let is_draining = admin.shutdown.draining.is_cancelled();
    let ready = if is_draining { Err("shutting down".to_owned()) } else { admin.certificates.valid() };
    match ready {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response<Body> {
    let mut response = Response::new(admin.metrics.text().into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
    response
}
