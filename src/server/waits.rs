//! Who waits for a permit: memory, or a turn on a processor.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// Those who wait for a permit.
#[derive(Clone, Debug)]
pub struct Waits {
    now: Gauge,
    all: Counter,
}

/// One that waits; dropping it ends the wait.
#[derive(Debug)]
pub struct Waiter(Gauge);

impl Waits {
    /// Shown in `now` and `all`.
    pub fn new(now: Gauge, all: Counter) -> Self {
        Self { now, all }
    }

    /// One more, for as long as the result lives.
    pub fn begin(&self) -> Waiter {
        self.all.inc();
        self.now.inc();
        Waiter(self.now.clone())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.dec();
    }
}
