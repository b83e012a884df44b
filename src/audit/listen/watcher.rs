//! Receives the events of the watches, and evaluates the rules after a change.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use kube::Client;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::http::{PageRequest, State};
use super::metrics::Snapshot;
use super::store::{self, Watched};
use crate::audit::collect::ObjectKind;
use crate::audit::evaluation::{Evaluation, Identity, Options, evaluate};
use crate::audit::live::Scope;
use crate::audit::output::html;
use crate::audit::report::Report;
use crate::policy::Policy;

/// Watches a cluster and publishes what the rules find.
pub struct Watcher<'w> {
    pub policy: &'w Policy,
    /// The namespaces of whereabouts, from the flag.
    pub namespaces: &'w [String],
    pub interval: Duration,
    pub grace: Duration,
    pub max_pools: usize,
    pub state: Arc<State>,
}

/// When each momentary finding was first seen.
type FirstSeen = HashMap<Identity, Instant>;

impl Watcher<'_> {
    /// Watches until the future is dropped.
    pub async fn watch(&self, client: &Client, scope: &Scope, mut requests: mpsc::Receiver<PageRequest>) {
        let mut kinds: Vec<_> = ObjectKind::ALL.iter().map(|kind| Watched::new(*kind, scope)).collect();
        let mut streams = stream::SelectAll::new();
        for (number, watched) in kinds.iter().enumerate() {
            let events = watcher(watched.resource.watchable(client), watcher::Config::default());
            streams.push(events.default_backoff().map(move |event| (number, event)).boxed());
        }
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut first_seen, mut has_changed) = (FirstSeen::new(), true);
        loop {
            tokio::select! {
                Some((number, event)) = streams.next() => {
                    if let Some(watched) = kinds.get_mut(number) {
                        has_changed |= watched.take(event);
                    }
                    // The first evaluation does not wait for the next tick.
                    if self.state.snapshot.load().is_err() && store::not_ready(&kinds).is_none() {
                        ticks.reset_immediately();
                    }
                }
                _ = ticks.tick() => {
                    if let Some(why) = store::not_ready(&kinds) {
                        self.state.snapshot.store(Arc::new(Err(why)));
                    } else if has_changed || self.is_due(&first_seen) {
                        block_in_place(|| self.update(&kinds, &mut first_seen));
                        has_changed = false;
                    }
                }
                Some(answer) = requests.recv() => {
                    // The client may have disconnected.
                    let _ = answer.send(block_in_place(|| self.page(&kinds, &first_seen)));
                }
            }
        }
    }

    /// Whether a momentary finding has reached the grace period since the last evaluation.
    fn is_due(&self, first_seen: &FirstSeen) -> bool {
        let span = self.grace..self.grace + self.interval * 2;
        first_seen.values().any(|seen| span.contains(&seen.elapsed()))
    }

    fn update(&self, kinds: &[Watched], first_seen: &mut FirstSeen) {
        let Evaluation { report, momentary } = self.evaluate(kinds, first_seen, false);
        let now = Instant::now();
        first_seen.retain(|identity, _| momentary.contains(identity));
        for identity in momentary {
            first_seen.entry(identity).or_insert(now);
        }
        self.state.snapshot.store(Arc::new(Ok(Snapshot::of(&report, self.max_pools, kinds))));
    }

    /// Evaluates the rules. A momentary finding counts only after it has lasted for the grace period.
    fn evaluate(&self, kinds: &[Watched], first_seen: &FirstSeen, keeps_entries: bool) -> Evaluation {
        let collected = store::collect(kinds, self.policy, self.namespaces);
        let lasting = first_seen.iter().filter(|(_, seen)| seen.elapsed() >= self.grace);
        let lasting: HashSet<_> = lasting.map(|(identity, _)| *identity).collect();
        let before = (!self.grace.is_zero()).then_some(&lasting);
        evaluate(collected, Options { policy: self.policy, keeps_entries, before })
    }

    fn page(&self, kinds: &[Watched], first_seen: &FirstSeen) -> Vec<u8> {
        let report: Report = self.evaluate(kinds, first_seen, true).report;
        let mut page = Vec::new();
        // Writing to a `Vec` does not fail.
        let _ = html::write(&report, &mut page);
        page
    }
}
