//! A cluster whose apiservers lag behind what is published, and whose pods lag behind what is stored.
//!
//! Every write checks the invariant: each bundle that an apiserver may still use accepts each certificate that a pod may
//! still serve.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use tokio::task::yield_now;

use crate::certs::ensure::ensure;
use crate::certs::in_memory_cluster::InMemoryCluster;
use crate::certs::keyring::{Keyring, SecretPatch};
use crate::certs::plan::{Options, POD_SYNC_SECONDS};
use crate::certs::state::{Bundles, Cluster, ClusterState, Configuration, Target, Webhook, WriteOutcome};
use crate::pki::{Bundle, Certificate, DAY_SECONDS, UnixTime, verify};

/// After this time, every apiserver has seen what is published.
const PROPAGATION_SECONDS: u32 = 60;
/// 2026-11-22T08:00:00Z.
pub const START: UnixTime = 1_795_334_400;
/// Seconds between two turns.
const TURN_SECONDS: i64 = 5;

pub fn target() -> Target {
    let name = "ippool-webhook".to_owned();
    let publish_to = ["mutating/ippool-webhook", "validating/ippool-webhook"].map(|it| it.parse().unwrap());
    let secret = "ippool-webhook-tls".to_owned();
    Target { namespace: name.clone(), secret, service: name, publish_to: publish_to.into() }
}

/// Values with the time from which each holds, until the next entry.
type History<T> = Vec<(UnixTime, T)>;

pub struct Simulation {
    pub cluster: InMemoryCluster,
    /// Bundles by webhook.
    published: History<Vec<Vec<Certificate>>>,
    served: History<Vec<Certificate>>,
    /// Every authority that was ever stored.
    pub authorities: Vec<Certificate>,
}

impl Simulation {
    pub fn keyring(&self) -> Keyring {
        Keyring::read(self.cluster.state.data())
    }

    pub fn bundles(&self) -> Vec<Vec<Certificate>> {
        let webhooks = self.cluster.state.configurations.iter().flat_map(|it| &it.webhooks);
        webhooks.map(|it| it.bundle.certificates.clone()).collect()
    }

    /// Changes the objects as another client would, without checking the invariant.
    pub fn modify(&mut self, change: impl FnOnce(&mut ClusterState)) {
        change(&mut self.cluster.state);
        if let Some(secret) = &mut self.cluster.state.secret {
            secret.metadata.resource_version.get_or_insert_default().push('x');
        }
        self.cluster.state.configurations.iter_mut().for_each(|it| it.resource_version.push('x'));
        self.published = vec![(self.cluster.now, self.bundles())];
        // Pods keep the last good pair when the Secret has none.
        if let Ok(chain) = self.keyring().serving {
            self.served = vec![(self.cluster.now, chain)];
        }
    }

    /// Halfway through a propagation, removes the next CA from a bundle, as an applied manifest may. Otherwise `None`.
    pub fn reset_bundle(&mut self) -> Option<()> {
        let next = self.keyring().next?.certificate;
        let halfway = self.published.last()?.0 + i64::from(PROPAGATION_SECONDS) / 2;
        let mut configurations = self.cluster.state.configurations.iter_mut().rev();
        let configuration = configurations
            .find(|it| it.webhooks[0].bundle.certificates.contains(&next) && halfway <= self.cluster.now)?;
        configuration.webhooks[0].bundle.certificates.retain(|it| *it != next);
        configuration.resource_version.push('x');
        self.published.push((self.cluster.now, self.bundles()));
        Some(())
    }

    /// Records the state after a write, and checks the invariant.
    fn record(&mut self, outcome: WriteOutcome) {
        if outcome == WriteOutcome::Conflict {
            return;
        }
        let keyring = self.keyring();
        for it in keyring.signing.iter().chain(&keyring.next) {
            if !self.authorities.contains(&it.certificate) {
                self.authorities.push(it.certificate.clone());
            }
        }
        let worked = self.works();
        self.published.push((self.cluster.now, self.bundles()));
        if let Ok(chain) = keyring.serving
            && self.served.last().is_none_or(|(_, last)| *last != chain)
        {
            self.served.push((self.cluster.now, chain));
            assert!(self.works(), "the stored certificate is not accepted by a published bundle");
        }
        if worked {
            self.assert_invariant();
        } else if self.works() {
            // No call succeeded before, so an apiserver that lags behind loses nothing.
            self.published.drain(..self.published.len() - 1);
            self.served.drain(..self.served.len() - 1);
        }
    }

    /// Whether an apiserver and a pod that do not lag behind understand each other.
    fn works(&self) -> bool {
        let (Some((_, bundles)), Some((_, chain))) = (self.published.last(), self.served.last()) else {
            return false;
        };
        bundles.iter().all(|it| verify(it, chain, &target().names()[0], self.cluster.now).is_ok())
    }

    fn assert_invariant(&self) {
        for bundle in possible(&self.published, self.cluster.now - i64::from(PROPAGATION_SECONDS)).flatten() {
            // An expired certificate is never accepted, whatever is written.
            let served = possible(&self.served, self.cluster.now - POD_SYNC_SECONDS);
            for chain in served.filter(|chain| chain[0].is_valid(self.cluster.now)) {
                let accepted = verify(bundle, chain, &target().names()[0], self.cluster.now);
                assert_eq!(accepted, Ok(()), "by an apiserver that has not seen the last write");
            }
        }
    }

    /// Asserts that the current objects match and no rotation is unfinished.
    pub fn assert_consistent(&self) {
        let Keyring { signing, next, serving, .. } = self.keyring();
        assert!(next.is_none(), "no rotation is unfinished");
        let trusted = [vec![signing.unwrap().certificate]].into_iter().chain(self.bundles());
        for bundle in trusted {
            for name in target().names() {
                assert_eq!(verify(&bundle, serving.as_ref().unwrap(), &name, self.cluster.now), Ok(()));
            }
        }
    }
}

/// The values that may still be in use: all that held at `since` or later.
fn possible<T>(history: &History<T>, since: UnixTime) -> impl Iterator<Item = &T> {
    let first = history.iter().rposition(|(from, _)| *from <= since).unwrap_or(0);
    history[first..].iter().map(|(_, it)| it)
}

/// A simulation that several clients share.
pub type Shared = RefCell<Simulation>;
/// The progress lines of `ensure`, or its error.
pub type Ran = Result<Vec<String>, String>;

/// A new installation: an empty Secret, empty bundles.
pub fn empty() -> Shared {
    let webhook = |name: &&str| Webhook { name: (*name).to_owned(), bundle: Bundle::default() };
    let webhooks = [&["normalize"][..], &["validate", "observe"]];
    let configurations = target().publish_to.into_iter().zip(webhooks);
    let configurations = configurations.map(|(reference, names)| Configuration {
        reference,
        resource_version: String::new(),
        injected_by: None,
        webhooks: names.iter().map(webhook).collect(),
    });
    let secret = Some(Secret::default());
    let state = ClusterState { secret, configurations: configurations.collect(), ..ClusterState::default() };
    RefCell::new(Simulation {
        cluster: InMemoryCluster { state, now: START, writes: 0 },
        published: Vec::new(),
        served: Vec::new(),
        authorities: Vec::new(),
    })
}

/// An installation that `ensure` has completed, after this many days.
pub fn installed(days: i64) -> Shared {
    let simulation = empty();
    run(&simulation, Options::default()).unwrap();
    simulation.borrow_mut().cluster.now += days * DAY_SECONDS;
    simulation
}

/// Runs `ensure`.
pub fn run(simulation: &Shared, options: Options) -> Ran {
    race(simulation, &[options], || 0).remove(0)
}

/// Runs it, interrupted after this many turns; `None` if it was.
pub fn interrupt(simulation: &Shared, options: Options, turns: usize) -> Option<Ran> {
    let mut client = Box::pin(client(simulation, options));
    (0..turns).find_map(|_| turn(simulation, &mut client))
}

/// Runs several concurrently; `next` selects the one to proceed.
pub fn race(simulation: &Shared, runs: &[Options], mut next: impl FnMut() -> usize) -> Vec<Ran> {
    let mut running: Vec<_> = runs.iter().map(|options| Box::pin(client(simulation, *options))).collect();
    let mut ended: Vec<_> = runs.iter().map(|_| None).collect();
    while ended.contains(&None) {
        let at = next() % runs.len();
        let at = if ended[at].is_none() { at } else { ended.iter().position(Option::is_none).unwrap() };
        ended[at] = turn(simulation, &mut running[at]);
    }
    ended.into_iter().flatten().collect()
}

async fn client(mut simulation: &Shared, options: Options) -> Ran {
    let options = Options { propagation_delay: PROPAGATION_SECONDS.into(), ..options };
    let mut lines = Vec::new();
    let ran = ensure(&mut simulation, &target(), options, &mut |line| lines.push(line)).await;
    ran.map(|()| lines).map_err(|error| format!("{error:#}"))
}

/// Lets a client proceed to its next call or its end.
fn turn(simulation: &Shared, client: &mut Pin<Box<impl Future<Output = Ran>>>) -> Option<Ran> {
    let polled = client.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    simulation.borrow_mut().cluster.now += TURN_SECONDS;
    match polled {
        Poll::Ready(ran) => Some(ran),
        Poll::Pending => None,
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "a cluster in memory does not wait")]
impl Cluster for &Shared {
    async fn read(&mut self) -> anyhow::Result<ClusterState> {
        yield_now().await;
        Ok(self.borrow().cluster.state.clone())
    }

    async fn write(&mut self, seen: Option<&Secret>, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        yield_now().await;
        let mut simulation = self.borrow_mut();
        let outcome = simulation.cluster.write(seen, change).await?;
        simulation.record(outcome);
        Ok(outcome)
    }

    async fn publish(&mut self, seen: &Configuration, bundles: &Bundles) -> anyhow::Result<WriteOutcome> {
        yield_now().await;
        let mut simulation = self.borrow_mut();
        let outcome = simulation.cluster.publish(seen, bundles).await?;
        simulation.record(outcome);
        Ok(outcome)
    }

    async fn wait(&mut self, time: Duration) {
        let until = self.borrow().cluster.now + i64::try_from(time.as_secs()).unwrap();
        while self.borrow().cluster.now < until {
            yield_now().await;
        }
    }

    fn now(&self) -> UnixTime {
        self.borrow().cluster.now
    }
}
