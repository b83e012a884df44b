//! The memory budget: bodies as they arrive, what their reviews take, and responses until they are sent.
//!
//! A request that needs more than is free waits. Memory goes to any waiter that it suffices for, so a small review
//! never waits for a large one. While a request waits, the holder whose peer has made no progress for longest is
//! dropped. When every holder waits for the others, the newest one is rejected, so that its client tries another
//! replica.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::rejection::Rejection;
use crate::server::conn::Activity;
use crate::server::limits::Limits;
use crate::server::metrics::Metrics;

/// How often a waiter looks for a stalled holder.
const STALL_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// What one client holds: one connection, or all connections whose certificate has one name.
#[derive(Debug, Default)]
pub struct ClientUsage(AtomicUsize);

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    pub activity: Activity,
    pub usage: Arc<ClientUsage>,
}

#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    /// Kept for requests of up to `small` bytes.
    reserve: usize,
    small: usize,
    /// What one client may hold while others wait.
    share: usize,
    stall: Duration,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    next: u64,
    holders: HashMap<u64, Holder>,
    /// The clients with a name, at most one for each connection.
    clients: HashMap<String, Weak<ClientUsage>>,
}

#[derive(Debug)]
struct Holder {
    bytes: usize,
    peer: Peer,
    /// How many bytes more it waits for, and how it learns of them: `true` with the bytes, `false` when it is rejected.
    waiting: Option<(usize, oneshot::Sender<bool>)>,
    /// Its request was ended, and is about to release its bytes.
    dropped: bool,
}

/// The memory of one request; dropping it releases the memory.
#[derive(Debug)]
pub struct MemoryPermit {
    budget: Arc<MemoryBudget>,
    id: u64,
    /// How long the request may still wait.
    pub timeout: Duration,
}

impl MemoryBudget {
    /// The budget of `limits`; `metrics` show how much of it is used.
    pub fn new(limits: &Limits, metrics: &Arc<Metrics>) -> Arc<Self> {
        let limit = limits.max_in_flight_bytes;
        // The longest body has to fit beside the reserve, or it would never be read.
        let reserve = limit.saturating_sub(limits.max_body_bytes) / 8;
        let share = limits.max_body_bytes.max((limit - reserve) / 2);
        Arc::new(Self {
            limit,
            reserve,
            small: limits.small_bytes,
            share,
            stall: limits.stall,
            metrics: Arc::clone(metrics),
            state: Mutex::default(),
        })
    }

    /// The usage of the client whose certificate has `name`; without a name, each connection is a client of its own.
    pub fn usage(&self, name: Option<&str>) -> Arc<ClientUsage> {
        let Some(name) = name else { return Arc::default() };
        let mut state = self.state();
        if let Some(usage) = state.clients.get(name).and_then(Weak::upgrade) {
            return usage;
        }
        state.clients.retain(|_, usage| usage.strong_count() > 0);
        let usage = Arc::<ClientUsage>::default();
        state.clients.insert(name.to_owned(), Arc::downgrade(&usage));
        usage
    }

    /// An empty permit for one request of `peer`, which may wait for `timeout`.
    pub fn permit(self: &Arc<Self>, peer: Peer, timeout: Duration) -> MemoryPermit {
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        state.holders.insert(id, Holder { bytes: 0, peer, waiting: None, dropped: false });
        MemoryPermit { budget: Arc::clone(self), id, timeout }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `holder` may have `bytes` more now.
    fn fits(&self, state: &State, holder: &Holder, bytes: usize) -> bool {
        let reserve = if holder.bytes + bytes <= self.small { 0 } else { self.reserve };
        let usage = &holder.peer.usage;
        let within_share = usage.0.load(Relaxed) + bytes <= self.share;
        state.used + bytes + reserve <= self.limit
            && (within_share || !state.another_waits(usage, self.share))
    }

    fn grant(&self, state: &mut State, id: u64, bytes: usize) {
        let Some(holder) = state.holders.get_mut(&id) else { return };
        holder.bytes += bytes;
        holder.peer.usage.0.fetch_add(bytes, Relaxed);
        state.used += bytes;
        self.metrics.in_flight_bytes.inc_by(bytes as i64);
    }

    /// Releases `bytes` of holder `id`, and grants what is free to the waiters.
    fn release(&self, state: &mut State, id: u64, bytes: usize) {
        let Some(holder) = state.holders.get_mut(&id) else { return };
        holder.bytes -= bytes;
        holder.peer.usage.0.fetch_sub(bytes, Relaxed);
        state.used -= bytes;
        self.metrics.in_flight_bytes.dec_by(bytes as i64);
        while let Some((id, (bytes, granted))) = self.next(state) {
            if granted.send(true).is_ok() {
                self.grant(state, id, bytes);
            }
        }
        state.resolve_deadlock();
    }

    /// Takes the first waiter that the free memory suffices for: the one that will hold least.
    fn next(&self, state: &mut State) -> Option<(u64, (usize, oneshot::Sender<bool>))> {
        let waiters = state.holders.iter().filter_map(|(id, it)| Some((*id, it, it.waiting.as_ref()?.0)));
        let fitting = waiters.filter(|(_, holder, bytes)| self.fits(state, holder, *bytes));
        let (_, id) = fitting.map(|(id, holder, bytes)| (holder.bytes + bytes, id)).min()?;
        Some((id, state.holders.get_mut(&id)?.waiting.take()?))
    }

    /// Drops as many holders without progress as the waiters need, the longest stalled one first.
    fn drop_stalled(&self) {
        let mut state = self.state();
        while self.is_short(&state) {
            let stalled =
                state.holders.values_mut().filter(|it| it.bytes > 0 && it.waiting.is_none() && !it.dropped);
            let stalled = stalled.filter_map(|holder| Some((holder.peer.activity.waits_for_peer()?, holder)));
            let Some((since, holder)) = stalled.min_by_key(|(since, _)| *since) else { return };
            if since.elapsed() < self.stall {
                return;
            }
            holder.dropped = true;
            holder.peer.activity.stall();
        }
    }

    /// Whether what is about to be released will suffice for no waiter.
    fn is_short(&self, state: &State) -> bool {
        let released: usize = state.holders.values().filter(|it| it.dropped).map(|it| it.bytes).sum();
        let least = state.holders.values().filter_map(|it| Some(it.waiting.as_ref()?.0)).min();
        least.is_some_and(|least| state.used - released + least + self.reserve > self.limit)
    }
}

impl State {
    /// Whether another client waits that would stay within its share.
    fn another_waits(&self, usage: &Arc<ClientUsage>, share: usize) -> bool {
        self.holders.values().any(|holder| {
            let other = &holder.peer.usage;
            let is_fair = |bytes| other.0.load(Relaxed) + bytes <= share;
            holder.waiting.as_ref().is_some_and(|(bytes, _)| is_fair(*bytes)) && !Arc::ptr_eq(other, usage)
        })
    }

    /// When every holder waits, rejects the newest: what it holds lets the others finish.
    fn resolve_deadlock(&mut self) {
        let mut holding: Vec<_> = self.holders.iter_mut().filter(|(_, holder)| holder.bytes > 0).collect();
        if holding.iter().all(|(_, holder)| holder.waiting.is_some())
            && let Some((_, newest)) = holding.iter_mut().max_by_key(|(id, _)| *id)
            && let Some((_, granted)) = newest.waiting.take()
        {
            let _ = granted.send(false);
        }
    }
}

impl MemoryPermit {
    /// Acquires `bytes` more as soon as they are free, or 503 after the timeout, from which the wait is subtracted.
    /// After a rejection, the permit has to be dropped, which ends its wait.
    pub async fn acquire(&mut self, bytes: usize) -> Result<(), Rejection> {
        let Some(waiter) = self.try_acquire(bytes) else { return Ok(()) };
        let started = Instant::now();
        let granted = tokio::time::timeout(self.timeout, self.wait(waiter)).await;
        self.timeout = self.timeout.saturating_sub(started.elapsed());
        match granted {
            Ok(true) => Ok(()),
            _ => Err(Rejection::out_of_memory()),
        }
    }

    /// Acquires `bytes` if they are free; otherwise becomes a waiter, which the result wakes.
    fn try_acquire(&self, bytes: usize) -> Option<oneshot::Receiver<bool>> {
        let mut state = self.budget.state();
        if self.budget.fits(&state, state.holders.get(&self.id)?, bytes) {
            self.budget.grant(&mut state, self.id, bytes);
            return None;
        }
        let (granted, receiver) = oneshot::channel();
        state.holders.get_mut(&self.id)?.waiting = Some((bytes, granted));
        state.resolve_deadlock();
        Some(receiver)
    }

    async fn wait(&self, mut waiter: oneshot::Receiver<bool>) -> bool {
        let _guard = self.budget.metrics.wait("memory");
        loop {
            if let Ok(granted) = tokio::time::timeout(STALL_CHECK_INTERVAL, &mut waiter).await {
                return granted.unwrap_or(false);
            }
            self.budget.drop_stalled();
        }
    }

    /// Acquires up to `bytes` more without a wait, since holders of a body would wait for each other. What stays
    /// uncounted is bounded by the number of concurrent reviews.
    pub fn acquire_available(&mut self, bytes: usize) {
        let mut state = self.budget.state();
        let free = self.budget.limit.saturating_sub(state.used + self.budget.reserve);
        self.budget.grant(&mut state, self.id, bytes.min(free));
    }

    /// Holds `bytes` from now on. It does not wait for more, since the caller has allocated them already.
    pub fn resize(&mut self, bytes: usize) {
        let mut state = self.budget.state();
        let Some(holder) = state.holders.get_mut(&self.id) else { return };
        holder.dropped = false;
        let before = holder.bytes;
        match before.checked_sub(bytes) {
            Some(less) => self.budget.release(&mut state, self.id, less),
            None => self.budget.grant(&mut state, self.id, bytes - before),
        }
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        if let Some(holder) = state.holders.get_mut(&self.id) {
            holder.waiting = None;
            let bytes = holder.bytes;
            self.budget.release(&mut state, self.id, bytes);
        }
        state.holders.remove(&self.id);
    }
}
