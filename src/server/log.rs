//! What is logged of a request: one line, once, at the boundary; never an object or a body.

use std::time::Duration;

use axum::http::request::Parts;
use tracing::{debug, info, warn};

use super::rejection::Rejection;
use crate::admission::{Endpoint, Outcome, Summary};

/// The longest stretch of a request's own text in a log line, in bytes: names have at most 253.
const MAX_TEXT_BYTES: usize = 256;

/// An answered review. What was allowed without a word is of interest only when somebody looks for it.
pub fn reviewed(endpoint: Endpoint, summary: &Summary, took: Duration) {
    let rules: Vec<_> = summary.findings.iter().map(|(rule, _)| rule.id).collect();
    let rules = rules.join(",");
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
                spared = summary.spared,
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
pub fn untrusted_plugin_write(summary: &Summary) {
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
        why = clipped(&rejection.message),
        "rejected"
    );
}

/// The beginning of `text`.
fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_clipped_between_characters() {
        assert_eq!(clipped("short"), "short");
        assert_eq!(clipped(&"ä".repeat(200)), "ä".repeat(128));
        assert_eq!(clipped(&format!("x{}", "ä".repeat(200))), format!("x{}", "ä".repeat(127)));
    }
}
