//! Runs of `ensure` in a [`World`], alone, cut off, and several at once.

use std::cell::{Ref, RefCell, RefMut};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::world::{SETTLE, World, target};
use crate::certs::certificate::Seconds;
use crate::certs::cluster::{Cluster, Configuration, Observed, Secret, Target, Written};
use crate::certs::ensure::{Run, ensure};
use crate::certs::keyring::Change;
use crate::certs::plan::Wish;

/// What one turn of a runner takes.
const TURN: Seconds = 5;

/// A world, and whoever works on it.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<World>>);

impl Shared {
    pub fn new(world: World) -> Self {
        Self(Rc::new(RefCell::new(world)))
    }

    pub fn look(&self) -> Ref<'_, World> {
        self.0.borrow()
    }

    pub fn change(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }

    /// Runs `ensure` alone; what it told, or the error.
    pub fn run(&self, wish: Wish) -> Result<Vec<String>, String> {
        self.run_with(wish, false)
    }

    pub fn run_with(&self, wish: Wish, adopt: bool) -> Result<Vec<String>, String> {
        self.race(&[(wish, adopt)], || 0).remove(0)
    }

    /// Runs it, cut off before its write number `writes`.
    pub fn cut_off(&self, wish: Wish, writes: usize) -> Result<Vec<String>, String> {
        self.change().fuse = Some(writes);
        let ran = self.run_with(wish, true);
        self.change().fuse = None;
        ran
    }

    /// Runs several at once; `turn` says whose turn it is.
    pub fn race(
        &self,
        runs: &[(Wish, bool)],
        mut turn: impl FnMut() -> usize,
    ) -> Vec<Result<Vec<String>, String>> {
        let target = target();
        let mut racing: Vec<_> =
            runs.iter().map(|(wish, adopt)| Some(Box::pin(one(self, *wish, *adopt, &target)))).collect();
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
            self.change().now += TURN;
        }
        ended.into_iter().map(Option::unwrap).collect()
    }
}

async fn one(world: &Shared, wish: Wish, adopt: bool, target: &Target) -> Result<Vec<String>, String> {
    let settle = Duration::from_secs(u64::try_from(SETTLE).unwrap());
    let run = Run { target, wish, adopt, settle, dry_run: false };
    let mut told = Vec::new();
    let ran = ensure(&mut Runner(world.clone()), &run, &mut |line| told.push(line)).await;
    ran.map(|()| told).map_err(|error| format!("{error:#}"))
}

/// One of those who work on it; others may come between any two of its calls.
struct Runner(Shared);

impl Runner {
    async fn turn(&self, write: bool) -> anyhow::Result<()> {
        let mut waited = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if write && let Some(fuse) = &mut self.0.change().fuse {
            *fuse = fuse.checked_sub(1).ok_or_else(|| anyhow::anyhow!("cut off"))?;
        }
        Ok(())
    }

    /// Polls what never waits.
    fn now_or_never<T>(future: impl Future<Output = T>) -> T {
        let future: Pin<&mut _> = pin!(future);
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(it) => it,
            Poll::Pending => panic!("a cluster in memory does not wait"),
        }
    }

    fn recorded(&self, written: anyhow::Result<Written>) -> anyhow::Result<Written> {
        if let Ok(Written::Done) = written {
            self.0.change().record();
        }
        written
    }
}

impl Cluster for Runner {
    async fn read(&mut self) -> anyhow::Result<Observed> {
        self.turn(false).await?;
        Ok(self.0.look().cluster.observed.clone())
    }

    async fn write(&mut self, seen: Option<&Secret>, change: Change) -> anyhow::Result<Written> {
        self.turn(true).await?;
        let written = Self::now_or_never(self.0.change().cluster.write(seen, change));
        self.recorded(written)
    }

    async fn publish(
        &mut self,
        seen: &Configuration,
        bundles: &[(String, String)],
    ) -> anyhow::Result<Written> {
        self.turn(true).await?;
        let written = Self::now_or_never(self.0.change().cluster.publish(seen, bundles));
        self.recorded(written)
    }

    async fn wait(&mut self, time: Duration) {
        let until = self.0.look().now + Seconds::try_from(time.as_secs()).unwrap();
        while self.0.look().now < until {
            self.turn(false).await.unwrap();
        }
    }

    fn now(&self) -> Seconds {
        self.0.look().now
    }
}
