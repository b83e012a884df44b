//! The open connections of one listener: how many there may be, and which one is closed for a new one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

use super::activity::Activity;
use super::phase::Phase;
use crate::server::metrics::{ConnectionGauges, Metrics};

/// The pause between two attempts to evict a connection while each has a request in progress.
const RETRY: Duration = Duration::from_millis(50);
/// The log message when the maximum is reached.
const AT_LIMIT: &str = "the connection limit is reached; the longest idle ones are closed for new ones";
/// The pause between two log lines about evictions.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct ConnectionTable {
    listener: &'static str,
    max: usize,
    recent: Duration,
    gauges: ConnectionGauges,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
    closed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Activity>,
    evicted: u64,
    logged: Option<Instant>,
}

/// One open connection; dropping it makes room for another.
#[derive(Debug)]
pub struct ConnectionGuard {
    table: Arc<ConnectionTable>,
    id: u64,
    pub activity: Activity,
}

impl ConnectionTable {
    /// At most `max` connections of `listener`. Those that carried a review within `recent` are evicted last.
    pub fn new(listener: &'static str, max: usize, recent: Duration, metrics: &Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            listener,
            max,
            recent,
            gauges: metrics.connections(listener),
            metrics: Arc::clone(metrics),
            table: Mutex::default(),
            closed: Notify::new(),
        })
    }

    /// Waits until one more connection may be open. At the maximum, an unused one is closed.
    pub async fn vacancy(&self) {
        loop {
            let closed = self.closed.notified();
            if self.table().open.len() < self.max {
                return;
            }
            self.evict(AT_LIMIT);
            // The evicted one is about to close; or each has a request in progress, and one of them will end.
            let _ = tokio::time::timeout(RETRY, closed).await;
        }
    }

    pub fn open(self: &Arc<Self>) -> ConnectionGuard {
        let activity = Activity::new(self.gauges.clone());
        let mut table = self.table();
        table.next += 1;
        let id = table.next;
        table.open.insert(id, activity.clone());
        ConnectionGuard { table: Arc::clone(self), id, activity }
    }

    /// Closes the connection of the lowest rank, unless one is closing already, and logs `message`.
    pub fn evict(&self, message: &'static str) {
        let mut table = self.table();
        if table.open.values().any(Activity::is_evicted) {
            return;
        }
        let ranked = table.open.values().filter_map(|it| Some((it.eviction_rank(self.recent)?, it)));
        let first = ranked.min_by_key(|(rank, _)| *rank).map(|(_, activity)| activity);
        let evicted = first.and_then(Activity::evict);
        if let Some(phase) = evicted {
            self.metrics.evicted(self.listener, phase.state());
            table.evicted += 1;
        }
        self.log(message, evicted, &mut table);
    }

    fn log(&self, message: &'static str, evicted: Option<Phase>, table: &mut Table) {
        if table.logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            warn!(
                listener = self.listener,
                connections = table.open.len(),
                evicted = std::mem::take(&mut table.evicted),
                state = evicted.map_or("none", |phase| phase.state().as_str()),
                "{message}"
            );
            table.logged = Some(Instant::now());
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.table.table().open.remove(&self.id);
        self.table.closed.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// Connections in the order in which they were opened; the first is in its handshake.
    fn open(table: &Arc<ConnectionTable>, count: usize) -> Vec<Activity> {
        let activities = (0..count).map(|_| {
            let guard = table.open();
            let activity = guard.activity.clone();
            std::mem::forget(guard);
            activity
        });
        let activities: Vec<_> = activities.collect();
        activities.iter().skip(1).for_each(|activity| activity.established(false));
        activities
    }

    fn request(activity: &Activity, is_review: bool) {
        let guard = activity.begin_request();
        if is_review {
            activity.reviewed();
        }
        drop(guard);
    }

    /// The evicted connections in their order.
    fn order(table: &Arc<ConnectionTable>, activities: &[Activity]) -> Vec<usize> {
        let next = || {
            let ranks = activities.iter().enumerate();
            ranks.filter_map(|(n, it)| Some((it.eviction_rank(table.recent)?, n))).min().map(|(_, n)| n)
        };
        std::iter::from_fn(|| next().inspect(|n| assert!(activities[*n].evict().is_some()))).collect()
    }

    #[test]
    fn unused_connections_are_evicted_first_and_reviewed_ones_last() {
        let table = ConnectionTable::new("webhook", 9, LONG, &Arc::default());
        let activities = open(&table, 7);
        // The second had a review, the third another request, the fourth none.
        request(&activities[1], true);
        request(&activities[2], false);
        activities[4].established(true);
        activities[5].read(1);
        let _guard = activities[6].begin_request();
        assert_eq!(order(&table, &activities), [0, 3, 2, 1, 4]);
        assert_eq!(activities[5].evict(), None, "a byte of a request was read");
    }

    #[test]
    fn a_review_long_ago_ranks_like_any_other_request() {
        let table = ConnectionTable::new("webhook", 9, Duration::ZERO, &Arc::default());
        let activities = open(&table, 3);
        request(&activities[1], true);
        request(&activities[2], false);
        assert_eq!(order(&table, &activities), [0, 1, 2]);
    }

    #[test]
    fn only_one_connection_is_evicted_at_a_time() {
        let table = ConnectionTable::new("webhook", 2, LONG, &Arc::default());
        let activities = open(&table, 2);
        table.evict(AT_LIMIT);
        table.evict(AT_LIMIT);
        assert_eq!(activities.iter().filter(|activity| activity.is_evicted()).count(), 1);
    }
}
