//! The admission handler: decodes an AdmissionReview, has its request reviewed, and encodes the response.

pub mod decode;
mod patch;
mod response;

use std::fmt;

use crate::finding::Operation;
use crate::kinds::Kind;
use crate::kinds::ippool::IpPool;
use crate::policy::Policy;
use crate::review::{self, Count, Request};
use crate::text::{Quoted, Shortened};
use decode::{AdmissionRequest, Decoded};

/// The two endpoints of the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /mutate`: normalizes; never denies.
    Mutate,
    /// `POST /validate`: allows or denies; never patches.
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

/// A response: HTTP 200, whatever was decided.
#[derive(Clone, Debug)]
pub struct AdmissionResponse {
    /// The AdmissionReview as JSON.
    pub body: Vec<u8>,
    /// What the log and the metrics record of it.
    pub record: ReviewRecord,
}

/// What the log and the metrics record of a review: names and numbers, never the object.
#[derive(Clone, Debug)]
pub struct ReviewRecord {
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
    /// The findings of each rule, with the severity they had in this request.
    pub findings: Vec<Count>,
    /// How many findings would have denied, had trust or enforcement not lowered them.
    pub would_deny: usize,
    /// Whether a service account that is not trusted wrote as the CNI plugin does.
    pub untrusted_plugin_write: bool,
}

/// How a review ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Allowed without a warning.
    Allowed,
    /// Allowed with warnings.
    Warned,
    /// Allowed with a patch.
    Patched,
    /// Denied.
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

/// A body that is not a review this webhook can answer: HTTP 400, so that `failurePolicy` decides.
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
/// [`Malformed`] where the body is not a review of a kind that is known; the object inside may be anything.
pub fn respond(endpoint: Endpoint, body: &[u8], policy: &Policy) -> Result<AdmissionResponse, Malformed> {
    respond_to::<IpPool>(endpoint, body, policy)
}

/// The same for one kind.
///
/// # Errors
/// [`Malformed`] where the body is not a review of this kind.
pub fn respond_to<K: Kind>(
    endpoint: Endpoint,
    body: &[u8],
    policy: &Policy,
) -> Result<AdmissionResponse, Malformed> {
    let Decoded::<K> { request, object, old_object } = decode::decode(as_text(body)?)?;
    if !is_about_objects::<K>(&request)? {
        return Ok(response::allow(&request, policy));
    }
    let operation = request.operation.unwrap_or_default();
    let review = Request::<K> { operation, username: &request.user_info.username, object, old_object };
    Ok(match endpoint {
        Endpoint::Validate => {
            let mut response =
                response::from_verdict::<K>(&request, &review::review(&review, policy), policy);
            let trusted = response.record.trusted;
            response.record.untrusted_plugin_write = !trusted && review::is_plugin_write(&review);
            response
        }
        Endpoint::Mutate => match review::normalize(&review, policy) {
            Some((normalization, repaired)) => {
                response::allow_with_patch(&request, &normalization, repaired, policy)
            }
            None => response::allow(&request, policy),
        },
    })
}

fn as_text(body: &[u8]) -> Result<&str, Malformed> {
    if body.is_empty() {
        return Err(
            MalformedReason::EmptyBody.because("the request body is empty; an AdmissionReview is expected")
        );
    }
    // Once for the whole body, or serde_json would check every string again. The fast check does not say where the
    // body is wrong; the other one does.
    simdutf8::basic::from_utf8(body)
        .or_else(|_| std::str::from_utf8(body))
        .map_err(|error| MalformedReason::NotJson.because(format!("the request body is not UTF-8: {error}")))
}

/// Whether the review is about an object itself; not for a subresource, which holds no spec.
fn is_about_objects<K: Kind>(request: &AdmissionRequest<'_>) -> Result<bool, Malformed> {
    let resource = &request.resource;
    if (resource.group.as_ref(), resource.kind.as_ref()) != (K::GROUP, K::RESOURCE) {
        let (name, group) = (Quoted(&resource.kind), Quoted(&resource.group));
        let message = format!(
            "this webhook reviews {} of {}, not resource {name} of group {group}; \
             correct the rules of the webhook configuration",
            K::RESOURCE,
            K::GROUP
        );
        return Err(MalformedReason::WrongKind.because(message));
    }
    if request.operation == Some(Operation::Connect) || !request.sub_resource.is_empty() {
        return Ok(false);
    }
    let kind = &request.kind;
    if (kind.group.as_ref(), kind.version.as_ref(), kind.kind.as_ref()) != (K::GROUP, K::VERSION, K::KIND) {
        let wanted = format!("{}/{} {}", K::GROUP, K::VERSION, K::KIND);
        let (group, version, kind) =
            (Shortened(&kind.group), Shortened(&kind.version), Shortened(&kind.kind));
        let message = format!("this webhook reviews {wanted}, not {group}/{version} {kind}");
        return Err(MalformedReason::WrongKind.because(message));
    }
    Ok(true)
}
