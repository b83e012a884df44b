//! The metrics of an audit. Names of pools are labels, so the number of pools is bounded.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::store::Watched;
use crate::audit::report::Report;
use crate::kinds::ippool::IpPool;
use crate::kinds::{self, Kind as _};
use crate::server::Process;
use crate::text::printable;

/// Findings about other objects than pools have an empty label `pool`.
type Labels = Vec<(&'static str, String)>;

/// The numbers of the last evaluation.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Allocations, capacity and leaked addresses, by namespace and name.
    pools: Vec<(String, String, [f64; 3])>,
    /// By namespace, pool and rule.
    findings: BTreeMap<(String, String, &'static str), u64>,
    left_out: usize,
    not_done: Vec<&'static str>,
    watch_errors: Vec<(&'static str, u64)>,
    seconds_since_1970: f64,
}

impl Snapshot {
    /// Takes the numbers of the first `max` pools, and counts the others.
    #[expect(clippy::cast_precision_loss, reason = "a metric is a floating-point number")]
    pub fn of(report: &Report, max: usize, kinds: &[Watched]) -> Self {
        let mut snapshot = Self { left_out: report.pools.len().saturating_sub(max), ..Self::default() };
        for pool in report.pools.iter().take(max) {
            let numbers = [pool.allocated as f64, pool.capacity as f64, pool.leaked as f64];
            snapshot.pools.push((printable(&pool.namespace), printable(&pool.name), numbers));
        }
        let last = report.pools.get(..max).and_then(|shown| shown.last());
        for it in &report.findings {
            let is_pool = it.kind == IpPool::KIND;
            let object = (it.object.namespace.as_str(), it.object.name.as_str());
            if is_pool && last.is_some_and(|last| object > (last.namespace.as_str(), last.name.as_str())) {
                continue;
            }
            let pool = if is_pool { printable(object.1) } else { String::new() };
            *snapshot.findings.entry((printable(object.0), pool, it.finding.rule.id)).or_default() += 1;
        }
        snapshot.not_done = report.not_done.iter().flat_map(|it| it.rules.iter().copied()).collect();
        snapshot.watch_errors = kinds.iter().map(|it| (it.resource.kind.as_str(), it.errors)).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        snapshot.seconds_since_1970 = now.map_or(0.0, |since| since.as_secs_f64());
        snapshot
    }

    /// In the text format of OpenMetrics.
    pub fn text(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process::default()));
        self.register(registry.sub_registry_with_prefix("ippool"));
        let mut text = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            tracing::error!(%error, "metrics could not be encoded");
        }
        text
    }

    fn register(&self, registry: &mut Registry) {
        type Gauges<N> = Family<Labels, Gauge<N, std::sync::atomic::AtomicU64>>;
        let names = ["allocations", "capacity", "leaked"];
        let help = [
            "Entries of a pool, those that are reserved by hand included",
            "Addresses of a pool that whereabouts can hand out",
            "Entries of a pool whose owner is gone",
        ];
        for (index, (name, help)) in names.into_iter().zip(help).enumerate() {
            let gauges = Gauges::<f64>::default();
            for (namespace, pool, numbers) in &self.pools {
                let labels = vec![("namespace", namespace.clone()), ("pool", pool.clone())];
                gauges.get_or_create(&labels).set(numbers.get(index).copied().unwrap_or_default());
            }
            registry.register(name, help, gauges);
        }
        let findings = Family::<Labels, Gauge>::default();
        for ((namespace, pool, rule), count) in &self.findings {
            let labels =
                vec![("namespace", namespace.clone()), ("pool", pool.clone()), ("rule", (*rule).to_owned())];
            findings.get_or_create(&labels).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        registry.register(
            "findings",
            "Findings by rule; those about another object than a pool have no pool",
            findings,
        );
        self.register_audit(registry.sub_registry_with_prefix("audit"));
    }

    fn register_audit(&self, registry: &mut Registry) {
        let left_out = Gauge::<i64>::default();
        left_out.set(i64::try_from(self.left_out).unwrap_or(i64::MAX));
        registry.register("pools_without_series", "Pools past --max-pools, which have no series", left_out);
        let not_done = Family::<Labels, Gauge>::default();
        for rule in kinds::rules() {
            let is_not_done = self.not_done.contains(&rule.id);
            not_done.get_or_create(&vec![("rule", rule.id.to_owned())]).set(is_not_done.into());
        }
        registry.register("not_done", "Rules that could not be checked, or not everywhere", not_done);
        let errors = Family::<Labels, Counter>::default();
        for (kind, count) in &self.watch_errors {
            errors.get_or_create(&vec![("kind", (*kind).to_owned())]).inc_by(*count);
        }
        registry.register("watch_errors", "Watches that broke and were resumed", errors);
        let time = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
        time.set(self.seconds_since_1970);
        registry.register(
            "last_look_timestamp_seconds",
            "When the objects were last looked at, in seconds since 1970",
            time,
        );
        registry.register("build", "The version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }
}
