//! The handler of both endpoints: from the header of a request to its response or a rejection.

mod body;
mod deadline;
mod memory;
mod rejection;
mod request_log;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

pub use self::memory::Peer;
pub use self::rejection::Rejection;
pub use self::routes::{rejecting, router};

use self::body::BodyReader;
use self::deadline::Deadline;
use self::memory::{MemoryBudget, MemoryPermit};
use self::rejection::json_response;
use crate::admission::{self, AdmissionResponse, Endpoint, Malformed};
use crate::policy::Policy;
use crate::server::conn::GuardedBytes;
use crate::server::limits::Limits;
use crate::server::metrics::Metrics;

/// What evaluates a review: [`crate::admission::respond`], or what a test replaces it with.
pub type Evaluate =
    Arc<dyn Fn(Endpoint, &[u8], &Policy) -> Result<AdmissionResponse, Malformed> + Send + Sync>;

/// What all requests share.
pub struct Handler {
    pub policy: Policy,
    pub limits: Limits,
    pub memory: Arc<MemoryBudget>,
    /// For bodies that are reviewed on threads of their own. The large ones share one permit, so that the others never
    /// wait for them, and no two of them take the most memory at once.
    processors: Arc<Semaphore>,
    large_processor: Arc<Semaphore>,
    pub metrics: Arc<Metrics>,
    pub evaluate: Evaluate,
}

impl Handler {
    pub fn new(policy: Policy, limits: Limits) -> Self {
        let metrics = Arc::new(Metrics::default());
        let memory = MemoryBudget::new(&limits, &metrics);
        let processors = Arc::new(Semaphore::new(limits.concurrent_reviews));
        let (large_processor, evaluate) = (Arc::new(Semaphore::new(1)), Arc::new(admission::respond));
        Self { policy, limits, memory, processors, large_processor, metrics, evaluate }
    }

    /// The response to `request`, which was sent to `endpoint`.
    pub async fn handle(self: Arc<Self>, endpoint: Endpoint, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let (head, mut body) = request.into_parts();
        let result = self.review(endpoint, &head, &mut body, started).await;
        let took = started.elapsed();
        self.metrics.took(endpoint, took);
        match result {
            Ok((response, permit)) => {
                self.metrics.reviewed(endpoint, &response.record);
                request_log::reviewed(endpoint, &response.record, took);
                // The response holds memory until its last byte was written.
                let body = Bytes::from_owner(GuardedBytes(response.body, permit));
                json_response(StatusCode::OK, body.into())
            }
            Err(rejection) => self.reject(Some(endpoint), rejection, &head, body).await,
        }
    }

    /// Rejects a request after reading its body: the client would lose a response that is sent before.
    pub async fn reject(
        &self,
        endpoint: Option<Endpoint>,
        mut rejection: Rejection,
        head: &Parts,
        mut body: Body,
    ) -> Response<Body> {
        // A client that was too slow is not waited for again.
        let is_late = matches!(rejection.status, StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT);
        if !is_late && !body::discard(&mut body, &head.headers, &self.limits).await {
            rejection.close = true;
        }
        if let Some(peer) = head.extensions.get::<Peer>().filter(|_| rejection.close && !body.is_end_stream())
        {
            peer.activity.linger();
        }
        self.metrics.rejected(endpoint, rejection.reason);
        request_log::rejected(&rejection, head);
        rejection.into_response()
    }

    async fn review(
        self: &Arc<Self>,
        endpoint: Endpoint,
        head: &Parts,
        body: &mut Body,
        started: Instant,
    ) -> Result<(AdmissionResponse, MemoryPermit), Rejection> {
        if !is_json(&head.headers) {
            return Err(Rejection::wrong_content_type());
        }
        let limits = &self.limits;
        let size = body::announced(body, limits)?;
        // Every request over a connection has a peer.
        let peer = head.extensions.get::<Peer>().ok_or_else(Rejection::panicked)?;
        let deadline = Deadline::of(head.uri.query(), started, limits.review);
        let reviewing = async {
            let mut permit = self.memory.permit(peer.clone(), deadline.queue_timeout(limits.queue));
            let bytes = BodyReader { peer, permit: &mut permit, limits }.read(body, size).await?;
            // All of it was read, and a rejection does not look for more.
            *body = Body::empty();
            peer.activity.begin_review();
            self.metrics.request_bytes.observe(bytes.len() as f64);
            let evaluated = self.schedule(endpoint, bytes, permit).await?;
            peer.activity.reviewed();
            Ok(evaluated)
        };
        deadline.run(reviewing).await
    }

    /// Evaluates a small body here and a larger one on a thread of its own, since the other requests of this thread
    /// would wait for it.
    async fn schedule(
        self: &Arc<Self>,
        endpoint: Endpoint,
        body: Bytes,
        mut permit: MemoryPermit,
    ) -> Result<(AdmissionResponse, MemoryPermit), Rejection> {
        if body.len() <= self.limits.inline_bytes {
            return self.evaluate(endpoint, body, permit);
        }
        if body::has_long_token(&body) {
            return Err(Rejection::long_string());
        }
        let processor = self.processor(body.len(), permit.timeout).await?;
        let needed = body.len().saturating_mul(self.limits.review_factor).min(self.limits.review_bytes);
        permit.acquire_available(needed);
        if !body::is_available(needed) {
            return Err(Rejection::allocation_failed());
        }
        let handler = Arc::clone(self);
        // After the deadline nobody waits for the thread, but it holds its memory and its processor until it is done.
        let evaluate = move || {
            let _processor = processor;
            handler.evaluate(endpoint, body, permit)
        };
        match tokio::task::spawn_blocking(evaluate).await {
            Ok(evaluated) => evaluated,
            // The panic layer of the router responds to a panic, wherever it happened.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Rejection::shutting_down()),
            },
        }
    }

    /// A processor for a body of `bytes`, or 503 when there is none within `timeout`.
    async fn processor(&self, bytes: usize, timeout: Duration) -> Result<OwnedSemaphorePermit, Rejection> {
        let is_large = bytes >= self.limits.large_bytes;
        let permits = if is_large { &self.large_processor } else { &self.processors };
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _guard = self.metrics.wait("processor");
        // Nothing closes these semaphores, so an error is the timeout.
        let permit = tokio::time::timeout(timeout, Arc::clone(permits).acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or_else(Rejection::busy)
    }

    /// Evaluates `body`; from then on, the permit is for the response.
    fn evaluate(
        &self,
        endpoint: Endpoint,
        body: Bytes,
        mut permit: MemoryPermit,
    ) -> Result<(AdmissionResponse, MemoryPermit), Rejection> {
        let response = (self.evaluate)(endpoint, &body, &self.policy)?;
        drop(body);
        permit.resize(response.body.len());
        Ok((response, permit))
    }
}

/// Whether the content type is JSON; parameters such as `charset` may follow.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
