//! What `/metrics` shows. Every label is a rule id or one of a few fixed words, never text of a request.

mod connections;
mod process;
mod waits;

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use connections::{ConnectionGauges, ConnectionState};
pub use waits::Waits;

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

/// The counters, gauges and histograms of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<Labels<4>, Counter>,
    would_deny: Family<Labels<1>, Counter>,
    untrusted_plugin_writes: Counter,
    durations: Family<Labels<1>, Histogram, fn() -> Histogram>,
    findings: Family<Labels<2>, Counter>,
    request_bytes: Histogram,
    rejected: Family<Labels<1>, Counter>,
    handshakes_failed: Family<Labels<1>, Counter>,
    reloads: Family<Labels<1>, Counter>,
    client_ca_reloads: Family<Labels<1>, Counter>,
    pub in_flight_bytes: Gauge,
    connections: Family<Labels<2>, Gauge>,
    evicted: Family<Labels<2>, Counter>,
    waiting: Family<Labels<1>, Gauge>,
    waits: Family<Labels<1>, Counter>,
    /// When the certificate in use expires, in seconds since 1970.
    pub certificate_expiry: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            reviews: Family::default(),
            would_deny: Family::default(),
            untrusted_plugin_writes: Counter::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            findings: Family::default(),
            request_bytes: Histogram::new(BYTES_BUCKETS),
            rejected: Family::default(),
            handshakes_failed: Family::default(),
            reloads: Family::default(),
            client_ca_reloads: Family::default(),
            in_flight_bytes: Gauge::default(),
            connections: Family::default(),
            evicted: Family::default(),
            waiting: Family::default(),
            waits: Family::default(),
            certificate_expiry: Gauge::default(),
        };
        let mut registry = Registry::default();
        let prefixed = registry.sub_registry_with_prefix("ippool_webhook");
        metrics.register_requests(prefixed);
        metrics.register_bounds(prefixed);
        metrics.register_rest(prefixed);
        registry.register_collector(Box::new(process::Process::default()));
        metrics.registry = registry;
        metrics.start_at_zero();
        metrics
    }
}

impl Metrics {
    fn register_requests(&self, r: &mut Registry) {
        r.register("reviews", "Reviews, including those that ended in an HTTP error", self.reviews.clone());
        let help =
            "Reviews that would have been denied if they were enforced and their writer was not trusted";
        r.register("reviews_would_deny", help, self.would_deny.clone());
        let help = "Updates by untrusted service accounts that write like the CNI plugin";
        r.register("untrusted_plugin_writes", help, self.untrusted_plugin_writes.clone());
        let help = "Time from the end of the header of a request to its response";
        r.register("review_duration_seconds", help, self.durations.clone());
        r.register("findings", "Findings as they were reported", self.findings.clone());
        r.register("request_bytes", "Length of the bodies that were read", self.request_bytes.clone());
        r.register("rejected_requests", "Requests that ended in an HTTP error", self.rejected.clone());
    }

    fn register_bounds(&self, r: &mut Registry) {
        let help =
            "Memory that is held for reviews: bodies, their evaluation, and responses until they are sent";
        r.register("in_flight_bytes", help, self.in_flight_bytes.clone());
        r.register("permits_waiting", "Requests that wait for memory or a processor", self.waiting.clone());
        r.register("permit_waits", "Requests that had to wait for memory or a processor", self.waits.clone());
        r.register("connections", "Open connections by what they are doing", self.connections.clone());
        let help = "Connections that were closed for a new one, by what they were doing";
        r.register("connections_evicted", help, self.evicted.clone());
        let help = "Log lines that were dropped because the queue was full";
        r.register("log_lines_dropped", help, DROPPED_LINES.clone());
    }

    fn register_rest(&self, r: &mut Registry) {
        let help =
            "TLS handshakes that failed; \"rejected\": one side does not trust the certificate of the other";
        r.register("tls_handshakes_failed", help, self.handshakes_failed.clone());
        let help = "When the certificate in use expires, in seconds since 1970";
        r.register("certificate_expiry_timestamp_seconds", help, self.certificate_expiry.clone());
        let help = "Changes of the certificate files, and whether they could be used";
        r.register("certificate_reloads", help, self.reloads.clone());
        let help = "Changes of --client-ca, and whether they could be used";
        r.register("client_ca_reloads", help, self.client_ca_reloads.clone());
        r.register("build", "The version", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    }

    /// Creates the series: `rate()` would miss the event that makes one appear.
    fn start_at_zero(&self) {
        for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
            self.start_endpoint_at_zero(endpoint);
        }
        for rule in kinds::rules() {
            for severity in [Severity::Warn, Severity::Deny] {
                self.findings.get_or_create(&finding(rule.id, severity)).inc_by(0);
            }
        }
        for worked in [true, false] {
            self.reloads.get_or_create(&outcome(worked)).inc_by(0);
            self.client_ca_reloads.get_or_create(&outcome(worked)).inc_by(0);
        }
        for reason in REASONS {
            self.rejected.get_or_create(&[("reason", reason)]).inc_by(0);
        }
        for listener in ["webhook", "admin"] {
            drop(self.connections(listener));
            for state in ConnectionState::ALL.into_iter().filter(|state| *state != ConnectionState::Busy) {
                self.evicted.get_or_create(&connection(listener, state)).inc_by(0);
            }
        }
        for permit in ["memory", "processor"] {
            drop(self.permits(permit));
        }
    }

    fn start_endpoint_at_zero(&self, endpoint: Endpoint) {
        self.would_deny.get_or_create(&at(endpoint)).inc_by(0);
        drop(self.durations.get_or_create(&at(endpoint)));
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
            self.would_deny.get_or_create(&at(endpoint)).inc();
        }
    }

    /// Counts the time of a review, whatever its response.
    pub fn took(&self, endpoint: Endpoint, took: Duration) {
        self.durations.get_or_create(&at(endpoint)).observe(took.as_secs_f64());
    }

    /// Counts a rejected request, at one of the endpoints or elsewhere.
    pub fn rejected(&self, endpoint: Option<Endpoint>, reason: &'static str) {
        self.rejected.get_or_create(&[("reason", reason)]).inc();
        if let Some(endpoint) = endpoint {
            self.reviews.get_or_create(&review(endpoint, "unknown", false, "error")).inc();
        }
    }

    /// The gauges of the connections of `listener`.
    pub fn connections(&self, listener: &'static str) -> ConnectionGauges {
        let gauge = |state| self.connections.get_or_create(&connection(listener, state)).clone();
        ConnectionGauges(ConnectionState::ALL.map(gauge))
    }

    /// Counts a connection of `listener` that was closed for a new one.
    pub fn evicted(&self, listener: &'static str, state: ConnectionState) {
        self.evicted.get_or_create(&connection(listener, state)).inc();
    }

    /// The requests that wait for `permit`.
    pub fn permits(&self, permit: &'static str) -> Waits {
        let labels = [("permit", permit)];
        let (now, total) = (self.waiting.get_or_create(&labels), self.waits.get_or_create(&labels));
        Waits { now: now.clone(), total: total.clone() }
    }

    pub fn received(&self, bytes: usize) {
        self.request_bytes.observe(bytes as f64);
    }

    pub fn handshake_failed(&self, reason: &'static str) {
        self.handshakes_failed.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn reloaded(&self, worked: bool) {
        self.reloads.get_or_create(&outcome(worked)).inc();
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

fn connection(listener: &'static str, state: ConnectionState) -> Labels<2> {
    [("listener", listener), ("state", state.as_str())]
}

fn review(endpoint: Endpoint, operation: &'static str, trusted: bool, outcome: &'static str) -> Labels<4> {
    let writer = if trusted { "trusted" } else { "other" };
    [("endpoint", endpoint.as_str()), ("operation", operation), ("writer", writer), ("outcome", outcome)]
}
