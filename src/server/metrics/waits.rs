//! Requests that wait for a permit: memory, or a processor.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// The requests that wait for one kind of permit.
#[derive(Clone, Debug)]
pub struct Waits {
    pub now: Gauge,
    pub total: Counter,
}

/// One waiting request; dropping it ends the wait.
#[derive(Debug)]
pub struct WaitGuard(Gauge);

impl Waits {
    /// Counts one more for as long as the guard lives.
    pub fn begin(&self) -> WaitGuard {
        self.total.inc();
        self.now.inc();
        WaitGuard(self.now.clone())
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
