//! A server at work: its two ports, the look at certificates and client CAs, and the orderly end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tracing::info;

use super::Server;
use super::accept;
use super::account::Peer;
use super::activity::Activity;
use super::connection;
use super::connections::Connections;
use super::lifecycle::Lifecycle;
use super::limits::Limits;
use super::rejection::Rejection;
use super::review::App;
use super::routes::{self, Admin};
use super::trust::{Caller, Standing, Trust};

/// Serves until `shutdown` ends, and then to the orderly end.
pub async fn run(server: Server, shutdown: impl Future<Output = ()>) {
    let life = Lifecycle::default();
    let app = Arc::new(server.app);
    let metrics = Arc::clone(&app.metrics);
    let certificates = Arc::clone(&server.certificates);
    info!(address = %server.address, admin = %server.admin_address, "serving");
    certificates.report(&metrics);

    let admin =
        Admin { metrics: Arc::clone(&metrics), certificates: Arc::clone(&certificates), life: life.clone() };
    let recent = app.limits.recent;
    let connections = Connections::new("webhook", app.limits.connections, recent, &metrics);
    let administering = administer(server.admin_listener, admin, &app.limits, &connections);
    let following = certificates.follow(&app.limits, &metrics);
    let trusting = server.trust.follow(&app.limits, &metrics);
    let webhook = Webhook::new(Arc::clone(&server.trust), Arc::clone(&app), life.clone());
    let serving = async {
        let tasks = TaskTracker::new();
        let accepting = webhook.accept(server.listener, &connections, &tasks);
        tokio::join!(accepting, leave(shutdown, server.shutdown_delay, &life));
        // Each connection bounds what it still has to do.
        tasks.close();
        tasks.wait().await;
    };
    // Probes and certificate files are looked after for as long as anything is served.
    tokio::select! {
        () = serving => {}
        () = administering => {}
        () = following => {}
        () = trusting => {}
    }
}

/// The TLS port.
#[derive(Clone)]
struct Webhook {
    trust: Arc<Trust>,
    routes: Arc<Routes>,
    app: Arc<App>,
    life: Lifecycle,
}

/// What answers, by who asks and how.
struct Routes {
    allowed: Router,
    forbidden: Router,
    expired: Router,
    without_host: Router,
}

impl Routes {
    fn of(&self, request: &Request<Incoming>, caller: &Caller) -> Router {
        let router = match caller.standing() {
            _ if !connection::has_one_host(request) => &self.without_host,
            Standing::Allowed => &self.allowed,
            Standing::Forbidden => &self.forbidden,
            Standing::Expired => &self.expired,
        };
        router.clone()
    }
}

impl Webhook {
    fn new(trust: Arc<Trust>, app: Arc<App>, life: Lifecycle) -> Self {
        let refusing = |rejection| routes::refusing(Arc::clone(&app), rejection);
        let routes = Routes {
            allowed: routes::webhook(Arc::clone(&app)),
            forbidden: refusing(Rejection::wrong_client),
            expired: refusing(Rejection::client_expired),
            without_host: refusing(Rejection::wrong_host),
        };
        Self { trust, routes: Arc::new(routes), app, life }
    }

    async fn accept(&self, listener: TcpListener, connections: &Arc<Connections>, tasks: &TaskTracker) {
        let serve = |stream, activity| self.clone().serve(stream, activity);
        accept::accept(listener, connections, connections, tasks, &self.life, serve).await;
    }

    async fn serve(self, stream: TcpStream, activity: Activity) {
        let App { limits, metrics, account, .. } = &*self.app;
        // A handshake that is under way when the server closes has no request to finish.
        let (acceptor, admission) = self.trust.acceptor();
        let handshake = accept::handshake(&acceptor, stream, limits, metrics);
        let stream = tokio::select! {
            stream = handshake => stream,
            () = self.life.closing.cancelled() => None,
            () = activity.evicted() => None,
        };
        let Some(stream) = stream else { return };
        let caller = admission.caller(stream.get_ref().1.peer_certificates());
        activity.established(caller.name().is_some());
        let peer = Peer { activity, caller: account.caller(caller.name()) };
        let router = |request: &Request<Incoming>| self.routes.of(request, &caller);
        connection::serve(stream, peer, router, limits, &self.life).await;
    }
}

/// The admin port, until this is dropped: the probes have to see the whole end. Where no file is left for one, a
/// connection of the webhook is closed.
async fn administer(listener: TcpListener, admin: Admin, limits: &Limits, webhook: &Connections) {
    let (tasks, life) = (TaskTracker::new(), Lifecycle::default());
    let connections = Connections::new("admin", limits.admin_connections, Duration::ZERO, &admin.metrics);
    let (router, without_host) = (routes::admin(admin), routes::without_host());
    let _connections_close_with_this = life.closing.clone().drop_guard();
    let serve = |stream: TcpStream, activity: Activity| {
        let (router, without_host, limits, life) =
            (router.clone(), without_host.clone(), limits.clone(), life.clone());
        activity.established(false);
        let peer = Peer { activity, caller: Arc::default() };
        let route = move |request: &Request<Incoming>| match connection::has_one_host(request) {
            true => router.clone(),
            false => without_host.clone(),
        };
        async move { connection::serve(stream, peer, route, &limits, &life).await }
    };
    accept::accept(listener, &connections, webhook, &tasks, &life, serve).await;
}

/// Waits for `shutdown`, says so to everybody who asks, and closes after `delay`: by then the endpoints
/// of the Service have changed and nobody connects here any more.
async fn leave(shutdown: impl Future<Output = ()>, delay: Duration, life: &Lifecycle) {
    shutdown.await;
    life.leaving.cancel();
    info!(delay_seconds = delay.as_secs_f64(), "leaving: not ready any more, still serving");
    tokio::time::sleep(delay).await;
    life.closing.cancel();
}
