//! The router of the webhook: two endpoints, and rejections for everything else.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::routing::{MethodRouter, any, post};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::error;

use super::Handler;
use super::rejection::Rejection;
use crate::admission::Endpoint;
use crate::server::metrics::Metrics;
use crate::text;

/// The longest panic message that is logged, in bytes: it may repeat text of the request.
const MAX_PANIC_BYTES: usize = 512;

pub fn router(handler: Arc<Handler>) -> Router {
    Router::new()
        .route("/mutate", endpoint(&handler, Endpoint::Mutate))
        .route("/validate", endpoint(&handler, Endpoint::Validate))
        .method_not_allowed_fallback(reject_with(Rejection::wrong_method))
        .fallback(reject_with(Rejection::unknown_path))
        .with_state(handler)
}

pub fn rejecting(handler: Arc<Handler>, rejection: fn() -> Rejection) -> Router {
    Router::new().fallback(reject_with(rejection)).with_state(handler)
}

fn endpoint(handler: &Arc<Handler>, endpoint: Endpoint) -> MethodRouter<Arc<Handler>> {
    let handle =
        move |State(handler): State<Arc<Handler>>, request: Request| handler.handle(endpoint, request);
    let metrics = Arc::clone(&handler.metrics);
    let on_panic = move |panic: Box<dyn Any + Send>| panicked(&metrics, endpoint, &*panic);
    post(handle).layer(CatchPanicLayer::custom(on_panic))
}

fn reject_with(rejection: fn() -> Rejection) -> MethodRouter<Arc<Handler>> {
    any(async move |State(handler): State<Arc<Handler>>, request: Request| {
        let (head, body) = request.into_parts();
        handler.reject(None, rejection(), &head, body).await
    })
}

fn panicked(metrics: &Metrics, endpoint: Endpoint, panic: &(dyn Any + Send)) -> Response<Body> {
    let message = panic.downcast_ref::<&str>().copied();
    let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
    let message = text::shortened(message, MAX_PANIC_BYTES);
    error!(endpoint = endpoint.as_str(), panic = message, "a review panicked; this is a bug");
    let rejection = Rejection::panicked();
    metrics.rejected(Some(endpoint), rejection.reason);
    rejection.into_response()
}
