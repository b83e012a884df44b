//! A server at work: its two ports, the look at certificates and client CAs, and the orderly end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tracing::info;

use super::Server;
use super::accept::{self, Counted};
use super::connection;
use super::lifecycle::Lifecycle;
use super::limits::Limits;
use super::review::App;
use super::routes::{self, Admin};
use super::trust::Trust;

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
    let administering = administer(server.admin_listener, admin, &app.limits);
    let following = certificates.follow(app.limits.certificate_poll, &metrics);
    let trusting = server.trust.follow(app.limits.certificate_poll, &metrics);
    let webhook = Webhook::new(Arc::clone(&server.trust), Arc::clone(&app), life.clone());
    let serving = async {
        let tasks = TaskTracker::new();
        let accepting = webhook.accept(server.listener, &tasks);
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
    allowed: Router,
    forbidden: Router,
    app: Arc<App>,
    life: Lifecycle,
}

impl Webhook {
    fn new(trust: Arc<Trust>, app: Arc<App>, life: Lifecycle) -> Self {
        let allowed = routes::webhook(Arc::clone(&app));
        let forbidden = routes::forbidden(Arc::clone(&app));
        Self { trust, allowed, forbidden, app, life }
    }

    async fn accept(&self, listener: TcpListener, tasks: &TaskTracker) {
        let serve = |stream| self.clone().serve(stream);
        accept::accept(listener, self.app.limits.connections, tasks, &self.life, serve).await;
    }

    async fn serve(self, stream: TcpStream) {
        let App { limits, metrics, .. } = &*self.app;
        let _counted = Counted::new(&metrics.connections);
        // A handshake that is under way when the server closes has no request to finish.
        let (acceptor, admission) = self.trust.acceptor();
        let handshake = accept::handshake(&acceptor, stream, limits, metrics);
        let Some(Some(stream)) = self.life.closing.run_until_cancelled(handshake).await else {
            return;
        };
        let caller = admission.caller(stream.get_ref().1.peer_certificates());
        let router = || if caller.is_allowed() { self.allowed.clone() } else { self.forbidden.clone() };
        connection::serve(stream, router, limits, &self.life).await;
    }
}

/// The admin port, until this is dropped: the probes have to see the whole end.
async fn administer(listener: TcpListener, admin: Admin, limits: &Limits) {
    let (tasks, life, router) = (TaskTracker::new(), Lifecycle::default(), routes::admin(admin));
    let _connections_close_with_this = life.closing.clone().drop_guard();
    let serve = |stream| {
        let (router, limits, life) = (router.clone(), limits.clone(), life.clone());
        async move { connection::serve(stream, || router.clone(), &limits, &life).await }
    };
    accept::accept(listener, limits.admin_connections, &tasks, &life, serve).await;
}

/// Waits for `shutdown`, says so to everybody who asks, and closes after `delay`: by then the endpoints
/// of the Service have changed and nobody connects here any more.
async fn leave(shutdown: impl Future<Output = ()>, delay: Duration, life: &Lifecycle) {
    shutdown.await;
    info!(delay_seconds = delay.as_secs_f64(), "leaving: not ready any more, still serving");
    life.leaving.cancel();
    tokio::time::sleep(delay).await;
    life.closing.cancel();
}
