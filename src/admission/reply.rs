//! Writing the answer: an AdmissionReview that carries the uid of its question.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::envelope::Question;
use super::patch::json_patch;
use super::{Answer, Outcome, Summary};
use crate::policy::Policy;
use crate::pool::{GROUP, KIND, Pool};
use crate::report::{Finding, Operation, Rule, Severity};
use crate::review::{Count, Findings, Refusal, Verdict};
use crate::rules::{self, Subject};
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

/// Allowed without a word.
pub(super) fn untouched(question: &Question<'_>, policy: &Policy) -> Answer {
    let response = Response { uid: &question.uid, allowed: true, ..Response::default() };
    written(question, policy, response, Outcome::Allowed, Vec::new(), 0)
}

/// Allowed with a patch that writes `range`, and a warning that says what to write in its place.
pub(super) fn patched(question: &Question<'_>, pool: &Pool<'_>, range: &str, policy: &Policy) -> Answer {
    let findings = normalized_findings(pool, policy);
    let was = pool.spec.range.text().unwrap_or_default();
    let summary = format!("spec.range: {} is stored as {range}, its network; write that", Quoted(was));
    let mut audit_annotations = annotations(&findings);
    audit_annotations.insert("normalized", summary.clone());
    // A patch of one short text always serializes.
    let patch = serde_json::to_string(&json_patch(range)).unwrap_or_default();
    let response = Response {
        uid: &question.uid,
        allowed: true,
        patch: Some(BASE64.encode(patch)),
        patch_type: Some("JSONPatch"),
        audit_annotations,
        warnings: vec![shortened(summary)],
        ..Response::default()
    };
    written(question, policy, response, Outcome::Patched, findings, 0)
}

/// The verdict of the rules. After the causes and the warnings that are kept, one line gives the number left out:
/// kubectl prints each on its own line.
pub(super) fn judged(question: &Question<'_>, verdict: &Verdict<'_>, policy: &Policy) -> Answer {
    let response = Response {
        uid: &question.uid,
        allowed: verdict.refusal.is_none(),
        status: verdict.refusal.map(|refusal| status(question, refusal, &verdict.denials)),
        audit_annotations: annotations(&verdict.counts),
        warnings: warnings(&verdict.warnings),
        ..Response::default()
    };
    let outcome = match (verdict.refusal, verdict.warnings.total) {
        (Some(_), _) => Outcome::Denied,
        (None, 1..) => Outcome::Warned,
        (None, 0) => Outcome::Allowed,
    };
    written(question, policy, response, outcome, verdict.counts.clone(), verdict.would_deny)
}

fn written(
    question: &Question<'_>,
    policy: &Policy,
    response: Response<'_>,
    outcome: Outcome,
    findings: Vec<Count>,
    would_deny: usize,
) -> Answer {
    let review = Review { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response };
    // Strings and numbers always serialise; were it otherwise, the apiserver would report an empty answer.
    let body = serde_json::to_vec(&review).unwrap_or_default();
    let username = question.user_info.username.to_string();
    let summary = Summary {
        uid: question.uid.to_string(),
        operation: question.operation,
        trusted: policy.trusts(&username),
        username,
        namespace: question.namespace.to_string(),
        name: question.name.to_string(),
        dry_run: question.dry_run,
        outcome,
        findings,
        would_deny,
        untrusted_plugin_write: false,
    };
    Answer { body, summary }
}

/// The refusal: everything in the message for tools that show only that, everything in the causes for
/// kubectl, which shows only those.
fn status<'a>(question: &'a Question<'_>, refusal: Refusal, denials: &Findings<'_>) -> Status<'a> {
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
    let name = question.name.as_ref();
    Status {
        status: "Failure",
        code: refusal.code(),
        reason: refusal.reason(),
        message: format!("{KIND}.{GROUP} {} is invalid: {lines}", Quoted(name)),
        details: Details { group: GROUP, kind: KIND, name, causes },
    }
}

fn cause(finding: &Finding<'_>) -> Cause {
    Cause { reason: finding.problem.cause(), message: finding.message(), field: finding.path.to_string() }
}

fn warnings(findings: &Findings<'_>) -> Vec<String> {
    let mut lines: Vec<_> = findings.first.iter().map(warning).collect();
    let left_out = findings.total - lines.len();
    if left_out > 0 {
        lines.push(format!("{left_out} more warnings about this IPPool are left out here"));
    }
    lines
}

/// In full where that is short enough, else without the words and the value that the path points at, at
/// last without all but what would be right.
fn warning(finding: &Finding<'_>) -> String {
    let (path, rule) = (&finding.path, finding.rule.id);
    let remedy = finding.remedy(MAX_LISTED_IN_WARNING);
    let forms = [
        format!("{path}: {}{remedy}", finding.opening()),
        format!("{path}: {remedy}"),
        format!("{path}: {} [{rule}]", finding.advice(MAX_LISTED_IN_WARNING)),
    ];
    let short = forms.iter().position(|form| form.chars().count() <= GOOD_WARNING_CHARS);
    let [_, _, shortest] = &forms;
    shortened(short.map_or(shortest, |form| &forms[form]).clone())
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_WARNING_CHARS) {
        Some((cut, _)) => text[..cut].to_owned(),
        None => text,
    }
}

/// `rules` names every rule that spoke, `denied-by` those that refused.
fn annotations(findings: &[Count]) -> BTreeMap<&'static str, String> {
    let ids = |at_least: Severity| {
        let spoke = findings.iter().filter(|count| count.severity >= at_least);
        let ids: BTreeSet<_> = spoke.map(|count| count.rule.id).collect();
        ids.into_iter().collect::<Vec<_>>().join(",")
    };
    let entries = [("rules", ids(Severity::Warn)), ("denied-by", ids(Severity::Deny))];
    entries.into_iter().filter(|(_, ids)| !ids.is_empty()).collect()
}

/// The rules whose defects normalizing repairs in this pool.
fn normalized_findings(pool: &Pool<'_>, policy: &Policy) -> Vec<Count> {
    let severity = |rule: &Rule| {
        if rule.normalized { policy.severity(rule).min(Severity::Warn) } else { Severity::Off }
    };
    let (mut counts, subject) = (Vec::new(), Subject::new(pool, None));
    for (rule, severity) in rules::active(Operation::Create, severity) {
        rule.check(&subject, severity, &mut |finding| {
            counts.push(Count { rule: finding.rule, severity: finding.severity, findings: 1 });
        });
    }
    counts
}
