//! The door: reads the envelope, keeps its uid, and writes the answer. Only the door serialises.

mod envelope;
mod patch;
mod reply;

use std::fmt;

use crate::policy::Policy;
use crate::pool::{GROUP, KIND, RESOURCE, VERSION};
use crate::report::Operation;
use crate::review::{self, Count, Request};
use crate::text::{Quoted, Shortened};
use envelope::{Envelope, GroupVersionKind, Question};

/// The two doors of the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /mutate`: writes `spec.range` in canonical form; never refuses.
    Mutate,
    /// `POST /validate`: judges; never patches.
    Validate,
}

impl Endpoint {
    /// The last part of its path, which is also its metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
        }
    }
}

/// An answer to a review: HTTP 200, whatever was decided.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The AdmissionReview as JSON.
    pub body: Vec<u8>,
    /// What the log and the metrics say about it.
    pub summary: Summary,
}

/// What the log and the metrics say about a review: names and numbers, never the object.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The uid of the request, which the apiserver's own traces carry too.
    pub uid: String,
    /// What was done.
    pub operation: Operation,
    /// Who did it.
    pub username: String,
    /// Whether this is one of the trusted writers.
    pub trusted: bool,
    /// The namespace of the pool.
    pub namespace: String,
    /// The name of the pool; empty where the apiserver still has to make one.
    pub name: String,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The rules that spoke, with the severity they had in this request.
    pub findings: Vec<Count>,
    /// How many findings would have denied, had trust or enforcement not lowered them.
    pub would_deny: usize,
    /// Whether a service account that is not trusted wrote as the CNI plugin does.
    pub untrusted_plugin_write: bool,
}

/// How a review ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Let through in silence.
    Allowed,
    /// Let through with warnings.
    Warned,
    /// Let through with a patch.
    Patched,
    /// Refused.
    Denied,
}

impl Outcome {
    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Warned => "warned",
            Self::Patched => "patched",
            Self::Denied => "denied",
        }
    }
}

/// A body that is no review this webhook can answer: HTTP 400, so that `failurePolicy` decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The kind of mistake, a small enum for metrics.
    pub reason: MalformedReason,
    /// What is wrong and what would be right, for the `Status` that the apiserver shows.
    pub message: String,
}

/// The kinds of mistake in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MalformedReason {
    /// Nothing was sent.
    EmptyBody,
    /// Not JSON in UTF-8.
    NotJson,
    /// Not an `admission.k8s.io/v1` AdmissionReview with a request.
    NotAReview,
    /// A review of another kind or resource: the registration is wrong.
    WrongKind,
}

impl MalformedReason {
    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyBody => "empty_body",
            Self::NotJson => "not_json",
            Self::NotAReview => "not_a_review",
            Self::WrongKind => "wrong_kind",
        }
    }

    fn because(self, message: impl Into<String>) -> Malformed {
        Malformed { reason: self, message: message.into() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Malformed {}

/// Answers one AdmissionReview. Total and pure: same body, same bytes out.
///
/// # Errors
/// [`Malformed`] where the body is no review of an IPPool; the object inside may be anything.
pub fn answer(endpoint: Endpoint, body: &[u8], policy: &Policy) -> Result<Answer, Malformed> {
    let body = as_text(body)?;
    let Envelope { question, new, old } = envelope::read(body)?;
    if !is_about_pools(&question)? {
        return Ok(reply::untouched(&question, policy));
    }
    let username = question.user_info.username.as_ref();
    let request = Request { operation: question.operation, username, new, old };
    Ok(match endpoint {
        Endpoint::Validate => {
            let mut answer = reply::judged(&question, &review::review(&request, policy), policy);
            let trusted = answer.summary.trusted;
            answer.summary.untrusted_plugin_write = !trusted && review::is_write_of_a_plugin(&request);
            answer
        }
        Endpoint::Mutate => match (review::normalize(&request, policy), &request.new) {
            (Some(range), Some(pool)) => reply::patched(&question, pool, &range, policy),
            _ => reply::untouched(&question, policy),
        },
    })
}

fn as_text(body: &[u8]) -> Result<&str, Malformed> {
    if body.is_empty() {
        return Err(
            MalformedReason::EmptyBody.because("the request body is empty; an AdmissionReview is expected")
        );
    }
    // Once for the whole body: serde_json would check every string again. The quick check says no more than
    // that it is not; where it is not, the slow one tells.
    simdutf8::basic::from_utf8(body)
        .or_else(|_| std::str::from_utf8(body))
        .map_err(|error| MalformedReason::NotJson.because(format!("the request body is not UTF-8: {error}")))
}

/// Whether the review is about an IPPool itself; not for a subresource, which holds no spec.
fn is_about_pools(question: &Question<'_>) -> Result<bool, Malformed> {
    let resource = &question.resource;
    if (resource.group.as_ref(), resource.resource.as_ref()) != (GROUP, RESOURCE) {
        let (name, group) = (Quoted(&resource.resource), Quoted(&resource.group));
        let message = format!(
            "this webhook reviews {RESOURCE} of {GROUP}, not resource {name} of group {group}; \
             correct the rules of the webhook configuration"
        );
        return Err(MalformedReason::WrongKind.because(message));
    }
    if question.operation == Operation::Connect || !question.sub_resource.is_empty() {
        return Ok(false);
    }
    let GroupVersionKind { group, version, kind } = &question.kind;
    if (group.as_ref(), version.as_ref(), kind.as_ref()) != (GROUP, VERSION, KIND) {
        let (group, version, kind) = (Shortened(group), Shortened(version), Shortened(kind));
        let message = format!("this webhook reviews {GROUP}/{VERSION} {KIND}, not {group}/{version} {kind}");
        return Err(MalformedReason::WrongKind.because(message));
    }
    Ok(true)
}
