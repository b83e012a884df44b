//! What is logged about a request: one line, never an object or a body.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::request::Parts;
use tracing::{debug, info, warn};

use super::rejection::Rejection;
use crate::admission::{Endpoint, Outcome, ReviewRecord};
use crate::text;

/// The longest text of a request in one log field, in bytes as written: names have at most 253. Five of them and the
/// rest of the line stay below 4 KiB, even where JSON doubles them.
const MAX_TEXT_BYTES: usize = 256;

/// Logs a review; one that was allowed without findings only at debug.
pub fn reviewed(endpoint: Endpoint, summary: &ReviewRecord, took: Duration) {
    // The findings of one rule may differ in severity, and are counted apart for the metrics.
    let mut by_rule = BTreeMap::new();
    for count in &summary.findings {
        *by_rule.entry(count.rule.id).or_insert(0) += count.findings;
    }
    let rules: Vec<_> = by_rule.iter().map(|(id, findings)| format!("{id}={findings}")).collect();
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
                rules = rules.join(","),
                findings = by_rule.values().sum::<usize>(),
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
    if summary.untrusted_plugin_write {
        untrusted_plugin_write(summary);
    }
}

/// Names both places where a trusted writer is configured.
fn untrusted_plugin_write(summary: &ReviewRecord) {
    warn!(
        uid = clipped(&summary.uid),
        user = clipped(&summary.username),
        namespace = clipped(&summary.namespace),
        name = clipped(&summary.name),
        "an untrusted service account writes like the CNI plugin; if it is that of whereabouts, add the user to \
         trustedWriters in the policy and to the matchConditions of the webhooks"
    );
}

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
