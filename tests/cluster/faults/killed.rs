//! kill -9. The apiserver does not repeat a POST that ends in EOF, so what is in flight is lost; nothing else is.

use std::sync::Arc;
use std::time::Instant;

use super::deployment::{Deployment, deployment};
use super::form;
use super::load::{Failure, Load, under_load};
use crate::numbers::record;
use crate::process::awaited;

/// Between two kills.
const WRITES: usize = 50;

/// A kill.
#[derive(Debug)]
struct Kill {
    began: Instant,
    /// No connection to it was left.
    over: Instant,
    in_flight: usize,
}

impl Kill {
    fn explains(&self, failure: &Failure) -> bool {
        failure.began < self.over && failure.ended > self.began
    }
}

#[test]
fn a_killed_replica_fails_no_write_but_those_in_flight_on_it() {
    let mut deployment = deployment();
    let plane = Arc::clone(&deployment.stage.plane);
    let (kills, outcome) = under_load(&plane, 0, |load| {
        let kills: Vec<_> = (0..form(3, 20)).map(|number| kill(&mut deployment, load, number)).collect();
        load.more(WRITES);
        kills
    });
    let mut explained = 0;
    for kill in &kills {
        let failed: Vec<_> = outcome.failures.iter().filter(|it| kill.explains(it)).collect();
        assert!(failed.len() <= kill.in_flight, "{kill:?}: {failed:#?}");
        explained += failed.len();
    }
    assert_eq!(explained, outcome.failures.len(), "after a kill all succeed: {:#?}", outcome.failures);
    record("kill -9, replicas", kills.len());
    record("kill -9, writes", outcome.written);
    record("kill -9, in flight on the replicas killed", kills.iter().map(|it| it.in_flight).sum());
    record("kill -9, writes that failed", outcome.failures.len());
}

/// Kills the replica that has the most connections, and starts another. Every second one is stopped before, so that
/// it certainly holds requests.
fn kill(deployment: &mut Deployment, load: &Load, number: usize) -> Kill {
    load.more(WRITES);
    let mut replica = deployment.replicas.swap_remove(deployment.busiest());
    awaited("its connections to be set up", || replica.endpoint.is_settled().then_some(()));
    let stopped = number % 2 == 1;
    if stopped {
        replica.signal("STOP");
    }
    let least = if stopped { 2 } else { 1 };
    awaited("requests to be in flight", || (replica.endpoint.in_flight() >= least).then_some(()));
    let began = Instant::now();
    replica.signal("KILL");
    awaited("it to be gone", || replica.webhook.ended());
    awaited("its connections to end", || (replica.endpoint.open() == 0).then_some(()));
    deployment.service.remove(&replica.endpoint);
    let kill = Kill { began, over: Instant::now(), in_flight: replica.endpoint.lost() };
    let new = deployment.start();
    deployment.replicas.push(new);
    kill
}
