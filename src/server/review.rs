//! The two endpoints: from a request to an answered review, or to the reason why there is none.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::Body as _;
use tokio::time::Instant;

use super::account::{Account, Held, Peer};
use super::body::{self, Arriving};
use super::deadline::Deadline;
use super::limits::Limits;
use super::log;
use super::metrics::Metrics;
use super::processors::Processors;
use super::rejection::{Rejection, json_response};
use crate::admission::{AdmissionResponse, Endpoint, Malformed};
use crate::policy::Policy;

/// What answers a review: [`crate::admission::answer`], or what a test puts in its place.
pub type Review = Arc<dyn Fn(Endpoint, &[u8], &Policy) -> Result<AdmissionResponse, Malformed> + Send + Sync>;

/// What all requests share; none of them changes it.
pub struct App {
    /// What is enforced.
    pub policy: Policy,
    /// The bounds.
    pub limits: Limits,
    /// What is left of memory.
    pub account: Arc<Account>,
    /// What is left of the processors.
    pub processors: Processors,
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
            Ok((answer, held)) => {
                self.metrics.reviewed(endpoint, &answer.record);
                log::reviewed(endpoint, &answer.record, took);
                if answer.record.untrusted_plugin_write {
                    log::untrusted_plugin_write(&answer.record);
                }
                let body = Bytes::from_owner(Sent { body: answer.body, _held: held });
                json_response(StatusCode::OK, body.into())
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
        if let Some(peer) = peer(head).filter(|_| rejection.close && !body.is_end_stream()) {
            peer.activity.linger();
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
    ) -> Result<(AdmissionResponse, Held), Rejection> {
        if !is_json(&head.headers) {
            return Err(Rejection::wrong_content_type());
        }
        let limits = &self.limits;
        let size = body::announced(body, limits)?;
        let peer = peer(head).ok_or_else(Rejection::panicked)?;
        let deadline = Deadline::of(head.uri.query(), started, limits.review);
        let reviewing = async {
            let (mut held, mut patience) = (self.account.open(peer.clone()), deadline.share(limits.queue));
            let mut arriving = Arriving { peer, held: &mut held, patience: &mut patience, limits };
            let bytes = arriving.read(body, size).await?;
            peer.activity.reviewing();
            self.metrics.received(bytes.len());
            let answered = self.answer(endpoint, bytes, held, patience).await?;
            peer.activity.reviewed();
            Ok(answered)
        };
        deadline.run(reviewing).await
    }

    /// Has a small body reviewed here, another on a thread of its own: other requests of this thread would wait
    /// for it.
    async fn answer(
        self: &Arc<Self>,
        endpoint: Endpoint,
        body: Bytes,
        mut held: Held,
        patience: Duration,
    ) -> Result<(AdmissionResponse, Held), Rejection> {
        if body.len() <= self.limits.inline_bytes {
            return self.review_now(endpoint, body, held);
        }
        if body::has_long_token(&body) {
            return Err(Rejection::long_string());
        }
        let turn = self.processors.turn(body.len(), patience).await?;
        let needed = body.len().saturating_mul(self.limits.review_factor).min(self.limits.review_bytes);
        held.take_what_is_free(needed);
        if !body::is_available(needed) {
            return Err(Rejection::allocation_failed());
        }
        let app = Arc::clone(self);
        // When the deadline passes, nobody waits for the thread any more; memory and processor stay taken until it
        // is done.
        let review = move || {
            let _turn = turn;
            app.review_now(endpoint, body, held)
        };
        match tokio::task::spawn_blocking(review).await {
            Ok(answered) => answered,
            // One place turns panics into answers, wherever they happen.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Rejection::shutting_down()),
            },
        }
    }

    /// What is held from now on is the answer.
    fn review_now(
        &self,
        endpoint: Endpoint,
        body: Bytes,
        mut held: Held,
    ) -> Result<(AdmissionResponse, Held), Rejection> {
        let answer = (self.review)(endpoint, &body, &self.policy)?;
        drop(body);
        held.set(answer.body.len());
        Ok((answer, held))
    }
}

/// An answer on its way, which is held until its last byte was written.
struct Sent {
    body: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Who sent it; there for whatever came over a connection.
fn peer(head: &Parts) -> Option<&Peer> {
    head.extensions.get()
}

/// Whether the body is said to be JSON; parameters such as `charset` may follow.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
