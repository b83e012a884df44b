//! How one request acquires, waits for and releases memory.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::MemoryPermit;
use crate::server::handler::rejection::Rejection;

/// How often a waiter looks for a stalled holder.
const STALL_CHECK_INTERVAL: Duration = Duration::from_millis(100);

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
