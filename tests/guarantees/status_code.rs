//! Guarantee 3: the code fits the caller.

use ippool_webhook::admission::Endpoint;
use serde_json::{Value, json};
use testkit::review::{PERSON, ROBOT, WHEREABOUTS, ask, holding, review};

#[test]
fn the_code_fits_the_caller_and_the_text_is_the_same() {
    let bad = holding("10.0.0.0/33", &[]);
    let ask_as = |user| ask(Endpoint::Validate, &review("CREATE", user, &bad, &Value::Null));
    let (person, robot, whereabouts) = (ask_as(PERSON), ask_as(ROBOT), ask_as(WHEREABOUTS));
    assert_eq!((&person["status"]["code"], &person["status"]["reason"]), (&json!(422), &json!("Invalid")));
    for service_account in [robot, whereabouts] {
        let status = &service_account["status"];
        assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
        assert_eq!(status["message"], person["status"]["message"]);
        assert_eq!(status["details"], person["status"]["details"]);
    }
}
