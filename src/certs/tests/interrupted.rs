//! Interrupted and concurrent runs converge; the invariant is checked after every write ([`super::simulation`]).

use super::race::SharedSimulation;
use crate::certs::plan::{Options, Renew};
use crate::certs::state::ClusterState;
use crate::pki::{Authority, Bundle, DAY_SECONDS};

/// More writes than any run takes.
const MAX_WRITES: usize = 12;

fn options(renew: Option<Renew>) -> Options {
    Options { renew, ..Options::default() }
}

fn installed() -> SharedSimulation {
    let simulation = SharedSimulation::installation();
    simulation.run(Options::default()).unwrap();
    simulation
}

fn damaged(change: impl FnOnce(&mut ClusterState)) -> SharedSimulation {
    let simulation = installed();
    simulation.change().modify(change);
    simulation
}

fn without(key: &'static str) -> SharedSimulation {
    damaged(|it| drop(it.secret.as_mut().unwrap().data.remove(key)))
}

fn with(key: &str, text: &str) -> SharedSimulation {
    damaged(|it| drop(it.secret.as_mut().unwrap().data.insert(key.to_owned(), text.as_bytes().to_vec())))
}

/// An installation that was not renewed for this many days.
fn neglected(days: i64) -> SharedSimulation {
    let simulation = installed();
    simulation.change().now += days * DAY_SECONDS;
    simulation.change().modify(|_| ());
    simulation
}

fn by_another_issuer() -> SharedSimulation {
    let simulation = SharedSimulation::installation();
    let now = simulation.state().now;
    let theirs = Authority::new(now).unwrap();
    let issued = theirs.issue(&super::simulation::target().names(), now).unwrap();
    simulation.change().modify(|it| {
        let data = &mut it.secret.as_mut().unwrap().data;
        data.insert("tls.crt".to_owned(), issued.certificate.into_bytes());
        data.insert("tls.key".to_owned(), issued.key.into_bytes());
        data.insert("ca.crt".to_owned(), theirs.certificate.pem().into_bytes());
        for webhook in it.configurations.iter_mut().flat_map(|it| &mut it.webhooks) {
            webhook.bundle = Bundle::read(theirs.certificate.pem().as_bytes());
        }
    });
    simulation
}

fn starts() -> Vec<(&'static str, SharedSimulation)> {
    let garbage = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    vec![
        ("an empty Secret", SharedSimulation::installation()),
        ("no Secret", damaged(|it| it.secret = None)),
        ("nothing is due", installed()),
        ("no tls.key", without("tls.key")),
        ("no tls.crt", without("tls.crt")),
        ("no ca.crt", without("ca.crt")),
        ("no ca.key", without("ca.key")),
        ("garbage in tls.crt", with("tls.crt", garbage)),
        ("garbage in tls.key", with("tls.key", "no key")),
        ("garbage in ca.crt", with("ca.crt", garbage)),
        ("garbage in ca.key", with("ca.key", "no key")),
        ("half a next CA", with("next-ca.crt", garbage)),
        ("an empty bundle", damaged(|it| it.configurations[0].webhooks[0].bundle = Bundle::default())),
        (
            "garbage in a bundle",
            damaged(|it| it.configurations[1].webhooks[1].bundle = Bundle::read(garbage.as_bytes())),
        ),
        ("a certificate that is due", neglected(61)),
        ("a certificate that has expired", neglected(100)),
        ("a CA that is due", neglected(490)),
        ("a CA that has expired", neglected(800)),
        ("another issuer", by_another_issuer()),
    ]
}

#[test]
fn an_interrupted_run_from_any_start_is_finished_by_the_next() {
    for renew in [None, Some(Renew::Leaf), Some(Renew::Ca)] {
        for writes in 0..MAX_WRITES {
            for (start, simulation) in starts() {
                let interrupted = simulation.interrupt(options(renew), writes);
                assert!(
                    interrupted.as_ref().err().is_none_or(|it| it == "interrupted"),
                    "{start}: {interrupted:?}"
                );
                let finished = simulation.run(Options { adopt: true, ..Options::default() });
                assert!(finished.is_ok(), "{start}, {renew:?}, {writes} writes: {finished:?}");
                simulation.state().assert_consistent();
                let written = simulation.state().writes;
                simulation.run(Options::default()).unwrap();
                assert_eq!(simulation.state().writes, written, "{start}, {renew:?}: nothing was left to do");
            }
        }
    }
}

/// A sequence that is different for each seed and the same for each run.
fn shuffled(mut seed: u64) -> impl FnMut() -> usize {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 40).unwrap()
    }
}

#[test]
fn two_concurrent_runs_agree_on_one_ca() {
    for seed in 0..150 {
        let simulation = SharedSimulation::installation();
        for ran in simulation.race(&[Options::default(); 2], shuffled(seed)) {
            assert!(ran.is_ok(), "seed {seed}: {ran:?}");
        }
        simulation.state().assert_consistent();
        assert_eq!(simulation.state().authorities.len(), 1, "seed {seed}");
    }
}

#[test]
fn three_concurrent_renewals_of_the_ca_create_one() {
    for seed in 0..60 {
        let simulation = installed();
        simulation.change().now += DAY_SECONDS;
        for ran in simulation.race(&[options(Some(Renew::Ca)); 3], shuffled(seed)) {
            assert!(ran.is_ok(), "seed {seed}: {ran:?}");
        }
        simulation.state().assert_consistent();
        assert_eq!(simulation.state().authorities.len(), 2, "seed {seed}: the old one and one new one");
    }
}

#[test]
fn concurrent_renewals_of_ca_and_certificate_both_succeed() {
    for seed in 0..60 {
        let simulation = installed();
        simulation.change().now += DAY_SECONDS;
        let runs = [options(Some(Renew::Ca)), options(Some(Renew::Leaf))];
        for ran in simulation.race(&runs, shuffled(seed)) {
            assert!(ran.is_ok(), "seed {seed}: {ran:?}");
        }
        simulation.state().assert_consistent();
        assert_eq!(simulation.state().authorities.len(), 2, "seed {seed}");
    }
}

#[test]
fn a_bundle_reset_during_propagation_is_published_again() {
    let simulation = installed();
    simulation.change().now += DAY_SECONDS;
    let (meddling, mut resets) = (simulation.clone(), 0);
    let lines = simulation.race(&[options(Some(Renew::Ca))], || {
        let mut simulation = meddling.change();
        let waited = simulation.unpublished_for(i64::from(super::simulation::PROPAGATION_SECONDS) / 2);
        if resets < 2 && waited && simulation.remove_next().is_some() {
            resets += 1;
        }
        0
    });
    let lines = lines[0].as_ref().unwrap();
    assert_eq!(resets, 2);
    assert_eq!(lines.iter().filter(|it| it.starts_with("waiting ")).count(), 2, "{lines:#?}");
    simulation.state().assert_consistent();
}
