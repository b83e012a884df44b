//! The two endpoints: from a request to an answered review, or to the reason why there is none.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use bytes::Bytes;
use tokio::time::Instant;

use super::body;
use super::budget::{Budget, Room};
use super::deadline::Deadline;
use super::limits::Limits;
use super::log;
use super::metrics::Metrics;
use super::rejection::{Rejection, json_response};
use crate::admission::{Answer, Endpoint, Malformed};
use crate::policy::Policy;

/// What answers a review: [`crate::admission::answer`], or what a test puts in its place.
pub type Review = Arc<dyn Fn(Endpoint, &[u8], &Policy) -> Result<Answer, Malformed> + Send + Sync>;

/// What all requests share; none of them changes it.
pub struct App {
    /// What is enforced.
    pub policy: Policy,
    /// The bounds.
    pub limits: Limits,
    /// What is left of memory and processors.
    pub budget: Budget,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What answers.
    pub review: Review,
}

impl App {
    /// Answers `request`, which came to `endpoint`.
    pub async fn review(self: Arc<Self>, endpoint: Endpoint, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let (head, mut body) = request.into_parts();
        let attempted = self.attempt(endpoint, &head, &mut body, started).await;
        let took = started.elapsed();
        self.metrics.took(endpoint, took);
        match attempted {
            Ok(answer) => {
                self.metrics.reviewed(endpoint, &answer.summary);
                log::reviewed(endpoint, &answer.summary, took);
                if answer.summary.untrusted_plugin_write {
                    log::untrusted_plugin_write(&answer.summary);
                }
                json_response(StatusCode::OK, answer.body.into())
            }
            Err(rejection) => self.reject(Some(endpoint), rejection, &head, body).await,
        }
    }

    /// Turns a request away, after its body was read: an answer that comes before is lost.
    pub async fn reject(
        &self,
        endpoint: Option<Endpoint>,
        mut rejection: Rejection,
        head: &Parts,
        mut body: Body,
    ) -> Response<Body> {
        if rejection.body_unread && !body::discard(&mut body, &head.headers, &self.limits).await {
            rejection.close = true;
        }
        self.metrics.rejected(endpoint, rejection.reason);
        log::rejected(&rejection, head);
        rejection.into_response()
    }

    async fn attempt(
        self: &Arc<Self>,
        endpoint: Endpoint,
        head: &Parts,
        body: &mut Body,
        started: Instant,
    ) -> Result<Answer, Rejection> {
        if !is_json(&head.headers) {
            return Err(Rejection::wrong_content_type());
        }
        let size = body::announced(body, &self.limits)?;
        let deadline = Deadline::of(head.uri.query(), started, self.limits.review);
        let reviewing = async {
            let room = self.budget.room(size, deadline.share(self.limits.queue)).await?;
            let bytes = body::read(body, size, &self.limits).await?;
            self.metrics.received(bytes.len());
            self.answer(endpoint, bytes, room, &deadline).await
        };
        deadline.run(reviewing).await
    }

    /// Has a small body reviewed here, a large one on a thread of its own: other requests of this thread
    /// would wait for it.
    async fn answer(
        self: &Arc<Self>,
        endpoint: Endpoint,
        body: Bytes,
        room: Room,
        deadline: &Deadline,
    ) -> Result<Answer, Rejection> {
        if body.len() <= self.limits.inline_bytes {
            return Ok((self.review)(endpoint, &body, &self.policy)?);
        }
        let processor = self.budget.processor(deadline.share(self.limits.queue)).await?;
        let app = Arc::clone(self);
        // When the deadline passes, nobody waits for the thread any more; room and processor stay taken
        // until it is done.
        let review = move || {
            let _held = (room, processor);
            (app.review)(endpoint, &body, &app.policy)
        };
        match tokio::task::spawn_blocking(review).await {
            Ok(answered) => Ok(answered?),
            // One place turns panics into answers, wherever they happen.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Rejection::overloaded("the webhook is shutting down")),
            },
        }
    }
}

/// Whether the body is said to be JSON; parameters such as `charset` may follow.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
