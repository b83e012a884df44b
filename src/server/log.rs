//! What is logged of a request: one line, once, at the boundary; never an object or a body.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::request::Parts;
use tracing::{debug, info, warn};

use super::rejection::Rejection;
use crate::admission::{Endpoint, Outcome, ReviewRecord};
use crate::text;

/// The longest stretch of a request's own text in a log line, in bytes as it is written: names have at most 253. Five
/// of them and the rest stay below the 4 KiB of a line, also where JSON needs two bytes for one.
const MAX_TEXT_BYTES: usize = 256;

/// An answered review. What was allowed without a word is of interest only when somebody looks for it.
pub fn reviewed(endpoint: Endpoint, summary: &ReviewRecord, took: Duration) {
    let rules: BTreeSet<_> = summary.findings.iter().map(|count| count.rule.id).collect();
    let rules = rules.into_iter().collect::<Vec<_>>().join(",");
    macro_rules! line {
        ($level:ident) => {
            $level!(
                uid = clipped(&summary.uid),
                endpoint = endpoint.as_str(),
                operation = summary.operation.as_str(),
                user = clipped(&summary.username),
                trusted = summary.trusted,
                namespace = clipped(&summary.namespace),
                name = clipped(&summary.name),
                dry_run = summary.dry_run,
                outcome = summary.outcome.as_str(),
                rules,
                findings = summary.findings.iter().map(|count| count.findings).sum::<usize>(),
                would_deny = summary.would_deny,
                duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3,
                "reviewed"
            )
        };
    }
    if summary.outcome == Outcome::Allowed && summary.findings.is_empty() {
        line!(debug);
    } else {
        line!(info);
    }
}

/// A service account that is not trusted wrote as the CNI plugin does: both places that have to know it.
pub fn untrusted_plugin_write(summary: &ReviewRecord) {
    warn!(
        uid = clipped(&summary.uid),
        user = clipped(&summary.username),
        namespace = clipped(&summary.namespace),
        name = clipped(&summary.name),
        "a service account that is not trusted writes as the CNI plugin does; if it is that of whereabouts, add the user \
         to trustedWriters of the policy and to the matchConditions of the webhooks"
    );
}

/// A request that was turned away.
pub fn rejected(rejection: &Rejection, head: &Parts) {
    warn!(
        method = clipped(head.method.as_str()),
        path = clipped(head.uri.path()),
        status = rejection.status.as_u16(),
        reason = rejection.reason,
        why = rejection.message,
        "rejected"
    );
}

fn clipped(text: &str) -> String {
    text::shortened(text, MAX_TEXT_BYTES)
}
