//! The account of memory: bodies as they arrive, what a review of them takes, and answers until they are sent.
//!
//! A request that needs more than is left waits. What is granted is granted at once to whom it fits, so that a small
//! review never waits for a large one. While somebody waits, the holder whose peer has made no progress for longest is
//! dropped; and where every holder waits for the others, the one that came last is sent elsewhere.

mod held;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;

use super::activity::Activity;
use super::limits::Limits;
use super::metrics::Metrics;
use super::waits::Waits;

/// Who is asking: a connection, or all connections whose certificate has one name.
#[derive(Debug, Default)]
pub struct Caller {
    held: AtomicUsize,
    /// Whether it showed a client certificate that may call: the apiserver, which comes first.
    pub known: bool,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What the connection is doing.
    pub activity: Activity,
    /// Whose memory it is.
    pub caller: Arc<Caller>,
}

/// What is left of memory.
#[derive(Debug)]
pub struct Account {
    limit: usize,
    /// Kept for requests of up to `small` bytes.
    reserve: usize,
    small: usize,
    /// What one caller may hold while others wait.
    share: usize,
    stall: Duration,
    in_flight_bytes: Gauge,
    waits: Waits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    next: u64,
    holders: HashMap<u64, Holder>,
    waiting: Vec<Waiting>,
    /// Those with a name; as many as there are connections.
    callers: HashMap<String, Weak<Caller>>,
}

#[derive(Debug)]
struct Holder {
    bytes: usize,
    peer: Peer,
    waits: bool,
    /// Dropped, and about to give its bytes back.
    dropped: bool,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    bytes: usize,
    /// Hears `true` when it has what it waits for, `false` when it never will.
    heard: oneshot::Sender<bool>,
}

/// What one request holds; dropping it gives it back.
#[derive(Debug)]
pub struct Held {
    account: Arc<Account>,
    id: u64,
}

impl Account {
    /// An account as `limits` say, which shows in `metrics` what of it is used.
    pub fn new(limits: &Limits, metrics: &Metrics) -> Arc<Self> {
        let limit = limits.max_in_flight_bytes;
        // The longest body fits beside the reserve, or it would never be read.
        let reserve = limit.saturating_sub(limits.max_body_bytes) / 8;
        let share = limits.max_body_bytes.max((limit - reserve) / 2);
        let (small, stall) = (limits.small_bytes, limits.stall);
        let (in_flight_bytes, waits) = (metrics.in_flight_bytes.clone(), metrics.permits("memory"));
        Arc::new(Self {
            limit,
            reserve,
            small,
            share,
            stall,
            in_flight_bytes,
            waits,
            state: Mutex::default(),
        })
    }

    /// Who has the connections whose certificate has `name`; without a name, each connection is its own.
    pub fn caller(&self, name: Option<&str>) -> Arc<Caller> {
        let Some(name) = name else { return Arc::default() };
        let mut state = self.state();
        if let Some(caller) = state.callers.get(name).and_then(Weak::upgrade) {
            return caller;
        }
        state.callers.retain(|_, caller| caller.strong_count() > 0);
        let caller = Arc::new(Caller { held: AtomicUsize::new(0), known: true });
        state.callers.insert(name.to_owned(), Arc::downgrade(&caller));
        caller
    }

    /// An entry for one request of `peer`, which holds nothing yet.
    pub fn open(self: &Arc<Self>, peer: Peer) -> Held {
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        state.holders.insert(id, Holder { bytes: 0, peer, waits: false, dropped: false });
        Held { account: Arc::clone(self), id }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `holder` may have `bytes` more now.
    fn fits(&self, state: &State, id: u64, bytes: usize) -> bool {
        let Some(holder) = state.holders.get(&id) else { return false };
        let reserve = if holder.bytes + bytes <= self.small { 0 } else { self.reserve };
        let caller = &holder.peer.caller;
        let within_share = caller.held.load(Relaxed) + bytes <= self.share;
        state.used + bytes + reserve <= self.limit
            && (within_share || !state.another_waits(caller, self.share))
    }

    fn grant(&self, state: &mut State, id: u64, bytes: usize) {
        let Some(holder) = state.holders.get_mut(&id) else { return };
        holder.bytes += bytes;
        holder.peer.caller.held.fetch_add(bytes, Relaxed);
        state.used += bytes;
        self.show(state);
    }

    fn show(&self, state: &State) {
        self.in_flight_bytes.set(i64::try_from(state.used).unwrap_or(i64::MAX));
    }

    /// Gives `bytes` of `id` back, and what is free to those who wait.
    fn release(&self, state: &mut State, id: u64, bytes: usize) {
        let Some(holder) = state.holders.get_mut(&id) else { return };
        holder.bytes -= bytes;
        holder.peer.caller.held.fetch_sub(bytes, Relaxed);
        state.used -= bytes;
        while let Some(next) = self.next(state) {
            let Waiting { id, bytes, heard } = state.stop_waiting(next);
            if heard.send(true).is_ok() {
                self.grant(state, id, bytes);
            }
        }
        state.resolve_deadlock();
        self.show(state);
    }

    /// Who of those that wait comes first of those whom it fits: the apiserver, then who holds least.
    fn next(&self, state: &State) -> Option<usize> {
        let fitting = (0..state.waiting.len())
            .filter(|at| self.fits(state, state.waiting[*at].id, state.waiting[*at].bytes));
        fitting.min_by_key(|at| {
            let waiting = &state.waiting[*at];
            let holder = state.holders.get(&waiting.id);
            let known = holder.is_some_and(|holder| holder.peer.caller.known);
            (!known, holder.map_or(0, |holder| holder.bytes) + waiting.bytes, waiting.id)
        })
    }

    /// Drops holders whose peer makes no progress, the longest first, as many as those who wait need.
    fn drop_stalled(&self) {
        let mut state = self.state();
        while self.is_short(&state) {
            let stalled = state.holders.values_mut().filter(|it| it.bytes > 0 && !it.waits && !it.dropped);
            let stalled = stalled.filter_map(|holder| Some((holder.peer.activity.waits_for_peer()?, holder)));
            let Some((since, holder)) = stalled.min_by_key(|(since, _)| *since) else { return };
            if since.elapsed() < self.stall {
                return;
            }
            holder.dropped = true;
            holder.peer.activity.stall();
        }
    }

    /// Whether none of those who wait will have enough by what is about to be given back.
    fn is_short(&self, state: &State) -> bool {
        let coming: usize = state.holders.values().filter(|it| it.dropped).map(|it| it.bytes).sum();
        let least = state.waiting.iter().map(|waiting| waiting.bytes).min();
        least.is_some_and(|least| state.used - coming + least + self.reserve > self.limit)
    }
}

impl State {
    /// Whether a caller waits that would stay within its share.
    fn another_waits(&self, caller: &Arc<Caller>, share: usize) -> bool {
        self.waiting.iter().any(|waiting| {
            let other = self.holders.get(&waiting.id).map(|holder| &holder.peer.caller);
            let fair = |other: &&Arc<Caller>| other.held.load(Relaxed) + waiting.bytes <= share;
            other.filter(fair).is_some_and(|other| !Arc::ptr_eq(other, caller))
        })
    }

    fn stop_waiting(&mut self, at: usize) -> Waiting {
        let waiting = self.waiting.swap_remove(at);
        if let Some(holder) = self.holders.get_mut(&waiting.id) {
            holder.waits = false;
        }
        waiting
    }

    /// Where nobody can go on, the one that came last gives way: what it holds lets the others finish.
    fn resolve_deadlock(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut holding = self.holders.values().filter(|holder| holder.bytes > 0);
        if holding.any(|holder| !holder.waits) {
            return;
        }
        let holds = |id| self.holders.get(id).is_some_and(|holder: &Holder| holder.bytes > 0);
        let holding = (0..self.waiting.len()).filter(|at| holds(&self.waiting[*at].id));
        if let Some(last) = holding.max_by_key(|at| self.waiting[*at].id) {
            let _ = self.stop_waiting(last).heard.send(false);
        }
    }
}

#[cfg(test)]
mod tests;
