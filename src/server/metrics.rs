//! What `/metrics` shows. Every label is a rule id or one of a few fixed words, never text of a request.

mod process;

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use self::process::Process;
use super::log::DROPPED_LINES;
use crate::admission::{Endpoint, Outcome, ReviewRecord};
use crate::finding::{Operation, Severity};
use crate::kinds;

/// In seconds: from a small review to beyond the apiserver's default timeout of 10 s.
const DURATION_BUCKETS: [f64; 13] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// In bytes: from an empty pool to the longest body.
const BYTES_BUCKETS: [f64; 7] = [1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 8_388_608.0];

/// The reasons of rejections that start at zero; the others appear with the first one.
const REASONS: [&str; 7] =
    ["panic", "memory", "processors", "allocation", "body_stalled", "body_timeout", "deadline"];

/// Names and values. The values are not enums: the derive would write `Handshake`, not `handshake`.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// One struct of metrics: the name of a field is that of its metric, and its comment is the help text.
macro_rules! metrics {
    ($(#[doc = $help:literal] $vis:vis $name:ident: $type:ty = $new:expr,)*) => {
        /// The counters, gauges and histograms of one server.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] $vis $name: $type,)*
        }

        impl Default for Metrics {
            fn default() -> Self {
                let mut metrics = Self { registry: Registry::default(), $($name: $new,)* };
                metrics.registry.register_collector(Box::new(Process::default()));
                let prefixed = metrics.registry.sub_registry_with_prefix("ippool_webhook");
                $(prefixed.register(stringify!($name), $help.trim(), metrics.$name.clone());)*
                prefixed.register("build", "The version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
                metrics.start_at_zero();
                metrics
            }
        }
    };
}

metrics! {
    /// Reviews, including those that ended in an HTTP error
    reviews: Family<Labels<4>, Counter> = Family::default(),
    /// Reviews that would have been denied if they were enforced and their writer was not trusted
    reviews_would_deny: Family<Labels<1>, Counter> = Family::default(),
    /// Updates by untrusted service accounts that write like the CNI plugin
    untrusted_plugin_writes: Counter = Counter::default(),
    /// Time from the end of the header of a request to its response
    review_duration_seconds: Family<Labels<1>, Histogram, fn() -> Histogram> =
        Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
    /// Findings as they were reported
    findings: Family<Labels<2>, Counter> = Family::default(),
    /// Length of the bodies that were read
    pub request_bytes: Histogram = Histogram::new(BYTES_BUCKETS),
    /// Requests that ended in an HTTP error
    rejected_requests: Family<Labels<1>, Counter> = Family::default(),
    /// Memory that is held for reviews: bodies, their evaluation, and responses until they are sent
    pub in_flight_bytes: Gauge = Gauge::default(),
    /// Requests that wait for memory or a processor
    permits_waiting: Family<Labels<1>, Gauge> = Family::default(),
    /// Requests that had to wait for memory or a processor
    permit_waits: Family<Labels<1>, Counter> = Family::default(),
    /// Open connections by what they are doing
    connections: Family<Labels<2>, Gauge> = Family::default(),
    /// Connections that were closed for a new one, by what they were doing
    connections_evicted: Family<Labels<2>, Counter> = Family::default(),
    /// Log lines that were dropped because the queue was full
    log_lines_dropped: Counter = DROPPED_LINES.clone(),
    /// TLS handshakes that failed; "rejected": one side does not trust the certificate of the other
    tls_handshakes_failed: Family<Labels<1>, Counter> = Family::default(),
    /// When the certificate in use expires, in seconds since 1970
    pub certificate_expiry_timestamp_seconds: Gauge = Gauge::default(),
    /// Changes of the certificate files, and whether they could be used
    certificate_reloads: Family<Labels<1>, Counter> = Family::default(),
    /// Changes of --client-ca, and whether they could be used
    client_ca_reloads: Family<Labels<1>, Counter> = Family::default(),
}

impl Metrics {
    /// Creates the series: `rate()` would miss the event that makes one appear.
    fn start_at_zero(&self) {
        for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
            self.start_endpoint_at_zero(endpoint);
        }
        for rule in kinds::rules().filter(|rule| !rule.is_only_for_audit()) {
            for severity in [Severity::Warn, Severity::Deny] {
                self.findings.get_or_create(&finding(rule.id, severity)).inc_by(0);
            }
        }
        for worked in [true, false] {
            self.certificate_reloads.get_or_create(&outcome(worked)).inc_by(0);
            self.client_ca_reloads.get_or_create(&outcome(worked)).inc_by(0);
        }
        for reason in REASONS {
            self.rejected_requests.get_or_create(&[("reason", reason)]).inc_by(0);
        }
        for listener in ["webhook", "admin"] {
            for state in ["handshake", "unused", "idle", "busy"] {
                self.connection(listener, state, 0);
            }
            for state in ["handshake", "unused", "idle"] {
                self.connections_evicted.get_or_create(&connection(listener, state)).inc_by(0);
            }
        }
        for reason in ["closed", "rejected", "timeout"] {
            self.tls_handshakes_failed.get_or_create(&[("reason", reason)]).inc_by(0);
        }
        for permit in ["memory", "processor"] {
            self.permits_waiting.get_or_create(&[("permit", permit)]).inc_by(0);
            self.permit_waits.get_or_create(&[("permit", permit)]).inc_by(0);
        }
    }

    fn start_endpoint_at_zero(&self, endpoint: Endpoint) {
        self.reviews_would_deny.get_or_create(&at(endpoint)).inc_by(0);
        drop(self.review_duration_seconds.get_or_create(&at(endpoint)));
        self.reviews.get_or_create(&error(endpoint)).inc_by(0);
        for operation in [Operation::Create, Operation::Update, Operation::Delete] {
            for trusted in [false, true] {
                for outcome in [Outcome::Allowed, Outcome::Warned, Outcome::Patched, Outcome::Denied] {
                    let labels = review(endpoint, operation.as_str(), trusted, outcome.as_str());
                    self.reviews.get_or_create(&labels).inc_by(0);
                }
            }
        }
    }

    pub fn reviewed(&self, endpoint: Endpoint, summary: &ReviewRecord) {
        let ReviewRecord { operation, trusted, outcome, .. } = *summary;
        self.reviews.get_or_create(&review(endpoint, operation.as_str(), trusted, outcome.as_str())).inc();
        for count in &summary.findings {
            self.findings
                .get_or_create(&finding(count.rule.id, count.severity))
                .inc_by(count.findings as u64);
        }
        self.untrusted_plugin_writes.inc_by(summary.untrusted_plugin_write.into());
        if summary.would_deny > 0 {
            self.reviews_would_deny.get_or_create(&at(endpoint)).inc();
        }
    }

    /// Counts the time of a review, whatever its response.
    pub fn took(&self, endpoint: Endpoint, took: Duration) {
        self.review_duration_seconds.get_or_create(&at(endpoint)).observe(took.as_secs_f64());
    }

    /// Counts a rejected request, at one of the endpoints or elsewhere.
    pub fn rejected(&self, endpoint: Option<Endpoint>, reason: &'static str) {
        self.rejected_requests.get_or_create(&[("reason", reason)]).inc();
        if let Some(endpoint) = endpoint {
            self.reviews.get_or_create(&error(endpoint)).inc();
        }
    }

    /// `change` more connections of `listener` are in `state`.
    pub fn connection(&self, listener: &'static str, state: &'static str, change: i64) {
        self.connections.get_or_create(&connection(listener, state)).inc_by(change);
    }

    /// Counts a connection of `listener` that was closed for a new one.
    pub fn evicted(&self, listener: &'static str, state: &'static str) {
        self.connections_evicted.get_or_create(&connection(listener, state)).inc();
    }

    /// Counts one more request that waits for `permit`, for as long as the guard lives.
    pub fn wait(&self, permit: &'static str) -> WaitGuard {
        let labels = [("permit", permit)];
        self.permit_waits.get_or_create(&labels).inc();
        let waiting = self.permits_waiting.get_or_create(&labels).clone();
        waiting.inc();
        WaitGuard(waiting)
    }

    pub fn handshake_failed(&self, reason: &'static str) {
        self.tls_handshakes_failed.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn reloaded(&self, worked: bool) {
        self.certificate_reloads.get_or_create(&outcome(worked)).inc();
    }

    pub fn client_ca_reloaded(&self, worked: bool) {
        self.client_ca_reloads.get_or_create(&outcome(worked)).inc();
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string fails only if an encoder does; what was written before that is still worth showing.
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }
}

fn at(endpoint: Endpoint) -> Labels<1> {
    [("endpoint", endpoint.as_str())]
}

fn finding(rule: &'static str, severity: Severity) -> Labels<2> {
    [("rule", rule), ("severity", severity.as_str())]
}

fn outcome(worked: bool) -> Labels<1> {
    [("outcome", if worked { "success" } else { "failure" })]
}

fn connection(listener: &'static str, state: &'static str) -> Labels<2> {
    [("listener", listener), ("state", state)]
}

fn review(endpoint: Endpoint, operation: &'static str, trusted: bool, outcome: &'static str) -> Labels<4> {
    let writer = if trusted { "trusted" } else { "other" };
    [("endpoint", endpoint.as_str()), ("operation", operation), ("writer", writer), ("outcome", outcome)]
}

/// A review that ended in an HTTP error, whatever it was about.
fn error(endpoint: Endpoint) -> Labels<4> {
    review(endpoint, "unknown", false, "error")
}

/// One waiting request; dropping it ends the wait.
#[derive(Debug)]
pub struct WaitGuard(Gauge);

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
