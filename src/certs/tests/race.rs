//! Runs of `ensure` in a [`Simulation`]: one, interrupted ones, and concurrent ones.

use std::cell::{Ref, RefCell, RefMut};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::simulation::{PROPAGATION_SECONDS, Simulation, target};
use crate::certs::ensure::{Config, ensure};
use crate::certs::keyring::SecretPatch;
use crate::certs::plan::Options;
use crate::certs::state::{Cluster, ClusterState, Configuration, Secret, Target, WriteOutcome};
use crate::pki::UnixTime;

/// Seconds between two turns.
const TURN_SECONDS: i64 = 5;

/// A simulation and its clients.
#[derive(Clone)]
pub struct SharedSimulation(Rc<RefCell<Simulation>>);

impl SharedSimulation {
    pub fn new(simulation: Simulation) -> Self {
        Self(Rc::new(RefCell::new(simulation)))
    }

    pub fn state(&self) -> Ref<'_, Simulation> {
        self.0.borrow()
    }

    pub fn change(&self) -> RefMut<'_, Simulation> {
        self.0.borrow_mut()
    }

    /// Runs `ensure`; returns its progress lines, or the error.
    pub fn run(&self, options: Options) -> Result<Vec<String>, String> {
        self.run_with(options, false)
    }

    pub fn run_with(&self, options: Options, adopt: bool) -> Result<Vec<String>, String> {
        self.race(&[(options, adopt)], || 0).remove(0)
    }

    /// Runs it, interrupted after this many writes.
    pub fn interrupt(&self, options: Options, writes: usize) -> Result<Vec<String>, String> {
        self.change().writes_left = Some(writes);
        let ran = self.run_with(options, true);
        self.change().writes_left = None;
        ran
    }

    /// Runs several concurrently; `turn` selects the next one to proceed.
    pub fn race(
        &self,
        runs: &[(Options, bool)],
        mut turn: impl FnMut() -> usize,
    ) -> Vec<Result<Vec<String>, String>> {
        let target = target();
        let mut racing: Vec<_> = runs
            .iter()
            .map(|(options, adopt)| Some(Box::pin(run(self, *options, *adopt, &target))))
            .collect();
        let mut ended: Vec<_> = runs.iter().map(|_| None).collect();
        while ended.iter().any(Option::is_none) {
            let next = turn() % runs.len();
            let next =
                if ended[next].is_none() { next } else { ended.iter().position(Option::is_none).unwrap() };
            if let Some(run) = &mut racing[next]
                && let Poll::Ready(result) = run.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                ended[next] = Some(result);
                racing[next] = None;
            }
            self.change().now += TURN_SECONDS;
        }
        ended.into_iter().map(Option::unwrap).collect()
    }
}

async fn run(
    simulation: &SharedSimulation,
    options: Options,
    adopt: bool,
    target: &Target,
) -> Result<Vec<String>, String> {
    let propagation_delay = Duration::from_secs(u64::try_from(PROPAGATION_SECONDS).unwrap());
    let config = Config { target, options, adopt, propagation_delay, dry_run: false };
    let mut lines = Vec::new();
    let ran = ensure(&mut Client(simulation.clone()), &config, &mut |line| lines.push(line)).await;
    ran.map(|()| lines).map_err(|error| format!("{error:#}"))
}

/// A client; others may act between any two of its calls.
struct Client(SharedSimulation);

impl Client {
    async fn turn(&self, write: bool) -> anyhow::Result<()> {
        let mut waited = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if write && let Some(writes_left) = &mut self.0.change().writes_left {
            *writes_left = writes_left.checked_sub(1).ok_or_else(|| anyhow::anyhow!("interrupted"))?;
        }
        Ok(())
    }

    /// Polls a future that never waits.
    fn now_or_never<T>(future: impl Future<Output = T>) -> T {
        let future: Pin<&mut _> = pin!(future);
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(it) => it,
            Poll::Pending => panic!("a cluster in memory does not wait"),
        }
    }

    fn recorded(&self, written: anyhow::Result<WriteOutcome>) -> anyhow::Result<WriteOutcome> {
        if let Ok(WriteOutcome::Done) = written {
            self.0.change().record();
        }
        written
    }
}

impl Cluster for Client {
    async fn read(&mut self) -> anyhow::Result<ClusterState> {
        self.turn(false).await?;
        Ok(self.0.state().cluster.state.clone())
    }

    async fn write(&mut self, seen: Option<&Secret>, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        self.turn(true).await?;
        let written = Self::now_or_never(self.0.change().cluster.write(seen, change));
        self.recorded(written)
    }

    async fn publish(
        &mut self,
        seen: &Configuration,
        bundles: &[(String, String)],
    ) -> anyhow::Result<WriteOutcome> {
        self.turn(true).await?;
        let written = Self::now_or_never(self.0.change().cluster.publish(seen, bundles));
        self.recorded(written)
    }

    async fn wait(&mut self, time: Duration) {
        let until = self.0.state().now + i64::try_from(time.as_secs()).unwrap();
        while self.0.state().now < until {
            self.turn(false).await.unwrap();
        }
    }

    fn now(&self) -> UnixTime {
        self.0.state().now
    }
}
