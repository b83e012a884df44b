//! What `/metrics` shows. Every label is a rule id or one of a few fixed words, never text of a request.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::activity::{Gauges, Phase};
use super::log_writer::DROPPED;
use super::process::Process;
use super::waits::Waits;
use crate::admission::{Endpoint, Outcome, ReviewRecord};
use crate::finding::{Operation, Severity};
use crate::kinds;

/// In seconds: from what a small review takes to past the apiserver's usual timeout of 10 s.
const DURATION_BUCKETS: [f64; 13] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// In bytes: from an empty pool to the longest body.
const BYTES_BUCKETS: [f64; 7] = [1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 8_388_608.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reviewed {
    endpoint: &'static str,
    operation: &'static str,
    writer: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByEndpoint {
    endpoint: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Found {
    rule: &'static str,
    severity: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByPermit {
    permit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByState {
    listener: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

/// What a connection may be doing when it gives way.
const EVICTABLE: [Phase; 3] = [Phase::Handshake, Phase::Unused, Phase::Idle];

type Durations = Family<ByEndpoint, Histogram, fn() -> Histogram>;

/// The counters, gauges and histograms of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<Reviewed, Counter>,
    would_deny: Family<ByEndpoint, Counter>,
    untrusted_plugin_writes: Counter,
    durations: Durations,
    findings: Family<Found, Counter>,
    request_bytes: Histogram,
    rejected: Family<ByReason, Counter>,
    handshakes_failed: Family<ByReason, Counter>,
    reloads: Family<ByOutcome, Counter>,
    client_ca_reloads: Family<ByOutcome, Counter>,
    /// What the account of memory holds now.
    pub in_flight_bytes: Gauge,
    connections: Family<ByState, Gauge>,
    evicted: Family<ByState, Counter>,
    waiting: Family<ByPermit, Gauge>,
    waits: Family<ByPermit, Counter>,
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
        registry.register_collector(Box::new(Process::default()));
        metrics.registry = registry;
        metrics.start_at_zero();
        metrics
    }
}

impl Metrics {
    fn register_requests(&self, r: &mut Registry) {
        r.register("reviews", "Reviews answered, or turned away with an error", self.reviews.clone());
        let help = "Reviews that would have been denied had they been enforced and their writer not trusted";
        r.register("reviews_would_deny", help, self.would_deny.clone());
        let help = "Updates by service accounts that are not trusted and write as the CNI plugin does";
        r.register("untrusted_plugin_writes", help, self.untrusted_plugin_writes.clone());
        let help = "Time from the end of a request's header to its answer, or to giving up";
        r.register("review_duration_seconds", help, self.durations.clone());
        r.register("findings", "What the rules found, as it was reported", self.findings.clone());
        r.register("request_bytes", "Length of the bodies read", self.request_bytes.clone());
        r.register("rejected_requests", "Requests answered with an HTTP error", self.rejected.clone());
    }

    fn register_bounds(&self, r: &mut Registry) {
        let help = "Memory held for reviews now, in bytes: bodies, what a review of them takes, answers until they are sent";
        r.register("in_flight_bytes", help, self.in_flight_bytes.clone());
        r.register(
            "permits_waiting",
            "Requests that wait for memory or a processor now",
            self.waiting.clone(),
        );
        r.register("permit_waits", "Requests that had to wait for memory or a processor", self.waits.clone());
        r.register("connections", "Connections open now, by what they do", self.connections.clone());
        let help = "Connections closed for a new one, by what they did";
        r.register("connections_evicted", help, self.evicted.clone());
        let help = "Lines of the log that were dropped since nobody read those before them";
        r.register("log_lines_dropped", help, DROPPED.clone());
    }

    fn register_rest(&self, r: &mut Registry) {
        let help = "TLS handshakes that failed; \"rejected\": the caller does not trust our CA, or we do not trust its certificate";
        r.register("tls_handshakes_failed", help, self.handshakes_failed.clone());
        let help = "When the certificate in use expires, in seconds since 1970";
        r.register("certificate_expiry_timestamp_seconds", help, self.certificate_expiry.clone());
        let help = "Certificate files that changed, and whether they could be used";
        r.register("certificate_reloads", help, self.reloads.clone());
        let help = "Contents of --client-ca that changed, and whether they could be used";
        r.register("client_ca_reloads", help, self.client_ca_reloads.clone());
        r.register("build", "The version that runs", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    }

    /// A counter that appears with its first event hides that event from `rate()`.
    fn start_at_zero(&self) {
        for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
            self.start_endpoint_at_zero(endpoint);
        }
        for rule in kinds::rules() {
            for severity in [Severity::Warn, Severity::Deny] {
                self.findings.get_or_create(&Found { rule: rule.id, severity: severity.as_str() }).inc_by(0);
            }
        }
        for outcome in ["success", "failure"] {
            self.reloads.get_or_create(&ByOutcome { outcome }).inc_by(0);
            self.client_ca_reloads.get_or_create(&ByOutcome { outcome }).inc_by(0);
        }
        for reason in
            ["panic", "memory", "processors", "allocation", "body_stalled", "body_timeout", "deadline"]
        {
            self.rejected.get_or_create(&ByReason { reason }).inc_by(0);
        }
        for listener in ["webhook", "admin"] {
            drop(self.connections(listener));
            for state in EVICTABLE {
                self.evicted.get_or_create(&ByState { listener, state: state.as_str() }).inc_by(0);
            }
        }
        for permit in ["memory", "processor"] {
            drop(self.permits(permit));
        }
    }

    fn start_endpoint_at_zero(&self, endpoint: Endpoint) {
        self.would_deny.get_or_create(&ByEndpoint { endpoint: endpoint.as_str() }).inc_by(0);
        drop(self.durations.get_or_create(&ByEndpoint { endpoint: endpoint.as_str() }));
        for operation in [Operation::Create, Operation::Update, Operation::Delete] {
            for writer in [false, true] {
                for outcome in [Outcome::Allowed, Outcome::Warned, Outcome::Patched, Outcome::Denied] {
                    let labels = reviewed(endpoint, operation.as_str(), writer, outcome.as_str());
                    self.reviews.get_or_create(&labels).inc_by(0);
                }
            }
        }
    }

    /// Counts an answered review.
    pub fn reviewed(&self, endpoint: Endpoint, summary: &ReviewRecord) {
        let ReviewRecord { operation, trusted, outcome, .. } = *summary;
        self.reviews.get_or_create(&reviewed(endpoint, operation.as_str(), trusted, outcome.as_str())).inc();
        for count in &summary.findings {
            let found = Found { rule: count.rule.id, severity: count.severity.as_str() };
            self.findings.get_or_create(&found).inc_by(count.findings as u64);
        }
        self.untrusted_plugin_writes.inc_by(summary.untrusted_plugin_write.into());
        if summary.would_deny > 0 {
            self.would_deny.get_or_create(&ByEndpoint { endpoint: endpoint.as_str() }).inc();
        }
    }

    /// Counts the time of a review, answered or not.
    pub fn took(&self, endpoint: Endpoint, took: Duration) {
        self.durations.get_or_create(&ByEndpoint { endpoint: endpoint.as_str() }).observe(took.as_secs_f64());
    }

    /// Counts a request that was turned away, at one of the endpoints or elsewhere.
    pub fn rejected(&self, endpoint: Option<Endpoint>, reason: &'static str) {
        self.rejected.get_or_create(&ByReason { reason }).inc();
        if let Some(endpoint) = endpoint {
            self.reviews.get_or_create(&reviewed(endpoint, "unknown", false, "error")).inc();
        }
    }

    /// The connections of `listener`, by what they do.
    pub fn connections(&self, listener: &'static str) -> Gauges {
        let gauge = |phase: Phase| {
            let labels = ByState { listener, state: phase.as_str() };
            self.connections.get_or_create(&labels).clone()
        };
        let [handshake, unused, idle] = EVICTABLE.map(gauge);
        Gauges { handshake, unused, idle, busy: gauge(Phase::Reviewing) }
    }

    /// Counts a connection of `listener` that was closed for a new one.
    pub fn evicted(&self, listener: &'static str, phase: Phase) {
        self.evicted.get_or_create(&ByState { listener, state: phase.as_str() }).inc();
    }

    /// Those who wait for `permit` now, and all who had to.
    pub fn permits(&self, permit: &'static str) -> Waits {
        let labels = ByPermit { permit };
        Waits::new(self.waiting.get_or_create(&labels).clone(), self.waits.get_or_create(&labels).clone())
    }

    /// Counts the length of a body.
    pub fn received(&self, bytes: usize) {
        self.request_bytes.observe(bytes as f64);
    }

    /// Counts a handshake that came to nothing.
    pub fn handshake_failed(&self, reason: &'static str) {
        self.handshakes_failed.get_or_create(&ByReason { reason }).inc();
    }

    /// Counts a change of the certificate files.
    pub fn reloaded(&self, worked: bool) {
        self.reloads.get_or_create(&by_outcome(worked)).inc();
    }

    /// Counts a change of the client CA.
    pub fn client_ca_reloaded(&self, worked: bool) {
        self.client_ca_reloads.get_or_create(&by_outcome(worked)).inc();
    }

    /// All of it, in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string fails only if an encoder does; what it wrote so far is still worth showing.
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }
}

fn by_outcome(worked: bool) -> ByOutcome {
    ByOutcome { outcome: if worked { "success" } else { "failure" } }
}

fn reviewed(endpoint: Endpoint, operation: &'static str, trusted: bool, outcome: &'static str) -> Reviewed {
    let writer = if trusted { "trusted" } else { "other" };
    Reviewed { endpoint: endpoint.as_str(), operation, writer, outcome }
}
