//! Permits for the reviews that run on threads of their own. The large ones share one permit, so that the others never
//! wait for them, and no two of them take the most memory at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rejection::Rejection;
use crate::server::limits::Limits;
use crate::server::metrics::{Metrics, Waits};

#[derive(Debug)]
pub struct Processors {
    medium: Arc<Semaphore>,
    large: Arc<Semaphore>,
    large_bytes: usize,
    waits: Waits,
}

impl Processors {
    pub fn new(limits: &Limits, metrics: &Metrics) -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self {
            medium: permits(limits.concurrent_reviews),
            large: permits(1),
            large_bytes: limits.large_bytes,
            waits: metrics.permits("processor"),
        }
    }

    /// A permit for a body of `bytes`, or 503 when there is none within `timeout`.
    pub async fn acquire(&self, bytes: usize, timeout: Duration) -> Result<OwnedSemaphorePermit, Rejection> {
        let permits = if bytes < self.large_bytes { &self.medium } else { &self.large };
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _guard = self.waits.begin();
        match tokio::time::timeout(timeout, Arc::clone(permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // Nothing closes these semaphores, so this is the timeout.
            _ => Err(Rejection::busy()),
        }
    }
}
