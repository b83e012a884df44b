//! Turns on the processors for reviews that take longer than a moment. The large ones have one turn of their own, so
//! that the others never wait for them, and that no two take as much memory as one can.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;
use super::metrics::Metrics;
use super::rejection::Rejection;
use super::waits::Waits;

/// What is left of the processors.
#[derive(Debug)]
pub struct Processors {
    usual: Arc<Semaphore>,
    large: Arc<Semaphore>,
    large_bytes: usize,
    waits: Waits,
}

impl Processors {
    /// As many turns at once as `limits` say.
    pub fn new(limits: &Limits, metrics: &Metrics) -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self {
            usual: turns(limits.reviews_at_once),
            large: turns(1),
            large_bytes: limits.large_bytes,
            waits: metrics.permits("processor"),
        }
    }

    /// A turn for a body of `bytes`.
    ///
    /// # Errors
    ///
    /// 503 when there is none for as long as `wait`.
    pub async fn turn(&self, bytes: usize, wait: Duration) -> Result<OwnedSemaphorePermit, Rejection> {
        let turns = if bytes < self.large_bytes { &self.usual } else { &self.large };
        if let Ok(turn) = Arc::clone(turns).try_acquire_owned() {
            return Ok(turn);
        }
        let _waits = self.waits.begin();
        match tokio::time::timeout(wait, Arc::clone(turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            // A closed semaphore counts as a full one: nothing closes these.
            _ => Err(Rejection::busy()),
        }
    }
}
