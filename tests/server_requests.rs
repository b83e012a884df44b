//! The response to each kind of request: its HTTP status, and a `Status` with the reason.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use ippool_webhook::admission::respond;
use ippool_webhook::server::Config;
use serde_json::Value;
use testkit::client::{Caller, Reply, header};
use testkit::server::{ALLOWED, DENIED, Running, quick};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A server that accepts bodies of up to `max` bytes.
async fn with_limit(max: usize) -> Running {
    let mut config: Config = quick();
    config.limits.max_body_bytes = max;
    Running::start_with(config, Arc::new(respond)).await
}

/// A review of exactly `length` bytes: whitespace after it changes nothing.
fn padded(review: &str, length: usize) -> String {
    format!("{review:<length$}")
}

#[tokio::test]
async fn a_denial_is_a_response_with_the_uid_of_the_request() {
    let server = Running::start().await;
    let reply = server.caller().await.post("/validate?timeout=10s", DENIED).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let (answer, request) = (reply.json(), serde_json::from_str::<Value>(DENIED).unwrap());
    assert_eq!(answer["response"]["uid"], request["request"]["uid"]);
    assert_eq!(answer["response"]["allowed"], false);
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("spec.range") && message.contains("[IPP102]"), "{message}");
    assert_eq!(answer.get("request"), None, "the request is not sent back");
}

#[tokio::test]
async fn a_connection_serves_more_requests_after_rejected_ones() {
    let server = Running::start().await;
    let mut caller = server.caller().await;
    for (path, body, status) in
        [("/validate", ALLOWED, 200), ("/nowhere", ALLOWED, 404), ("/validate", "", 400)]
    {
        let reply = caller.post(path, body).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(!reply.closes());
    }
    assert_eq!(caller.post("/mutate?a=b", ALLOWED).await.status, 200);
}

#[tokio::test]
async fn a_malformed_admission_review_gets_400_with_the_reason() {
    let wrong_version = ALLOWED.replacen("admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1);
    let wrong_kind = ALLOWED.replace("\"resource\":\"ippools\"", "\"resource\":\"pods\"");
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let cases: [(&str, &str, &str); 9] = [
        ("", "empty_body", "body is empty"),
        ("{", "not_json", ""),
        ("range: 10.0.0.0/24", "not_json", ""),
        (&deep, "not_json", ""),
        ("[]", "not_a_review", ""),
        ("{}", "not_a_review", "AdmissionReview"),
        (r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#, "not_a_review", "request"),
        (&wrong_version, "not_a_review", "admission.k8s.io/v1beta1"),
        (&wrong_kind, "wrong_kind", "pods"),
    ];
    let server = Running::start().await;
    let mut caller = server.caller().await;
    for (body, reason, text) in cases {
        let shown = &body[..body.len().min(80)];
        let before = server.rejected(reason).await;
        let message = caller.post("/validate", body).await.assert_status(400, "BadRequest");
        assert!(message.contains(text), "{message:?} for {shown}");
        assert_eq!(server.rejected(reason).await, before + 1.0, "{message:?} for {shown} is {reason}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_utf8_gets_400() {
    let server = Running::start().await;
    let mut caller = server.caller().await;
    caller.send(&header("/validate", 4)).await;
    caller.0.write_all(b"{\"\xff\"").await.unwrap();
    let message = caller.answer().await.assert_status(400, "BadRequest");
    assert!(message.contains("UTF-8"), "{message}");
}

#[tokio::test]
async fn an_unknown_path_gets_404_with_the_known_paths() {
    let server = Running::start().await;
    for path in ["/", "/validate/", "/livez", "/metrics"] {
        let message = server.caller().await.post(path, ALLOWED).await.assert_status(404, "NotFound");
        assert!(message.contains("/mutate and /validate") && message.contains("--admin-listen"), "{message}");
    }
    assert_eq!(server.rejected("path").await, 4.0);
}

#[tokio::test]
async fn another_method_gets_405_with_allow() {
    let server = Running::start().await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let mut caller = server.caller().await;
        caller.send(&format!("{method} /validate HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        let reply = caller.answer().await;
        reply.assert_status(405, "MethodNotAllowed");
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    assert_eq!(server.rejected("method").await, 6.0);
}

async fn post_as(server: &Running, content_type: &str) -> Reply {
    let mut caller = server.caller().await;
    let head = header("/validate", ALLOWED.len());
    let head = head.replace("content-type: application/json\r\n", content_type);
    caller.send(&(head + ALLOWED)).await;
    caller.answer().await
}

#[tokio::test]
async fn another_content_type_gets_415() {
    let server = Running::start().await;
    for other in ["", "content-type: text/plain\r\n", "content-type: application/json-patch+json\r\n"] {
        let message = post_as(&server, other).await.assert_status(415, "UnsupportedMediaType");
        assert!(message.contains("Content-Type: application/json"), "{message}");
    }
    assert_eq!(server.rejected("content_type").await, 3.0);
}

#[tokio::test]
async fn a_content_type_with_parameters_is_accepted() {
    let server = Running::start().await;
    for fine in ["application/json; charset=utf-8", "Application/JSON", "application/json;a=b"] {
        let reply = post_as(&server, &format!("content-type: {fine}\r\n")).await;
        assert_eq!(reply.status, 200, "{fine}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_a_longer_one_gets_413() {
    let server = with_limit(4096).await;
    let mut caller = server.caller().await;
    assert_eq!(caller.post("/validate", &padded(ALLOWED, 4096)).await.status, 200);
    let reply = caller.post("/validate", &padded(ALLOWED, 4097)).await;
    let message = reply.assert_status(413, "RequestEntityTooLarge");
    assert!(message.contains("4096 bytes") && message.contains("--max-body-bytes"), "{message}");
    assert!(!reply.closes(), "the rest was read, so the connection can be reused");
    assert_eq!(caller.post("/validate", ALLOWED).await.status, 200);
    assert_eq!(server.rejected("too_large").await, 1.0);
}

#[tokio::test]
async fn a_chunked_body_beyond_the_limit_gets_413() {
    let server = with_limit(4096).await;
    let mut caller = server.caller().await;
    let head = "POST /validate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let chunked = |body: &str| format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    caller.send(&chunked(&padded(ALLOWED, 4096))).await;
    assert_eq!(caller.answer().await.status, 200);
    caller.send(&chunked(&padded(ALLOWED, 4097))).await;
    caller.answer().await.assert_status(413, "RequestEntityTooLarge");
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_413_at_once() {
    let server = with_limit(4096).await;
    let mut caller = server.caller().await;
    let head = header("/validate", 1_000_000).replacen("\r\n", "\r\nexpect: 100-continue\r\n", 1);
    caller.send(&head).await;
    let reply = caller.answer().await;
    reply.assert_status(413, "RequestEntityTooLarge");
    assert!(reply.closes(), "the body was never read");
}

#[tokio::test]
async fn a_truncated_body_is_counted_and_the_server_survives() {
    let server = Running::start().await;
    let mut caller = server.caller().await;
    caller.send(&header("/validate", ALLOWED.len())).await;
    caller.send(&ALLOWED[..ALLOWED.len() / 2]).await;
    drop(caller);
    server.until_metric("ippool_webhook_rejected_requests_total{reason=\"body_cut\"}", 1.0).await;
    server.until_metric("ippool_webhook_in_flight_bytes", 0.0).await;
    assert_eq!(server.caller().await.post("/validate", ALLOWED).await.status, 200);
}

#[tokio::test]
async fn broken_chunks_get_400_and_close_the_connection() {
    let server = Running::start().await;
    let mut caller = server.caller().await;
    let head = header("/validate", 1).replace("content-length: 1", "transfer-encoding: chunked");
    caller.send(&(head + "not a length\r\n")).await;
    let reply = caller.answer().await;
    reply.assert_status(400, "BadRequest");
    assert!(reply.closes());
}

#[tokio::test]
async fn a_header_beyond_the_limit_gets_431() {
    let server = Running::start().await;
    let mut caller = server.caller().await;
    let long = "a".repeat(70 * 1024);
    caller.send(&header("/validate", 0).replace("host:", &format!("x-long: {long}\r\nhost:"))).await;
    assert_eq!(caller.answer().await.status, 431);
}

#[tokio::test]
async fn a_review_with_five_thousand_allocations_is_answered() {
    let large = std::fs::read_to_string("tests/fixtures/reviews/large-5000.json").unwrap();
    let server = Running::start().await;
    let reply = server.caller().await.post("/validate?timeout=10s", &large).await;
    assert_eq!(reply.json()["response"]["allowed"], true, "{}", reply.text);
    assert_eq!(server.metric("ippool_webhook_request_bytes_sum").await, large.len() as f64);
}

#[tokio::test]
async fn a_request_without_exactly_one_host_gets_400() {
    let server = Running::start().await;
    for (host, status) in [("", 400), ("host: a\r\nhost: a\r\n", 400), ("host: localhost\r\n", 200)] {
        let head = header("/validate", ALLOWED.len()).replace("host: localhost\r\n", host);
        let mut caller = server.caller().await;
        caller.send(&(head + ALLOWED)).await;
        assert_eq!(caller.answer().await.status, status, "{host:?}");
        let mut admin = Caller(TcpStream::connect(server.admin).await.unwrap());
        admin.send(&format!("GET /livez HTTP/1.1\r\n{host}\r\n")).await;
        assert_eq!(admin.answer().await.status, status, "{host:?}");
    }
    assert_eq!(server.rejected("host").await, 2.0);
}

#[tokio::test]
async fn a_bare_cr_in_a_header_is_rejected_and_a_bare_lf_is_accepted() {
    let server = Running::start().await;
    let head = header("/validate", ALLOWED.len());
    for wrong in [
        head.replacen("\r\n", "\r", 1),
        head.replacen("localhost\r\n", "localhost\r", 1),
        head.replacen("localhost", "local\rhost", 1),
        head.replacen("host: ", "x: a\rhost: ", 1),
    ] {
        let mut caller = server.caller().await;
        caller.send(&(wrong.clone() + ALLOWED)).await;
        let reply = caller.try_answer().await;
        assert!(reply.is_none_or(|reply| reply.status == 400), "{wrong:?}");
    }
    let mut caller = server.caller().await;
    caller.send(&(head.replace("\r\n", "\n") + ALLOWED)).await;
    assert_eq!(caller.answer().await.status, 200);
}

/// A review with a label of this text.
fn labeled(text: &str) -> String {
    ALLOWED.replacen("\"request\":{", &format!("\"request\":{{\"label\":\"{text}\","), 1)
}

#[tokio::test]
async fn a_string_of_a_mib_gets_400_even_with_escaped_quotes() {
    let server = Running::start().await;
    for filler in ["x", "\u{7f}", "\\\"", "\\n"] {
        let body = labeled(&filler.repeat((1 << 20) / filler.len()));
        let reply = server.caller().await.post("/validate", &body).await;
        let message = reply.assert_status(400, "BadRequest");
        assert!(message.contains("a string in the body is longer than 512 KiB"), "{filler:?}: {message}");
    }
    assert_eq!(server.rejected("long_string").await, 4.0);
}

#[tokio::test]
async fn short_strings_and_any_whitespace_are_not_long_strings() {
    let server = Running::start().await;
    let annotation = labeled(&"\\\"".repeat(128 << 10));
    for body in [ALLOWED.to_owned() + &" ".repeat(3 << 20), annotation] {
        let reply = server.caller().await.post("/validate", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
}
