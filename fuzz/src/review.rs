//! Any bytes at both endpoints: no panic, a valid answer with the uid of its question or a reason, and the same answer
//! in whatever form the JSON is written. The form of the apiserver has a reader of its own.

use ippool_webhook::admission::{AdmissionResponse, Endpoint, Malformed, respond};
use ippool_webhook::policy::Policy;
use serde_json::Value;

use crate::answers;
use crate::json::{compact, reversed, spaced, without_places};

/// Holds both endpoints to it.
pub fn check(body: &[u8]) {
    for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
        let answered = respond(endpoint, body, &Policy::default());
        match &answered {
            Ok(answer) => is_valid(endpoint, body, answer),
            Err(malformed) => assert!(!malformed.message.is_empty()),
        }
        let Ok(text) = std::str::from_utf8(body) else { continue };
        if text.trim().is_empty() {
            continue;
        }
        for form in [format!(" {text}"), spaced(text), compact(text)] {
            is_answered_alike(endpoint, &answered, &form);
        }
        if let Some(form) = reversed(text) {
            is_answered_alike(endpoint, &answered, &form);
        }
    }
}

fn is_valid(endpoint: Endpoint, body: &[u8], answer: &AdmissionResponse) {
    let response = answers::checked(endpoint, &answer.body);
    // A number past every range is JSON, and no `Value`.
    let Ok(review) = serde_json::from_slice::<Value>(body) else { return };
    assert_eq!(response["uid"], review["request"]["uid"]);
    assert_eq!(response["uid"], answer.record.uid.as_str());
    let user = review["request"]["userInfo"]["username"].as_str().unwrap_or_default();
    if response["allowed"] == false {
        let code = if user.starts_with("system:serviceaccount:") { 403 } else { 422 };
        assert_eq!(response["status"]["code"], code);
    }
}

fn is_answered_alike(endpoint: Endpoint, answered: &Result<AdmissionResponse, Malformed>, form: &str) {
    match (answered, respond(endpoint, form.as_bytes(), &Policy::default())) {
        (Ok(one), Ok(other)) => {
            assert_eq!(body(one), body(&other), "{form}");
            assert_eq!(format!("{:?}", one.record), format!("{:?}", other.record), "{form}");
        }
        (Err(one), Err(other)) => assert_eq!(one.reason, other.reason, "{form}"),
        (one, other) => panic!("{one:?}\nbut {other:?}\nfor {form}"),
    }
}

fn body(answer: &AdmissionResponse) -> String {
    without_places(&String::from_utf8_lossy(&answer.body))
}
