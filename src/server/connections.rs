//! The connections of one port: a bounded number, and which of them gives way to a new one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

use super::activity::{Activity, Gauges, Phase};
use super::metrics::Metrics;

/// Between two attempts to find a connection that gives way, where each has a request under way.
const RETRY: Duration = Duration::from_millis(50);
/// What the log says where the cap is reached.
const ALL_TAKEN: &str = "all connections are taken; those idle longest are closed for new ones";
/// Between two lines of the log about evictions.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// The connections of one port.
#[derive(Debug)]
pub struct Connections {
    listener: &'static str,
    most: usize,
    recent: Duration,
    gauges: Gauges,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
    closed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Activity>,
    evicted: u64,
    said: Option<Instant>,
}

/// One connection; dropping it gives its place back.
#[derive(Debug)]
pub struct Entry {
    connections: Arc<Connections>,
    id: u64,
    /// What it is doing.
    pub activity: Activity,
}

impl Connections {
    /// At most `most` connections of `listener`. Those that carried a review within `recent` give way last.
    pub fn new(listener: &'static str, most: usize, recent: Duration, metrics: &Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            listener,
            most,
            recent,
            gauges: metrics.connections(listener),
            metrics: Arc::clone(metrics),
            table: Mutex::default(),
            closed: Notify::new(),
        })
    }

    /// Waits until one more connection may be open. Where the cap is reached, one that nobody uses is closed.
    pub async fn vacancy(&self) {
        loop {
            let closed = self.closed.notified();
            if self.table().open.len() < self.most {
                return;
            }
            self.evict(ALL_TAKEN);
            // The one that gives way is about to close; or each has a request under way, and one will be done.
            let _ = tokio::time::timeout(RETRY, closed).await;
        }
    }

    /// One more connection.
    pub fn open(self: &Arc<Self>) -> Entry {
        let activity = Activity::new(self.gauges.clone());
        let mut table = self.table();
        table.next += 1;
        let id = table.next;
        table.open.insert(id, activity.clone());
        Entry { connections: Arc::clone(self), id, activity }
    }

    /// Closes the connection that is needed least, unless one is closing already; the log says why.
    pub fn evict(&self, why: &'static str) {
        let mut table = self.table();
        if table.open.values().any(Activity::is_evicted) {
            return;
        }
        let ranked = table.open.values().filter_map(|it| Some((it.rank(self.recent)?, it)));
        let first = ranked.min_by_key(|(rank, _)| *rank).map(|(_, activity)| activity);
        let evicted = first.and_then(Activity::evict);
        if let Some(phase) = evicted {
            self.metrics.evicted(self.listener, phase);
            table.evicted += 1;
        }
        self.say(why, evicted, &mut table);
    }

    fn say(&self, why: &'static str, evicted: Option<Phase>, table: &mut Table) {
        if table.said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            warn!(
                listener = self.listener,
                connections = table.open.len(),
                evicted = std::mem::take(&mut table.evicted),
                state = evicted.map_or("none", Phase::as_str),
                "{why}"
            );
            table.said = Some(Instant::now());
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.table().open.remove(&self.id);
        self.connections.closed.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// Connections in the order in which they were opened; the first is in its handshake.
    fn open(connections: &Arc<Connections>, count: usize) -> Vec<Activity> {
        let activities = (0..count).map(|_| {
            let entry = connections.open();
            let activity = entry.activity.clone();
            std::mem::forget(entry);
            activity
        });
        let activities: Vec<_> = activities.collect();
        activities.iter().skip(1).for_each(|activity| activity.established(false));
        activities
    }

    fn request(activity: &Activity, is_review: bool) {
        let under_way = activity.request();
        if is_review {
            activity.reviewed();
        }
        drop(under_way);
    }

    /// All that give way, in their order.
    fn order(connections: &Arc<Connections>, activities: &[Activity]) -> Vec<usize> {
        let next = || {
            let ranks = activities.iter().enumerate();
            ranks.filter_map(|(n, it)| Some((it.rank(connections.recent)?, n))).min().map(|(_, n)| n)
        };
        std::iter::from_fn(|| next().inspect(|n| assert!(activities[*n].evict().is_some()))).collect()
    }

    #[test]
    fn connections_give_way_in_the_order_in_which_they_are_needed_least() {
        let connections = Connections::new("webhook", 9, LONG, &Arc::default());
        let activities = open(&connections, 7);
        // The first keeps a review; the second was asked something else; the third never anything.
        request(&activities[1], true);
        request(&activities[2], false);
        activities[4].established(true);
        activities[5].read(1);
        let _under_way = activities[6].request();
        assert_eq!(order(&connections, &activities), [0, 3, 2, 1, 4]);
        assert_eq!(activities[5].evict(), None, "a byte of a request was read");
    }

    #[test]
    fn a_review_long_ago_counts_no_more_than_another_request() {
        let connections = Connections::new("webhook", 9, Duration::ZERO, &Arc::default());
        let activities = open(&connections, 3);
        request(&activities[1], true);
        request(&activities[2], false);
        assert_eq!(order(&connections, &activities), [0, 1, 2]);
    }

    #[test]
    fn only_one_connection_gives_way_at_a_time() {
        let connections = Connections::new("webhook", 2, LONG, &Arc::default());
        let activities = open(&connections, 2);
        connections.evict(ALL_TAKEN);
        connections.evict(ALL_TAKEN);
        assert_eq!(activities.iter().filter(|activity| activity.is_evicted()).count(), 1);
    }
}
