//! The open connections of one listener: how many there may be, and which one is closed for a new one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

use super::activity::Activity;
use crate::server::metrics::Metrics;

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
            metrics: Arc::clone(metrics),
            table: Mutex::default(),
            closed: Notify::new(),
        })
    }

    /// Opens one more connection as soon as there may be one. At the maximum, an unused one is closed.
    pub async fn open(self: &Arc<Self>) -> ConnectionGuard {
        while self.table().open.len() >= self.max {
            let closed = self.closed.notified();
            self.evict(AT_LIMIT);
            // The evicted one is about to close; or each has a request in progress, and one of them will end.
            let _ = tokio::time::timeout(RETRY, closed).await;
        }
        let activity = Activity::new(self.listener, Arc::clone(&self.metrics));
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
        if let Some(state) = evicted {
            self.metrics.evicted(self.listener, state);
            table.evicted += 1;
        }
        if table.logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            warn!(
                listener = self.listener,
                connections = table.open.len(),
                evicted = std::mem::take(&mut table.evicted),
                state = evicted.unwrap_or("none"),
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
