//! A replica that stops without ending. Connections to it are made and nothing comes back, so that each takes a write
//! with it after `timeoutSeconds`; the probe takes it out of the Service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fleet::{Fleet, fleet};
use super::kubelet::{Kubelet, Probe};
use super::load::{Failure, Load, under_load};
use super::{form, is_long};
use crate::numbers::record;
use crate::process::awaited;

/// After it was taken out.
const WRITES: usize = 100;

/// A replica that hung.
#[derive(Debug)]
struct Hang {
    began: Instant,
    taken_out: Duration,
    /// Nothing waited for it any more.
    over: Instant,
    connections: usize,
    /// Connections to it that nobody used, and that may still be picked.
    unused: usize,
}

#[test]
fn a_hung_replica_fails_one_write_a_connection_and_then_none() {
    let mut fleet = fleet();
    let plane = Arc::clone(&fleet.stage.plane);
    let (hangs, outcome) =
        under_load(&plane, 20, |load| (0..form(1, 4)).map(|_| hang(&mut fleet, load)).collect::<Vec<_>>());
    let (mut explained, mut last) = (0, Duration::ZERO);
    for (number, hang) in hangs.iter().enumerate() {
        let next = hangs.get(number + 1).map(|it| it.began);
        let during = |it: &&Failure| it.ended > hang.began && next.is_none_or(|next| it.ended < next);
        let ends = outcome.failures.iter().filter(during).map(|it| it.ended - hang.began);
        last = ends.fold(last, Duration::max);
        let (early, late): (Vec<_>, Vec<_>) =
            outcome.failures.iter().filter(during).partition(|it| it.began < hang.over);
        assert!(early.len() <= hang.connections, "{hang:?}: {early:#?}");
        assert!(late.len() <= hang.unused, "{hang:?}: {late:#?}");
        explained += early.len() + late.len();
    }
    assert_eq!(explained, outcome.failures.len(), "{:#?}", outcome.failures);
    report(&hangs, &outcome.failures, outcome.written);
    record("SIGSTOP, milliseconds until the last write had failed, at most", last.as_millis() as usize);
}

fn report(hangs: &[Hang], failures: &[Failure], written: usize) {
    let longest = |durations: &mut dyn Iterator<Item = Duration>| {
        durations.max().unwrap_or_default().as_millis() as usize
    };
    record("SIGSTOP, replicas", hangs.len());
    record("SIGSTOP, writes", written);
    record("SIGSTOP, connections to it until it was taken out", hangs.iter().map(|it| it.connections).sum());
    record("SIGSTOP, writes that failed", failures.len());
    let took = longest(&mut hangs.iter().map(|it| it.taken_out));
    record("SIGSTOP, milliseconds until it was taken out, at most", took);
    let took = longest(&mut failures.iter().map(|it| it.ended - it.began));
    record("SIGSTOP, milliseconds of a write that failed, at most", took);
}

/// Stops the replica with the most connections, waits until it is out of the way, and has it go on.
fn hang(fleet: &mut Fleet, load: &Load) -> Hang {
    let kubelet = Kubelet::watch(&fleet.replicas, probe(fleet));
    load.more(WRITES);
    let number = fleet.busiest();
    let hang = stop(fleet, number, load);
    let replica = &fleet.replicas[number];
    replica.signal("CONT");
    awaited("it to be ready again", || replica.endpoint.is_ready().then_some(()));
    drop(kubelet);
    let reviewed = |fleet: &Fleet| fleet.replicas[number].webhook.reviews(&[]);
    let before = reviewed(fleet);
    fleet.restart(1 - number, load);
    awaited("it to review again", || (reviewed(fleet) > before).then_some(()));
    hang
}

fn stop(fleet: &Fleet, number: usize, load: &Load) -> Hang {
    let (replica, began) = (&fleet.replicas[number], Instant::now());
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
fn probe(fleet: &Fleet) -> Probe {
    let shipped = Probe::of(fleet.stage.object("Deployment", "ippool-webhook"));
    if is_long() { shipped } else { Probe { period: Duration::from_secs(1), ..shipped } }
}
