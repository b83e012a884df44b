//! What every answer has to be, whatever was asked.

use ippool_webhook::admission::Endpoint;
use serde_json::Value;

use testkit::review::{causes, patch, warnings};

/// How many causes or warnings an answer lists at most: twenty, and a line with the number left out.
const MAX_LISTED: usize = 21;

/// Holds an AdmissionReview to what the apiserver takes, and returns its `response`.
pub fn checked(endpoint: Endpoint, body: &[u8]) -> Value {
    let answer: Value = serde_json::from_slice(body).expect("the answer is JSON");
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = answer["response"].clone();
    assert!(response["uid"].as_str().is_some_and(|it| !it.is_empty()), "{response}");
    match endpoint {
        Endpoint::Mutate => assert_eq!(response["allowed"], true, "mutate denies nothing"),
        Endpoint::Validate => assert!(response.get("patch").is_none(), "validate patches nothing"),
    }
    patch_is_one_replace(&response);
    texts_are_short(&response);
    denial_says_why(&response);
    response
}

fn patch_is_one_replace(response: &Value) {
    assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
    let Some(patch) = patch(response) else { return };
    let patch = serde_json::to_value(patch).expect("a patch is JSON");
    let range = patch[0]["value"].as_str().expect("a text");
    assert_eq!(patch, serde_json::json!([{ "op": "replace", "path": "/spec/range", "value": range }]));
}

fn texts_are_short(response: &Value) {
    let (causes, warnings) = (causes(response), warnings(response));
    assert!(causes.len() <= MAX_LISTED && warnings.len() <= MAX_LISTED, "{response}");
    for warning in &warnings {
        assert!(warning.chars().count() <= 256, "{warning}");
    }
    for text in causes.iter().chain(&warnings) {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

/// A denial has causes, and says all of them in its message as well.
fn denial_says_why(response: &Value) {
    let (status, causes) = (&response["status"], causes(response));
    assert_eq!(response["allowed"] == false, !causes.is_empty(), "{response}");
    let Some(message) = status["message"].as_str() else { return assert!(status.is_null(), "{response}") };
    assert!(causes.iter().all(|cause| message.contains(cause.as_str())), "{message}");
    let reason = match status["code"].as_u64() {
        Some(422) => "Invalid",
        Some(403) => "Forbidden",
        code => panic!("{code:?}"),
    };
    assert_eq!(status["reason"], reason);
}
