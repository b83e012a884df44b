//! The HTTP endpoints: metrics, the report, and probes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{mpsc, oneshot};

use super::metrics::Snapshot;
use crate::server::METRICS_TYPE;

/// A request for the report as HTML.
pub type PageRequest = oneshot::Sender<Vec<u8>>;

/// The result of the last evaluation.
#[derive(Debug)]
pub struct State {
    /// An error says why there is no result yet.
    pub snapshot: ArcSwap<Result<Snapshot, String>>,
    pages: mpsc::Sender<PageRequest>,
}

/// The page contains its own content security policy. No other site may embed it, and no cache may store it.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

impl State {
    pub fn new(pages: mpsc::Sender<PageRequest>) -> Self {
        let snapshot = ArcSwap::from_pointee(Err("nothing is listed yet".to_owned()));
        Self { snapshot, pages }
    }

    async fn page(&self) -> Result<Vec<u8>, String> {
        self.ready()?;
        let (answer, page) = oneshot::channel();
        self.pages
            .try_send(answer)
            .map_err(|_| "too many requests for the report at once; try again".to_owned())?;
        page.await.map_err(|_| "shutting down".to_owned())
    }

    fn ready(&self) -> Result<(), String> {
        self.snapshot.load().as_ref().as_ref().map(|_| ()).map_err(Clone::clone)
    }
}

type Shared = extract::State<Arc<State>>;

pub fn router(state: Arc<State>) -> Router {
    Router::new()
        .route(
            "/",
            get(async |extract::State(state): Shared| {
                or_unavailable(state.page().await.map(|page| (HEADERS, page)))
            }),
        )
        .route("/metrics", get(metrics))
        .route(
            "/readyz",
            get(async |extract::State(state): Shared| or_unavailable(state.ready().map(|()| "ok\n"))),
        )
        .route("/livez", get(async || "ok\n"))
        .with_state(state)
}

async fn metrics(extract::State(state): Shared) -> Response {
    let text =
        state.snapshot.load().as_ref().as_ref().map_or_else(|_| Snapshot::default().text(), Snapshot::text);
    ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}

fn or_unavailable(result: Result<impl IntoResponse, String>) -> Response {
    match result {
        Ok(response) => response.into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}
