//! A process that is stopped: the kernel accepts connections for it, and no response comes. The write that waits on
//! such a connection fails after `timeoutSeconds`, and the apiserver closes the connection. The probe takes the replica
//! out of the Service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::deployment::{Deployment, deployment};
use super::kubelet::{Kubelet, Probe};
use super::load::{Failure, Load, Outcome, under_load};
use super::{form, is_long};
use crate::numbers::record;
use crate::process::awaited;

/// Before the stop, and again after it was taken out.
const WRITES: usize = 100;

/// A replica that hung.
#[derive(Debug)]
struct Hang {
    began: Instant,
    taken_out: Duration,
    /// When no request waited for it any more.
    over: Instant,
    connections: usize,
    /// Idle connections to it at that time, which the apiserver may still use.
    unused: usize,
}

#[test]
fn a_hung_replica_fails_one_write_a_connection_and_then_none() {
    let mut deployment = deployment();
    let plane = Arc::clone(&deployment.stage.plane);
    let (hangs, outcome) = under_load(&plane, 20, |load| {
        (0..form(1, 4)).map(|_| hang(&mut deployment, load)).collect::<Vec<_>>()
    });
    let mut explained = 0;
    for (number, hang) in hangs.iter().enumerate() {
        let next = hangs.get(number + 1).map(|it| it.began);
        let failures = outcome.failures.iter();
        explained += hang.explained(&failures.filter(|it| hang.has(it, next)).collect::<Vec<_>>());
    }
    assert_eq!(explained, outcome.failures.len(), "{:#?}", outcome.failures);
    report(&hangs, &outcome);
}

impl Hang {
    /// Whether a write failed during this one, before the next.
    fn has(&self, failure: &Failure, next: Option<Instant>) -> bool {
        failure.ended > self.began && next.is_none_or(|next| failure.ended < next)
    }

    /// Asserts that each failure had a connection to the stopped process; how many there are.
    fn explained(&self, failures: &[&Failure]) -> usize {
        let late = failures.iter().filter(|it| it.began >= self.over).count();
        assert!(failures.len() - late <= self.connections, "{self:?}: {failures:#?}");
        assert!(late <= self.unused, "{self:?}: {failures:#?}");
        failures.len()
    }
}

fn report(hangs: &[Hang], outcome: &Outcome) {
    let most =
        |times: &mut dyn Iterator<Item = Duration>| times.max().unwrap_or_default().as_millis() as usize;
    let failed = &outcome.failures;
    record("SIGSTOP, replicas", hangs.len());
    record("SIGSTOP, writes", outcome.written);
    record("SIGSTOP, connections to it until it was taken out", hangs.iter().map(|it| it.connections).sum());
    record("SIGSTOP, writes that failed", failed.len());
    let took = most(&mut hangs.iter().map(|it| it.taken_out));
    record("SIGSTOP, milliseconds until it was taken out, at most", took);
    let took = most(&mut failed.iter().map(|it| it.ended - it.began));
    record("SIGSTOP, milliseconds of a write that failed, at most", took);
    let last = |hang: &Hang| failed.iter().filter(|it| it.began < hang.over).map(|it| it.ended).max();
    let took = most(&mut hangs.iter().filter_map(|it| Some(last(it)?.saturating_duration_since(it.began))));
    record("SIGSTOP, milliseconds until the last write had failed, at most", took);
}

/// Stops the replica with the most connections until the Service has taken it out, and continues it.
fn hang(deployment: &mut Deployment, load: &Load) -> Hang {
    let kubelet = Kubelet::watch(&deployment.replicas, probe(deployment));
    load.more(WRITES);
    let number = deployment.busiest();
    let hang = stop(deployment, number, load);
    let replica = &deployment.replicas[number];
    replica.signal("CONT");
    awaited("it to be ready again", || replica.endpoint.is_ready().then_some(()));
    drop(kubelet);
    let reviewed = |deployment: &Deployment| deployment.replicas[number].webhook.reviews(&[]);
    let before = reviewed(deployment);
    deployment.restart(1 - number, load);
    awaited("it to review again", || (reviewed(deployment) > before).then_some(()));
    hang
}

fn stop(deployment: &Deployment, number: usize, load: &Load) -> Hang {
    let (replica, began) = (&deployment.replicas[number], Instant::now());
    let endpoint = &replica.endpoint;
    let (open, made) = (endpoint.open(), endpoint.made());
    replica.signal("STOP");
    awaited("it to be taken out", || (!endpoint.is_ready()).then_some(()));
    let taken_out = began.elapsed();
    awaited("nothing to wait for it", || (endpoint.in_flight() == 0).then_some(()));
    let over = Instant::now();
    let (unused, connections) = (endpoint.open(), open + endpoint.made() - made);
    load.more(WRITES);
    Hang { began, taken_out, over, connections, unused }
}

/// The probe of the Deployment; in the short form it looks more often.
fn probe(deployment: &Deployment) -> Probe {
    let shipped = Probe::of(deployment.stage.object("Deployment", "ippool-webhook"));
    if is_long() { shipped } else { Probe { period: Duration::from_secs(1), ..shipped } }
}
