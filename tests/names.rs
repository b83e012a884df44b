//! The names by which metrics, logs, reports and the apiserver know things.

use ippool_webhook::admission::{Endpoint, MalformedReason, Outcome};
use ippool_webhook::finding::{ErrorType, Operation, Severity};
use ippool_webhook::kinds;
use ippool_webhook::review::Denial;

#[test]
fn an_endpoint_an_outcome_and_a_mistake_have_their_labels() {
    assert_eq!([Endpoint::Mutate, Endpoint::Validate].map(Endpoint::as_str), ["mutate", "validate"]);
    let outcomes = [Outcome::Allowed, Outcome::Warned, Outcome::Patched, Outcome::Denied];
    assert_eq!(outcomes.map(Outcome::as_str), ["allowed", "warned", "patched", "denied"]);
    let mistakes = [
        MalformedReason::EmptyBody,
        MalformedReason::NotJson,
        MalformedReason::NotAReview,
        MalformedReason::WrongKind,
    ];
    assert_eq!(
        mistakes.map(MalformedReason::as_str),
        ["empty_body", "not_json", "not_a_review", "wrong_kind"]
    );
}

#[test]
fn a_severity_is_written_as_in_the_policy_file_and_padded() {
    let severities = [Severity::Off, Severity::Warn, Severity::Deny];
    assert_eq!(severities.map(Severity::as_str), ["off", "warn", "deny"]);
    assert_eq!(format!("{:>5}|{:<5}|{}", Severity::Off, Severity::Warn, Severity::Deny), "  off|warn |deny");
}

#[test]
fn operations_causes_and_denials_have_the_words_of_kubernetes() {
    let operations = [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];
    assert_eq!(operations.map(Operation::as_str), ["CREATE", "UPDATE", "DELETE", "CONNECT"]);
    let types = [ErrorType::Required, ErrorType::Invalid, ErrorType::TypeInvalid, ErrorType::Duplicate];
    let causes = ["FieldValueRequired", "FieldValueInvalid", "FieldValueTypeInvalid", "FieldValueDuplicate"];
    assert_eq!(types.map(ErrorType::cause), causes);
    let denials = [Denial::Invalid, Denial::Forbidden].map(Denial::status);
    assert_eq!(denials, [(422, "Invalid"), (403, "Forbidden")]);
}

#[test]
fn a_rule_is_found_by_its_id_and_by_its_name_in_any_case() {
    for name in ["IPP206", "ipp206", "offset-out-of-range", "Offset-Out-Of-Range"] {
        assert_eq!(kinds::find_rule(name).map(|rule| rule.id), Some("IPP206"), "{name}");
    }
    assert!(kinds::find_rule("IPP20").is_none());
}
