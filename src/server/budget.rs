//! How much may be under way at once: bytes of bodies in memory, and long reviews on the processors.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;
use super::rejection::Rejection;

/// Memory is counted in units of this many bytes, so that a semaphore's 32-bit count never overflows.
const UNIT_BYTES: usize = 1024;

/// What is left of memory and processors.
#[derive(Debug)]
pub struct Budget {
    memory: Arc<Semaphore>,
    processors: Arc<Semaphore>,
    in_flight_bytes: Gauge,
}

/// Room for one body; dropping it gives the room back.
#[derive(Debug)]
pub struct Room {
    _permit: OwnedSemaphorePermit,
    bytes: i64,
    in_flight_bytes: Gauge,
}

impl Budget {
    /// A budget as `limits` say, which shows in `in_flight_bytes` what of it is used.
    pub fn new(limits: &Limits, in_flight_bytes: Gauge) -> Self {
        Self {
            memory: Arc::new(Semaphore::new(units(limits.max_in_flight_bytes) as usize)),
            processors: Arc::new(Semaphore::new(limits.reviews_at_once)),
            in_flight_bytes,
        }
    }

    /// Room for a body of `bytes`, as soon as there is any.
    ///
    /// # Errors
    ///
    /// 503 when there is none for as long as `wait`.
    pub async fn room(&self, bytes: usize, wait: Duration) -> Result<Room, Rejection> {
        let full = "the webhook holds as many bytes of reviews as --max-in-flight-bytes allows";
        let permit = acquire(&self.memory, units(bytes), wait, full).await?;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.in_flight_bytes.inc_by(bytes);
        Ok(Room { _permit: permit, bytes, in_flight_bytes: self.in_flight_bytes.clone() })
    }

    /// A turn on a processor.
    ///
    /// # Errors
    ///
    /// 503 when there is none for as long as `wait`.
    pub async fn processor(&self, wait: Duration) -> Result<OwnedSemaphorePermit, Rejection> {
        let busy = "every processor of the webhook is busy with a large review";
        acquire(&self.processors, 1, wait, busy).await
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.in_flight_bytes.dec_by(self.bytes);
    }
}

/// A closed semaphore counts as a full one: nothing closes these.
async fn acquire(
    semaphore: &Arc<Semaphore>,
    units: u32,
    wait: Duration,
    full: &str,
) -> Result<OwnedSemaphorePermit, Rejection> {
    let waiting = Arc::clone(semaphore).acquire_many_owned(units);
    match tokio::time::timeout(wait, waiting).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Rejection::overloaded(full)),
    }
}

/// `bytes` in units, rounded up; an empty body takes one too.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX)
}
