//! Which request goes where: two endpoints on the TLS port, three on the admin port.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::{MethodRouter, get, post};
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};
use tracing::error;

use super::certificates::Certificates;
use super::lifecycle::Lifecycle;
use super::metrics::Metrics;
use super::rejection::Rejection;
use super::review::App;
use crate::admission::Endpoint;
use crate::text;

/// The OpenMetrics text format.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is logged of a panic, in bytes: it may repeat what was sent.
const MAX_PANIC_BYTES: usize = 512;

/// The webhook.
pub fn webhook(app: Arc<App>) -> Router {
    Router::new()
        .route("/mutate", endpoint(&app, Endpoint::Mutate))
        .route("/validate", endpoint(&app, Endpoint::Validate))
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_path)
        .with_state(app)
}

/// The same for requests that all get this refusal.
pub fn refusing(app: Arc<App>, rejection: fn() -> Rejection) -> Router {
    let refuse =
        move |State(app): State<Arc<App>>, request| async move { reject(&app, rejection(), request).await };
    Router::new().fallback(refuse).with_state(app)
}

/// The admin port for requests without a usable `Host`.
pub fn without_host() -> Router {
    Router::new().fallback(async || Rejection::wrong_host().into_response())
}

fn endpoint(app: &Arc<App>, endpoint: Endpoint) -> MethodRouter<Arc<App>> {
    let handler = move |State(app): State<Arc<App>>, request: Request| app.review(endpoint, request);
    let panicked = Panicked { metrics: Arc::clone(&app.metrics), endpoint };
    post(handler).layer(CatchPanicLayer::custom(panicked))
}

async fn wrong_method(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    reject(&app, Rejection::wrong_method(), request).await
}

async fn unknown_path(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    reject(&app, Rejection::unknown_path(), request).await
}

async fn reject(app: &App, rejection: Rejection, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    app.reject(None, rejection, &head, body).await
}

/// Answers for a review that panicked.
#[derive(Clone)]
struct Panicked {
    metrics: Arc<Metrics>,
    endpoint: Endpoint,
}

impl ResponseForPanic for Panicked {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send>) -> Response<Body> {
        let said = panic.downcast_ref::<&str>().copied();
        let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
        let said = text::shortened(said, MAX_PANIC_BYTES);
        error!(endpoint = self.endpoint.as_str(), panic = said, "a review panicked; this is a bug");
        let rejection = Rejection::panicked();
        self.metrics.rejected(Some(self.endpoint), rejection.reason);
        rejection.into_response()
    }
}

/// What the admin port knows.
#[derive(Clone, Debug)]
pub struct Admin {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is served with.
    pub certificates: Arc<Certificates>,
    /// Whether the webhook leaves.
    pub life: Lifecycle,
}

/// Probes and metrics. They are served from the moment both ports are bound.
pub fn admin(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let leaving = admin.life.leaving.is_cancelled();
    let ready = if leaving { Err("shutting down".to_owned()) } else { admin.certificates.valid() };
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
