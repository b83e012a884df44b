//! Encoding a response: an AdmissionReview with the uid of the request.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::decode::AdmissionRequest;
use super::patch::json_patch;
use super::{AdmissionResponse, Outcome, ReviewRecord};
use crate::finding::{ErrorType, Finding, Severity};
use crate::kinds::{Kind, Normalization};
use crate::policy::Policy;
use crate::review::{Count, Denial, Findings, Verdict};
use crate::text::Quoted;

/// How many items a list within a warning names, before it gives the number left out.
const MAX_LISTED_IN_WARNING: usize = 5;

/// The length of a warning to aim for, in characters (Kubernetes API, `AdmissionResponse.warnings`).
const GOOD_WARNING_CHARS: usize = 120;

/// The length past which the apiserver cuts warnings when there are many, in characters.
const MAX_WARNING_CHARS: usize = 256;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    code: u16,
    reason: &'static str,
    message: String,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    group: &'static str,
    kind: &'static str,
    name: &'a str,
    causes: Vec<Cause>,
}

#[derive(Serialize)]
struct Cause {
    reason: &'static str,
    message: String,
    field: String,
}

/// Allowed without a warning.
pub(super) fn allow(request: &AdmissionRequest<'_>, policy: &Policy) -> AdmissionResponse {
    let response = Response { uid: &request.uid, allowed: true, ..Response::default() };
    encode(request, policy, response, Outcome::Allowed, Vec::new(), 0)
}

/// Allowed with a patch, and a warning that says what to write instead.
pub(super) fn allow_with_patch(
    request: &AdmissionRequest<'_>,
    normalization: &Normalization,
    repaired: Vec<Count>,
    policy: &Policy,
) -> AdmissionResponse {
    // A patch of one short text always serializes.
    let patch = serde_json::to_string(&json_patch(normalization)).unwrap_or_default();
    let mut audit_annotations = annotations(&repaired);
    audit_annotations.insert("normalized", normalization.message.clone());
    let response = Response {
        uid: &request.uid,
        allowed: true,
        patch: Some(BASE64.encode(patch)),
        patch_type: Some("JSONPatch"),
        audit_annotations,
        warnings: vec![shortened(&normalization.message)],
        ..Response::default()
    };
    encode(request, policy, response, Outcome::Patched, repaired, 0)
}

/// The verdict. After the causes and the warnings that are kept, one line gives the number left out: kubectl prints
/// each on its own line.
pub(super) fn from_verdict<K: Kind>(
    request: &AdmissionRequest<'_>,
    verdict: &Verdict<'_>,
    policy: &Policy,
) -> AdmissionResponse {
    let response = Response {
        uid: &request.uid,
        allowed: verdict.denial.is_none(),
        status: verdict.denial.map(|denial| status::<K>(request, denial, &verdict.denials)),
        audit_annotations: annotations(&verdict.counts),
        warnings: warnings::<K>(&verdict.warnings),
        ..Response::default()
    };
    let outcome = match (verdict.denial, verdict.warnings.total) {
        (Some(_), _) => Outcome::Denied,
        (None, 1..) => Outcome::Warned,
        (None, 0) => Outcome::Allowed,
    };
    encode(request, policy, response, outcome, verdict.counts.clone(), verdict.would_deny)
}

fn encode(
    request: &AdmissionRequest<'_>,
    policy: &Policy,
    response: Response<'_>,
    outcome: Outcome,
    findings: Vec<Count>,
    would_deny: usize,
) -> AdmissionResponse {
    let review = Review { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response };
    // Strings and numbers always serialize; otherwise the apiserver would report an empty response.
    let body = serde_json::to_vec(&review).unwrap_or_default();
    let username = request.user_info.username.to_string();
    let record = ReviewRecord {
        uid: request.uid.to_string(),
        operation: request.operation.unwrap_or_default(),
        trusted: policy.trusts(&username),
        username,
        namespace: request.namespace.to_string(),
        name: request.name.to_string(),
        dry_run: request.dry_run,
        outcome,
        findings,
        would_deny,
        untrusted_plugin_write: false,
    };
    AdmissionResponse { body, record }
}

/// The denial: everything in the message for tools that show only that, everything in the causes for
/// kubectl, which shows only those.
fn status<'a, K: Kind>(
    request: &'a AdmissionRequest<'_>,
    denial: Denial,
    denials: &Findings<'_>,
) -> Status<'a> {
    let mut causes: Vec<_> = denials.first.iter().map(cause).collect();
    let left_out = denials.total - causes.len();
    if left_out > 0 {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {left_out} more findings are left out here"),
            field: "spec".to_owned(),
        });
    }
    let lines: Vec<_> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    let lines = if let [line] = lines.as_slice() { line.clone() } else { format!("[{}]", lines.join(", ")) };
    let (name, (code, reason)) = (request.name.as_ref(), denial.status());
    Status {
        status: "Failure",
        code,
        reason,
        message: format!("{}.{} {} is invalid: {lines}", K::KIND, K::GROUP, Quoted(name)),
        details: Details { group: K::GROUP, kind: K::KIND, name, causes },
    }
}

fn cause(finding: &Finding<'_>) -> Cause {
    Cause { reason: finding.error_type.cause(), message: finding.message(), field: finding.path.to_string() }
}

fn warnings<K: Kind>(findings: &Findings<'_>) -> Vec<String> {
    let mut lines: Vec<_> = findings.first.iter().map(warning).collect();
    let left_out = findings.total - lines.len();
    if left_out > 0 {
        lines.push(format!("{left_out} more warnings about this {} are left out here", K::KIND));
    }
    lines
}

/// In full where that is short enough, else without the words and the value that the path points at. At last the middle of
/// what would be right is left out, never the address or whether the defect is preexisting.
fn warning(finding: &Finding<'_>) -> String {
    let prefix = if finding.would_deny { "would be denied: " } else { "" };
    let start = format!("{prefix}{}: ", finding.path);
    let remedy = finding.remedy(MAX_LISTED_IN_WARNING);
    let left = GOOD_WARNING_CHARS.saturating_sub(start.chars().count());
    let full = finding.opening() + &remedy;
    let lists = finding.list.is_some() || finding.error_type == ErrorType::Notice;
    let text = match (full.chars().count() <= left, lists) {
        (true, _) => full,
        (false, true) => remedy,
        (false, false) => finding.remedy_within(left),
    };
    shortened(&(start + &text))
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_WARNING_CHARS).collect()
}

/// `rules` names every rule with a finding, `denied-by` those that deny.
fn annotations(findings: &[Count]) -> BTreeMap<&'static str, String> {
    let ids = |at_least: Severity| {
        let found = findings.iter().filter(|count| count.severity >= at_least);
        let ids: BTreeSet<_> = found.map(|count| count.rule.id).collect();
        ids.into_iter().collect::<Vec<_>>().join(",")
    };
    let entries = [("rules", ids(Severity::Warn)), ("denied-by", ids(Severity::Deny))];
    entries.into_iter().filter(|(_, ids)| !ids.is_empty()).collect()
}
