//! Runs of `ensure` in a [`Simulation`]: one, interrupted ones, and concurrent ones.

use std::cell::{Ref, RefCell, RefMut};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::simulation::{PROPAGATION_SECONDS, Simulation, target};
use crate::certs::ensure::ensure;
use crate::certs::keyring::SecretPatch;
use crate::certs::plan::Options;
use crate::certs::state::{Cluster, ClusterState, Configuration, Secret, WriteOutcome};
use crate::pki::UnixTime;

/// Seconds between two turns.
const TURN_SECONDS: i64 = 5;

/// A simulation and its clients.
#[derive(Clone)]
pub struct SharedSimulation(Rc<RefCell<Simulation>>);

impl SharedSimulation {
    /// A new installation: an empty Secret, empty bundles.
    pub fn installation() -> Self {
        Self(Rc::new(RefCell::new(Simulation::installation())))
    }

    pub fn state(&self) -> Ref<'_, Simulation> {
        self.0.borrow()
    }

    pub fn change(&self) -> RefMut<'_, Simulation> {
        self.0.borrow_mut()
    }

    /// Runs `ensure`; returns its progress lines, or the error.
    pub fn run(&self, options: Options) -> Result<Vec<String>, String> {
        self.race(&[options], || 0).remove(0)
    }

    /// Runs it, interrupted after this many writes.
    pub fn interrupt(&self, options: Options, writes: usize) -> Result<Vec<String>, String> {
        self.change().writes_left = Some(writes);
        let ran = self.run(Options { adopt: true, ..options });
        self.change().writes_left = None;
        ran
    }

    /// Runs several concurrently; `turn` selects the next one to proceed.
    pub fn race(
        &self,
        runs: &[Options],
        mut turn: impl FnMut() -> usize,
    ) -> Vec<Result<Vec<String>, String>> {
        let mut running: Vec<_> = runs.iter().map(|it| (Box::pin(run(self.clone(), *it)), None)).collect();
        while running.iter().any(|(_, ended)| ended.is_none()) {
            let at = turn() % runs.len();
            let at = if running[at].1.is_none() {
                at
            } else {
                running.iter().position(|it| it.1.is_none()).unwrap()
            };
            let (run, ended) = &mut running[at];
            if let Poll::Ready(result) = run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                *ended = Some(result);
            }
            self.change().now += TURN_SECONDS;
        }
        running.into_iter().map(|(_, ended)| ended.unwrap()).collect()
    }

    /// Lets the others act, then counts a write.
    async fn turn(&self, write: bool) -> anyhow::Result<()> {
        tokio::task::yield_now().await;
        if write && let Some(writes_left) = &mut self.change().writes_left {
            *writes_left = writes_left.checked_sub(1).ok_or_else(|| anyhow::anyhow!("interrupted"))?;
        }
        Ok(())
    }

    fn record(&self, written: anyhow::Result<WriteOutcome>) -> anyhow::Result<WriteOutcome> {
        if let Ok(WriteOutcome::Done) = written {
            self.change().record();
        }
        written
    }
}

async fn run(mut simulation: SharedSimulation, options: Options) -> Result<Vec<String>, String> {
    let options = Options { propagation_delay: PROPAGATION_SECONDS.into(), ..options };
    let mut lines = Vec::new();
    let ran = ensure(&mut simulation, &target(), options, &mut |line| lines.push(line)).await;
    ran.map(|()| lines).map_err(|error| format!("{error:#}"))
}

impl Cluster for SharedSimulation {
    async fn read(&mut self) -> anyhow::Result<ClusterState> {
        self.turn(false).await?;
        Ok(self.state().cluster.state.clone())
    }

    async fn write(&mut self, seen: Option<&Secret>, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        self.turn(true).await?;
        let written = ready(self.change().cluster.write(seen, change));
        self.record(written)
    }

    async fn publish(
        &mut self,
        seen: &Configuration,
        bundles: &[(String, String)],
    ) -> anyhow::Result<WriteOutcome> {
        self.turn(true).await?;
        let written = ready(self.change().cluster.publish(seen, bundles));
        self.record(written)
    }

    async fn wait(&mut self, time: Duration) {
        let until = self.state().now + i64::try_from(time.as_secs()).unwrap();
        while self.state().now < until {
            self.turn(false).await.unwrap();
        }
    }

    fn now(&self) -> UnixTime {
        self.state().now
    }
}

/// The output of a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let Poll::Ready(output) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("a cluster in memory does not wait")
    };
    output
}
