//! What a connection is doing, since when, and whether it has to end. hyper has one timeout for both the silence
//! before a request, which has to be long, and a header that has begun, which has to be short; so the bytes are
//! watched here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

pub use super::phase::{Gauges, Phase};

/// Bytes that count as progress, so that a peer cannot hold memory with one byte now and then.
const PROGRESS_BYTES: usize = 16 * 1024;

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    since: Instant,
    known: bool,
    requests: u64,
    reviewed: Option<Instant>,
    progress: Instant,
    progress_bytes: usize,
    end: Option<End>,
    lingers: bool,
}

/// Why others end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A new connection takes its place.
    Evicted,
    /// It holds memory, makes no progress, and others wait.
    Stalled,
}

/// Why a connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// Nothing was asked for too long.
    Idle,
    /// A header began and was not finished.
    Header,
    /// A new connection takes its place.
    Evicted,
    /// Its answer is not read while others wait for the memory.
    Stalled,
}

/// In which order connections give way: the least first.
pub type Rank = (bool, u8, Instant);

/// The activity of one connection, shared by those who cause it and those who watch it.
#[derive(Clone, Debug)]
pub struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: watch::Sender<State>,
    gauges: Gauges,
}

/// One request under way, by its number; dropping it ends it.
#[derive(Debug)]
pub struct UnderWay(Activity, u64);

impl Activity {
    /// A connection that just opened.
    pub fn new(gauges: Gauges) -> Self {
        let now = Instant::now();
        gauges.handshake.inc();
        let state = State {
            phase: Phase::Handshake,
            since: now,
            known: false,
            requests: 0,
            reviewed: None,
            progress: now,
            progress_bytes: 0,
            end: None,
            lingers: false,
        };
        Self(Arc::new(Inner { state: watch::Sender::new(state), gauges }))
    }

    /// The handshake is done; `known`: with a client certificate that may call.
    pub fn established(&self, known: bool) {
        self.change(|state| state.known = known);
        self.enter(Phase::Unused);
    }

    /// A header was read to its end.
    pub fn request(&self) -> UnderWay {
        self.enter(Phase::Receiving);
        self.change(|state| state.requests += 1);
        UnderWay(self.clone(), self.0.state.borrow().requests)
    }

    /// The body is there; what takes time from now on is the server.
    pub fn reviewing(&self) {
        self.enter(Phase::Reviewing);
        // It may have come to its end just when it was given up.
        self.change(|state| state.end = state.end.filter(|end| *end != End::Stalled));
    }

    /// A review was answered, and the answer is on its way.
    pub fn reviewed(&self) {
        self.change(|state| state.reviewed = Some(Instant::now()));
    }

    /// An answer is on its way.
    pub fn sending(&self) {
        self.enter(Phase::Sending);
    }

    /// The connection ends before its last body was read: it is read on for a while, or the answer would be lost.
    pub fn linger(&self) {
        self.change(|state| state.lingers = true);
    }

    /// Whether it is to be read on after the end.
    pub fn lingers(&self) -> bool {
        self.0.state.borrow().lingers
    }

    /// `bytes` came in: outside a request, they begin a header.
    pub fn read(&self, bytes: usize) {
        if matches!(self.0.state.borrow().phase, Phase::Unused | Phase::Idle) {
            self.enter(Phase::Header);
        }
        self.moved(bytes);
    }

    /// `bytes` went in or out.
    pub fn moved(&self, bytes: usize) {
        self.change(|state| {
            state.progress_bytes += bytes;
            if state.progress_bytes >= PROGRESS_BYTES {
                (state.progress, state.progress_bytes) = (Instant::now(), 0);
            }
        });
    }

    /// Since when the peer has neither sent nor read, where it is the peer's turn.
    pub fn waits_for_peer(&self) -> Option<Instant> {
        let state = self.0.state.borrow();
        let peers_turn = matches!(state.phase, Phase::Receiving | Phase::Sending);
        (peers_turn && state.end.is_none()).then_some(state.progress)
    }

    /// Ends the request for the sake of those who wait for memory.
    pub fn stall(&self) {
        self.0.state.send_modify(|state| state.end = Some(End::Stalled));
    }

    /// Waits until the request is to end for the sake of others; the caller is told so by who waits here.
    pub async fn stalled(&self) {
        self.until(|state| state.end == Some(End::Stalled)).await;
        self.change(|state| state.end = None);
    }

    /// How soon this connection gives way to a new one; `None`: not now. One that carried a review within
    /// `recent` may carry the next one any moment.
    pub fn rank(&self, recent: Duration) -> Option<Rank> {
        let state = self.0.state.borrow();
        let kept = state.reviewed.is_some_and(|at| at.elapsed() < recent);
        let class = match state.phase {
            Phase::Handshake | Phase::Unused => 0,
            _ => 1 + u8::from(kept),
        };
        (state.end.is_none() && state.phase.is_evictable()).then_some((state.known, class, state.since))
    }

    /// Ends the connection unless a request has begun; what it was doing.
    pub fn evict(&self) -> Option<Phase> {
        let mut evicted = None;
        self.0.state.send_if_modified(|state| {
            if state.end.is_none() && state.phase.is_evictable() {
                (state.end, evicted) = (Some(End::Evicted), Some(state.phase));
            }
            evicted.is_some()
        });
        evicted
    }

    /// Whether it is about to end for the sake of another.
    pub fn is_evicted(&self) -> bool {
        self.0.state.borrow().end == Some(End::Evicted)
    }

    /// Waits until the connection is to end for the sake of another.
    pub async fn evicted(&self) {
        self.until(|state| state.end == Some(End::Evicted)).await;
    }

    /// Waits until the connection has been silent for `idle` or in one header for `header`, or has to give way.
    pub async fn expired(&self, idle: Duration, header: Duration) -> Expired {
        let mut changes = self.0.state.subscribe();
        loop {
            let State { phase, since, end, .. } = *changes.borrow_and_update();
            match (end, phase) {
                (Some(End::Evicted), _) => return Expired::Evicted,
                (Some(End::Stalled), Phase::Sending) => return Expired::Stalled,
                _ => {}
            }
            let in_header = phase == Phase::Header;
            let (bound, expired) = if in_header { (header, Expired::Header) } else { (idle, Expired::Idle) };
            tokio::select! {
                // The sender lives as long as `self`, so this ends with a change only.
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(since + bound), if in_header || phase.is_evictable() => return expired,
            }
        }
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.0.state.subscribe().wait_for(|state| condition(state)).await;
    }

    fn enter(&self, phase: Phase) {
        let before = &mut Phase::Handshake;
        self.0.state.send_modify(|state| {
            *before = std::mem::replace(&mut state.phase, phase);
            state.since = Instant::now();
            (state.progress, state.progress_bytes) = (state.since, 0);
        });
        if before.as_str() != phase.as_str() {
            self.0.gauges.of(*before).dec();
            self.0.gauges.of(phase).inc();
        }
    }

    /// Changes what nobody waits for.
    fn change(&self, change: impl FnOnce(&mut State)) {
        self.0.state.send_if_modified(|state| {
            change(state);
            false
        });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.gauges.of(self.state.borrow().phase).dec();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // The next one may have begun before the last byte of this answer was sent.
        if self.0.0.state.borrow().requests == self.1 {
            self.0.enter(Phase::Idle);
        }
    }
}
