//! What one request takes, waits for and gives back.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Held, Waiting};
use crate::server::rejection::Rejection;

/// How often one who waits looks for a holder without progress.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Held {
    /// `bytes` more, as soon as they are free; `patience` is how long that may take, and what is left of it.
    ///
    /// # Errors
    ///
    /// 503 when it takes longer.
    pub async fn take(&mut self, bytes: usize, patience: &mut Duration) -> Result<(), Rejection> {
        let Some(heard) = self.ask(bytes) else { return Ok(()) };
        let started = Instant::now();
        let granted = tokio::time::timeout(*patience, self.wait(heard)).await;
        *patience = patience.saturating_sub(started.elapsed());
        match granted {
            Ok(true) => Ok(()),
            _ => Err(Rejection::out_of_memory()),
        }
    }

    /// Takes `bytes` where they are free; else what hears of them.
    fn ask(&self, bytes: usize) -> Option<oneshot::Receiver<bool>> {
        let mut state = self.account.state();
        if self.account.fits(&state, self.id, bytes) {
            self.account.grant(&mut state, self.id, bytes);
            return None;
        }
        let (heard, hears) = oneshot::channel();
        state.waiting.push(Waiting { id: self.id, bytes, heard });
        if let Some(holder) = state.holders.get_mut(&self.id) {
            holder.waits = true;
        }
        state.resolve_deadlock();
        Some(hears)
    }

    async fn wait(&self, mut heard: oneshot::Receiver<bool>) -> bool {
        let _waiting = (StopsWaiting(self), self.account.waits.begin());
        loop {
            if let Ok(granted) = tokio::time::timeout(LOOK_EVERY, &mut heard).await {
                return granted.unwrap_or(false);
            }
            self.account.drop_stalled();
        }
    }

    /// Up to `bytes` more, without a wait: those who hold a body and wait for more would wait for each other. How
    /// many reviews run at once bounds what is not counted then.
    pub fn take_what_is_free(&mut self, bytes: usize) {
        let mut state = self.account.state();
        let free = self.account.limit.saturating_sub(state.used + self.account.reserve);
        self.account.grant(&mut state, self.id, bytes.min(free));
    }

    /// Holds `bytes` from now on, less than before or more: what is there already is counted without a wait.
    pub fn set(&mut self, bytes: usize) {
        let mut state = self.account.state();
        let Some(holder) = state.holders.get_mut(&self.id) else { return };
        holder.dropped = false;
        let before = holder.bytes;
        match before.checked_sub(bytes) {
            Some(less) => self.account.release(&mut state, self.id, less),
            None => self.account.grant(&mut state, self.id, bytes - before),
        }
    }
}

/// However the wait ends, also when nobody waits for it any more.
struct StopsWaiting<'a>(&'a Held);

impl Drop for StopsWaiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.account.state();
        if let Some(at) = state.waiting.iter().position(|waiting| waiting.id == self.0.id) {
            state.stop_waiting(at);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.account.state();
        let bytes = state.holders.get(&self.id).map_or(0, |holder| holder.bytes);
        self.account.release(&mut state, self.id, bytes);
        state.holders.remove(&self.id);
    }
}
