//! Interrupted and concurrent runs converge; the invariant is checked after every write ([`super::simulation`]).

use super::simulation::{PROPAGATION_SECONDS, Shared, empty, installed, interrupt, race, run, target};
use crate::certs::keyring::Data;
use crate::certs::plan::{Options, Renew};
use crate::certs::state::ClusterState;
use crate::pki::{Authority, Bundle};

/// More writes than any run takes.
const MAX_WRITES: usize = 12;
const GARBAGE: &str = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";

fn options(renew: Option<Renew>) -> Options {
    Options { renew, adopt: true, ..Options::default() }
}

/// An installation that was changed after this many days.
fn modified(days: i64, change: impl FnOnce(&mut ClusterState)) -> Shared {
    let simulation = installed(days);
    simulation.borrow_mut().modify(change);
    simulation
}

fn data(state: &mut ClusterState) -> &mut Data {
    &mut state.secret.as_mut().unwrap().data
}

fn by_another_issuer() -> Shared {
    let simulation = empty();
    let now = simulation.borrow().cluster.now;
    let theirs = Authority::new(now).unwrap();
    let issued = theirs.issue(&target().names(), now).unwrap();
    let ca = theirs.certificate.pem();
    simulation.borrow_mut().modify(|it| {
        for webhook in it.configurations.iter_mut().flat_map(|it| &mut it.webhooks) {
            webhook.bundle = Bundle::read(ca.as_bytes());
        }
        for (key, text) in [("tls.crt", issued.certificate), ("tls.key", issued.key), ("ca.crt", ca)] {
            data(it).insert(key.to_owned(), text.into_bytes());
        }
    });
    simulation
}

fn starts() -> Vec<(String, Shared)> {
    let mut starts = vec![("an empty Secret", empty()), ("another issuer", by_another_issuer())];
    starts.push(("no Secret", modified(0, |it| it.secret = None)));
    let bundle = |index: usize, text: &'static str| {
        modified(0, move |it| it.configurations[index].webhooks[index].bundle = Bundle::read(text.as_bytes()))
    };
    starts.extend([("an empty bundle", bundle(0, "")), ("garbage in a bundle", bundle(1, GARBAGE))]);
    let mut starts: Vec<_> = starts.into_iter().map(|(start, it)| (start.to_owned(), it)).collect();
    // Nothing is due; the certificate is due, or has expired; the CA is due, or has expired.
    starts.extend([0, 61, 100, 490, 800].map(|days| (format!("after {days} days"), modified(days, |_| ()))));
    for key in ["tls.key", "tls.crt", "ca.crt", "ca.key"] {
        starts.push((format!("no {key}"), modified(0, |it| drop(data(it).remove(key)))));
    }
    for key in ["tls.key", "tls.crt", "ca.crt", "ca.key", "next-ca.crt"] {
        let garbage = modified(0, |it| drop(data(it).insert(key.to_owned(), GARBAGE.as_bytes().to_vec())));
        starts.push((format!("garbage in {key}"), garbage));
    }
    starts
}

#[test]
fn an_interrupted_run_from_any_start_is_finished_by_the_next() {
    for renew in [None, Some(Renew::Leaf), Some(Renew::Ca)] {
        for writes in 0..MAX_WRITES {
            for (start, simulation) in starts() {
                let case = format!("{start}, {renew:?}, {writes} writes");
                let interrupted = interrupt(&simulation, options(renew), writes);
                assert!(
                    interrupted.is_ok() || interrupted == Err("interrupted".to_owned()),
                    "{case}: {interrupted:?}"
                );
                let finished = run(&simulation, options(None));
                assert!(finished.is_ok(), "{case}: {finished:?}");
                simulation.borrow().assert_consistent();
                let written = simulation.borrow().cluster.writes;
                run(&simulation, Options::default()).unwrap();
                assert_eq!(simulation.borrow().cluster.writes, written, "{case}: nothing was left to do");
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

/// Races these runs in many orders: all succeed, and this many authorities were ever stored.
fn assert_converge(seeds: u64, start: fn() -> Shared, runs: &[Option<Renew>], authorities: usize) {
    let runs: Vec<_> = runs.iter().map(|renew| options(*renew)).collect();
    for seed in 0..seeds {
        let simulation = start();
        for ran in race(&simulation, &runs, shuffled(seed)) {
            assert!(ran.is_ok(), "seed {seed}: {ran:?}");
        }
        simulation.borrow().assert_consistent();
        assert_eq!(simulation.borrow().authorities.len(), authorities, "seed {seed}");
    }
}

#[test]
fn two_concurrent_runs_agree_on_one_ca() {
    assert_converge(150, empty, &[None, None], 1);
}

#[test]
fn three_concurrent_renewals_of_the_ca_create_one() {
    assert_converge(60, || installed(1), &[Some(Renew::Ca); 3], 2);
}

#[test]
fn concurrent_renewals_of_ca_and_certificate_both_succeed() {
    assert_converge(60, || installed(1), &[Some(Renew::Ca), Some(Renew::Leaf)], 2);
}

#[test]
fn a_bundle_reset_during_propagation_is_published_again() {
    let (simulation, mut resets) = (installed(1), 0);
    let lines = race(&simulation, &[options(Some(Renew::Ca))], || {
        let mut simulation = simulation.borrow_mut();
        let waited = simulation.unpublished_for(i64::from(PROPAGATION_SECONDS) / 2);
        if resets < 2 && waited && simulation.remove_next().is_some() {
            resets += 1;
        }
        0
    });
    let lines = lines[0].as_ref().unwrap();
    assert_eq!(resets, 2);
    assert_eq!(lines.iter().filter(|it| it.starts_with("waiting ")).count(), 2, "{lines:#?}");
    simulation.borrow().assert_consistent();
}
