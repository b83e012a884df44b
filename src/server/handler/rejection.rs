//! The response to a request that is not reviewed: an HTTP error with a JSON `Status`, never `allowed: false`, so that
//! the `failurePolicy` of the webhook decides. The apiserver shows the message of a `Status` to the user and hides plain
//! text.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::admission::Malformed;
use crate::text;

/// The longest message, in bytes. JSON may double it, and the rest of the `Status` is short, so a rejection stays below
/// 4 KiB whatever it repeats of the request.
const MAX_MESSAGE_BYTES: usize = 1536;

#[derive(Debug)]
pub struct Rejection {
    /// The HTTP status code, which is also the `code` of the `Status`.
    pub status: StatusCode,
    /// A label of `rejected_requests_total`, one of a fixed set.
    pub reason: &'static str,
    /// What is wrong and what would be right, for the person who reads the error of the apiserver.
    pub message: String,
    /// Whether the connection is closed after the response.
    pub close: bool,
}

impl Rejection {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        let message = text::shortened(&message.into(), MAX_MESSAGE_BYTES);
        Self { status, reason, message, close: false }
    }

    fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    pub fn unknown_path() -> Self {
        let message = "no such path: reviews are sent to /mutate and /validate; \
                       /livez, /readyz and /metrics are served on the admin port (--admin-listen)";
        Self::new(StatusCode::NOT_FOUND, "path", message)
    }

    pub fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "a review is sent by POST")
    }

    pub fn wrong_content_type() -> Self {
        let message = "a review is sent with the header Content-Type: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", message)
    }

    pub fn wrong_client() -> Self {
        let message = "the client certificate has none of the names that --client-name allows, or --client-ca no longer \
                       holds its CA: give the client another certificate, or change these flags";
        Self::new(StatusCode::FORBIDDEN, "client_name", message).closing()
    }

    pub fn client_expired() -> Self {
        let message = "the client certificate has expired since this connection was opened: connect again with a \
                       valid one";
        Self::new(StatusCode::UNAUTHORIZED, "client_expired", message).closing()
    }

    /// 400 (RFC 9112, 3.2).
    pub fn wrong_host() -> Self {
        let message = "an HTTP/1.1 request has one Host header, and this one has none or several";
        Self::new(StatusCode::BAD_REQUEST, "host", message).closing()
    }

    pub fn too_large(max_body_bytes: usize) -> Self {
        let message = format!(
            "the body is longer than {max_body_bytes} bytes; --max-body-bytes raises the limit (the apiserver sends 7 MiB at most)"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub fn long_string() -> Self {
        let message =
            "a string in the body is longer than 512 KiB, and no string in the review of an IPPool is";
        Self::new(StatusCode::BAD_REQUEST, "long_string", message)
    }

    pub fn body_cut() -> Self {
        let message =
            "the body ended before it was complete: the connection was closed, or its framing is broken";
        Self::new(StatusCode::BAD_REQUEST, "body_cut", message).closing()
    }

    pub fn body_timed_out(after: Duration) -> Self {
        let message = format!("the body did not arrive within {} s of its header", after.as_secs_f64());
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message).closing()
    }

    pub fn body_stalled(after: Duration) -> Self {
        let message = format!(
            "the body made no progress for {} ms while other requests waited for memory",
            after.as_millis()
        );
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_stalled", message).closing()
    }

    pub fn out_of_memory() -> Self {
        let what = "the webhook holds as many bytes of reviews as --max-in-flight-bytes allows";
        Self::overloaded("memory", what)
    }

    pub fn allocation_failed() -> Self {
        Self::overloaded("allocation", "the system has no memory left for this review")
    }

    pub fn busy() -> Self {
        Self::overloaded("processors", "every processor of the webhook is busy with another review")
    }

    pub fn shutting_down() -> Self {
        Self::overloaded("shutdown", "the webhook is shutting down")
    }

    /// With `Retry-After: 0` on a closed connection, the apiserver tries another replica within the same request.
    fn overloaded(reason: &'static str, what: &str) -> Self {
        let message = format!("{what}; try again, another replica may have more");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason, message).closing()
    }

    pub fn too_late(message: String) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "deadline", message).closing()
    }

    /// 500: the review panicked. The panic message is in the log, not in the response.
    pub fn panicked() -> Self {
        let message = "the webhook failed on this request; see its log (search for \"panic\")";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "panic", message)
    }

    pub fn into_response(self) -> Response<Body> {
        // The `Status` of `kube` has neither `apiVersion` nor `kind`.
        let status = json!({
            "apiVersion": "v1",
            "kind": "Status",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": kubernetes_reason(self.status),
            "code": self.status.as_u16(),
        });
        let mut response = json_response(self.status, status.to_string().into());
        let mut insert = |name, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => drop(insert(header::ALLOW, "POST")),
            StatusCode::SERVICE_UNAVAILABLE => drop(insert(header::RETRY_AFTER, "0")),
            _ => {}
        }
        if self.close {
            insert(header::CONNECTION, "close");
        }
        response
    }
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        Self::new(StatusCode::BAD_REQUEST, malformed.reason.as_str(), malformed.message)
    }
}

/// A response of `status` with the JSON text `body`.
pub fn json_response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn kubernetes_reason(status: StatusCode) -> String {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => "Timeout".to_owned(),
        StatusCode::PAYLOAD_TOO_LARGE => "RequestEntityTooLarge".to_owned(),
        StatusCode::INTERNAL_SERVER_ERROR => "InternalError".to_owned(),
        // The others are called as in HTTP.
        _ => status.canonical_reason().unwrap_or_default().replace(' ', ""),
    }
}
