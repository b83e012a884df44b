//! Interrupted and concurrent runs converge; the invariant is checked after every write ([`super::simulation`]).

use k8s_openapi::ByteString;

use super::simulation::{START, Shared, empty, installed, interrupt, race, run, target};
use crate::certs::keyring::Data;
use crate::certs::plan::{Options, Renew};
use crate::certs::state::ClusterState;
use crate::pki::{Authority, Bundle};

const GARBAGE: &str = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";

fn options(renew: Option<Renew>) -> Options {
    Options { renew, adopt: true, ..Options::default() }
}

fn data(state: &mut ClusterState) -> &mut Data {
    state.secret.as_mut().unwrap().data.get_or_insert_default()
}

fn adopted_from_another_issuer(state: &mut ClusterState) {
    let theirs = Authority::new(START).unwrap();
    let issued = theirs.issue(&target().names(), START).unwrap();
    let ca = theirs.certificate.pem();
    for webhook in state.configurations.iter_mut().flat_map(|it| &mut it.webhooks) {
        webhook.bundle = Bundle::read(ca.as_bytes());
    }
    let (certificate, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let entries = [("tls.crt", certificate), ("tls.key", key), ("ca.crt", ca)];
    *data(state) = entries.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).into();
}

type Change = Box<dyn Fn(&mut ClusterState)>;

/// What may have happened to an installation, and its age in days.
fn starts() -> Vec<(String, i64, Change)> {
    // Nothing is due; the certificate is due, or has expired; the CA is due, or has expired.
    let ages =
        [0, 61, 100, 490, 800].map(|days| (format!("{days} days"), days, Box::new(|_: &mut _| ()) as Change));
    let bundle = |index: usize, text: &'static str| -> Change {
        Box::new(move |it| it.configurations[index].webhooks[index].bundle = Bundle::read(text.as_bytes()))
    };
    let mut changes: Vec<(String, Change)> = vec![
        ("no Secret".to_owned(), Box::new(|it| it.secret = None)),
        ("another issuer".to_owned(), Box::new(adopted_from_another_issuer)),
        ("an empty bundle".to_owned(), bundle(0, "")),
        ("garbage in a bundle".to_owned(), bundle(1, GARBAGE)),
    ];
    for key in ["tls.key", "tls.crt", "ca.crt", "ca.key", "next-ca.crt"] {
        changes.push((format!("no {key}"), Box::new(|it| drop(data(it).remove(key)))));
        let garbage = |it: &mut _| drop(data(it).insert(key.to_owned(), ByteString(GARBAGE.into())));
        changes.push((format!("garbage in {key}"), Box::new(garbage)));
    }
    ages.into_iter().chain(changes.into_iter().map(|(what, change)| (what, 0, change))).collect()
}

/// Interrupts the first of two runs after any number of turns.
fn assert_finished(case: &str, start: impl Fn() -> Shared, renew: Option<Renew>) {
    for turns in 0.. {
        let simulation = start();
        let interrupted = interrupt(&simulation, options(renew), turns);
        assert!(!matches!(interrupted, Some(Err(_))), "{case}, {renew:?}, {turns} turns: {interrupted:?}");
        let finished = run(&simulation, options(None));
        assert!(finished.is_ok(), "{case}, {renew:?}, {turns} turns: {finished:?}");
        simulation.borrow().assert_consistent();
        let written = simulation.borrow().cluster.writes;
        run(&simulation, Options::default()).unwrap();
        assert_eq!(simulation.borrow().cluster.writes, written, "{case}: nothing was left to do");
        if interrupted.is_some() {
            break;
        }
    }
}

#[test]
fn an_interrupted_run_from_any_start_is_finished_by_the_next() {
    for renew in [None, Some(Renew::Leaf), Some(Renew::Ca)] {
        assert_finished("an empty Secret", empty, renew);
        for (case, days, change) in starts() {
            let start = || {
                let simulation = installed(days);
                simulation.borrow_mut().modify(&change);
                simulation
            };
            assert_finished(&case, start, renew);
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
        if resets < 2 && simulation.borrow_mut().reset_bundle().is_some() {
            resets += 1;
        }
        0
    });
    let lines = lines[0].as_ref().unwrap();
    assert_eq!(resets, 2);
    assert_eq!(lines.iter().filter(|it| it.starts_with("waiting ")).count(), 2, "{lines:#?}");
    simulation.borrow().assert_consistent();
}
