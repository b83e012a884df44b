//! What a connection is doing, since when, and whether it has to end.
//!
//! hyper has one timeout for both the silence before a request, which has to be long, and for a header that has
//! begun, which has to be short. So the bytes are watched here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::server::metrics::Metrics;

/// Bytes that count as progress, so that a peer cannot hold memory by sending one byte now and then.
const PROGRESS_BYTES: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Unused,
    Idle,
    Header,
    Receiving,
    Reviewing,
    Sending,
}

impl Phase {
    /// The same in the words of `/metrics`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Unused => "unused",
            Self::Idle => "idle",
            Self::Header | Self::Receiving | Self::Reviewing | Self::Sending => "busy",
        }
    }

    /// Whether a byte of a request was read that has not been answered.
    const fn is_busy(self) -> bool {
        matches!(self, Self::Header | Self::Receiving | Self::Reviewing | Self::Sending)
    }
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    since: Instant,
    authenticated: bool,
    requests: u64,
    reviewed: Option<Instant>,
    progress: Instant,
    progress_bytes: usize,
    /// Why others end the connection: `Evicted` or `Stalled`.
    end: Option<CloseReason>,
    lingers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// No request arrived for too long.
    Idle,
    /// A header began and was not finished.
    Header,
    /// A new connection takes its place.
    Evicted,
    /// It holds memory and makes no progress while others wait for memory.
    Stalled,
}

/// The activity of one connection, shared by those who cause it and those who watch it.
#[derive(Clone, Debug)]
pub struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: watch::Sender<State>,
    listener: &'static str,
    metrics: Arc<Metrics>,
}

/// One request in progress, with its number; dropping it ends the request.
#[derive(Debug)]
pub struct RequestGuard(Activity, u64);

impl Activity {
    pub fn new(listener: &'static str, metrics: Arc<Metrics>) -> Self {
        let now = Instant::now();
        metrics.connection(listener, Phase::Handshake.as_str(), 1);
        let state = State {
            phase: Phase::Handshake,
            since: now,
            authenticated: false,
            requests: 0,
            reviewed: None,
            progress: now,
            progress_bytes: 0,
            end: None,
            lingers: false,
        };
        Self(Arc::new(Inner { state: watch::Sender::new(state), listener, metrics }))
    }

    /// The handshake is complete; `authenticated`: with a client certificate that is allowed.
    pub fn established(&self, authenticated: bool) {
        self.update(|state| state.authenticated = authenticated);
        self.enter(Phase::Unused);
    }

    /// A header was read to its end.
    pub fn begin_request(&self) -> RequestGuard {
        self.enter(Phase::Receiving);
        self.update(|state| state.requests += 1);
        RequestGuard(self.clone(), self.0.state.borrow().requests)
    }

    /// The body was read; from now on the server takes the time.
    pub fn begin_review(&self) {
        self.enter(Phase::Reviewing);
        // The body may have become complete just when it was given up.
        self.update(|state| state.end = state.end.filter(|end| *end != CloseReason::Stalled));
    }

    pub fn reviewed(&self) {
        self.update(|state| state.reviewed = Some(Instant::now()));
    }

    pub fn begin_response(&self) {
        self.enter(Phase::Sending);
    }

    /// The connection ends before its last body was read. Reading goes on for a while, or the response would be lost.
    pub fn linger(&self) {
        self.update(|state| state.lingers = true);
    }

    pub fn lingers(&self) -> bool {
        self.0.state.borrow().lingers
    }

    /// `bytes` were read: outside a request, they begin a header. At the end of the stream, there are none.
    pub fn read(&self, bytes: usize) {
        if bytes > 0 && matches!(self.0.state.borrow().phase, Phase::Unused | Phase::Idle) {
            self.enter(Phase::Header);
        }
        self.transferred(bytes);
    }

    pub fn transferred(&self, bytes: usize) {
        self.update(|state| {
            state.progress_bytes += bytes;
            if state.progress_bytes >= PROGRESS_BYTES {
                (state.progress, state.progress_bytes) = (Instant::now(), 0);
            }
        });
    }

    /// When the peer last made progress, if the server waits for the peer.
    pub fn waits_for_peer(&self) -> Option<Instant> {
        let state = self.0.state.borrow();
        let is_peers_turn = matches!(state.phase, Phase::Receiving | Phase::Sending);
        (is_peers_turn && state.end.is_none()).then_some(state.progress)
    }

    /// Ends the request, since others wait for the memory it holds.
    pub fn stall(&self) {
        self.0.state.send_modify(|state| state.end = Some(CloseReason::Stalled));
    }

    /// Waits until the request has to end for others. The waiter responds to the client, so the mark is removed.
    pub async fn stalled(&self) {
        self.until(CloseReason::Stalled).await;
        self.update(|state| state.end = None);
    }

    /// The rank of this connection among those that can be evicted, the least first; `None`: it cannot be evicted now.
    /// One that carried a review within `recent` may carry the next one at any moment, so it ranks last.
    pub fn eviction_rank(&self, recent: Duration) -> Option<(bool, u8, Instant)> {
        let state = self.0.state.borrow();
        let is_recent = state.reviewed.is_some_and(|at| at.elapsed() < recent);
        let class = match state.phase {
            Phase::Handshake | Phase::Unused => 0,
            _ => 1 + u8::from(is_recent),
        };
        state.is_evictable().then_some((state.authenticated, class, state.since))
    }

    /// Ends the connection unless a request has begun. Returns what the connection was doing.
    pub fn evict(&self) -> Option<&'static str> {
        let mut evicted = None;
        self.0.state.send_if_modified(|state| {
            if state.is_evictable() {
                (state.end, evicted) = (Some(CloseReason::Evicted), Some(state.phase.as_str()));
            }
            evicted.is_some()
        });
        evicted
    }

    pub fn is_evicted(&self) -> bool {
        self.0.state.borrow().end == Some(CloseReason::Evicted)
    }

    pub async fn evicted(&self) {
        self.until(CloseReason::Evicted).await;
    }

    /// Waits until the connection was silent for `idle`, was in one header for `header`, or has to end for others.
    pub async fn expired(&self, idle: Duration, header: Duration) -> CloseReason {
        let mut changes = self.0.state.subscribe();
        loop {
            let State { phase, since, end, .. } = *changes.borrow_and_update();
            match (end, phase) {
                (Some(end @ CloseReason::Evicted), _) | (Some(end), Phase::Sending) => return end,
                _ => {}
            }
            let (bound, reason) = match phase {
                Phase::Header => (header, CloseReason::Header),
                _ => (idle, CloseReason::Idle),
            };
            let is_bounded = phase == Phase::Header || !phase.is_busy();
            tokio::select! {
                // The sender lives as long as `self`, so this completes only with a change.
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(since + bound), if is_bounded => return reason,
            }
        }
    }

    async fn until(&self, reason: CloseReason) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.0.state.subscribe().wait_for(|state| state.end == Some(reason)).await;
    }

    fn enter(&self, phase: Phase) {
        let mut before = phase;
        self.0.state.send_modify(|state| {
            before = std::mem::replace(&mut state.phase, phase);
            state.since = Instant::now();
            (state.progress, state.progress_bytes) = (state.since, 0);
        });
        if before.as_str() != phase.as_str() {
            self.0.count(before, -1);
            self.0.count(phase, 1);
        }
    }

    /// Changes what nobody waits for.
    fn update(&self, update: impl FnOnce(&mut State)) {
        self.0.state.send_if_modified(|state| {
            update(state);
            false
        });
    }
}

impl State {
    fn is_evictable(&self) -> bool {
        self.end.is_none() && !self.phase.is_busy()
    }
}

impl Inner {
    fn count(&self, phase: Phase, change: i64) {
        self.metrics.connection(self.listener, phase.as_str(), change);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.count(self.state.borrow().phase, -1);
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        // The next request may have begun before the last byte of this response was sent.
        if self.0.0.state.borrow().requests == self.1 {
            self.0.enter(Phase::Idle);
        }
    }
}
