//! What is renewed, and when it is due.

use super::race::SharedSimulation;
use crate::certs::plan::{Options, Renew};
use crate::pki::DAY_SECONDS;

#[test]
fn the_first_run_publishes_the_ca_before_it_stores_the_certificate() {
    let simulation = SharedSimulation::installation();
    let lines = simulation.run(Options::default()).unwrap();
    let verbs: Vec<_> =
        lines.iter().map(|it| it.split_once(" CN=").map_or(&**it, |(before, _)| before)).collect();
    assert_eq!(
        verbs[..4],
        [
            "stored a new CA,",
            "published to MutatingWebhookConfiguration ippool-webhook: adds",
            "published to ValidatingWebhookConfiguration ippool-webhook: adds",
            "stored a certificate of",
        ]
    );
    assert_eq!(lines[4], "the certificate is valid until 2027-02-20 and is renewed from 2027-01-21 on");
    assert_eq!(lines[5], "its CA is valid until 2028-11-21 and is renewed from 2028-03-22 on");
    simulation.state().assert_consistent();
}

#[test]
fn five_years_of_daily_runs_keep_every_certificate_valid() {
    let simulation = SharedSimulation::installation();
    simulation.run(Options::default()).unwrap();
    let (mut least, mut most) = (i64::MAX, 0);
    for day in 0..5 * 365 {
        simulation.change().now += DAY_SECONDS;
        let lines = simulation.run(Options::default()).unwrap();
        let state = simulation.state();
        state.assert_consistent();
        let keyring = state.keyring();
        least = least.min((keyring.leaf().unwrap().not_after - state.now) / DAY_SECONDS);
        most = most.max(state.bundles().iter().map(Vec::len).max().unwrap());
        assert!(lines.len() <= 7, "day {day}: {lines:?}");
    }
    // Three CAs of two years each, each of which signs for sixteen months.
    assert_eq!(simulation.state().authorities.len(), 4);
    assert!(least >= 28, "the certificate was once {least} days from its end");
    assert_eq!(most, 2, "the CA that signs and the one before it, until that one has expired");
}

#[test]
fn a_certificate_past_two_thirds_of_its_life_is_renewed_by_the_same_ca() {
    let simulation = SharedSimulation::installation();
    simulation.run(Options::default()).unwrap();
    let before = simulation.state().keyring();
    for (days, renewed) in [(59, false), (1, true)] {
        simulation.change().now += days * DAY_SECONDS;
        simulation.run(Options::default()).unwrap();
        let after = simulation.state().keyring();
        assert_eq!(after.leaf() != before.leaf(), renewed, "{days} days later");
        assert_eq!(after.signing.unwrap().certificate, before.signing.as_ref().unwrap().certificate);
    }
}

#[test]
fn a_new_ca_is_published_and_propagated_before_it_signs() {
    let simulation = SharedSimulation::installation();
    simulation.run(Options::default()).unwrap();
    simulation.change().now += DAY_SECONDS;
    let lines = simulation.run(Options { renew: Some(Renew::Ca), ..Options::default() }).unwrap();
    let verbs: Vec<_> = lines.iter().map(|it| it.split_whitespace().next().unwrap()).collect();
    assert_eq!(verbs, ["stored", "published", "published", "waiting", "stored", "the", "its"], "{lines:#?}");
    assert_eq!(lines[3], "waiting 60 s until every apiserver has seen it");
    for bundle in simulation.state().bundles() {
        assert_eq!(bundle.len(), 2, "old and new");
    }
}

#[test]
fn other_cas_are_dropped_on_request_once_no_pod_needs_them() {
    let simulation = SharedSimulation::installation();
    simulation.run(Options::default()).unwrap();
    simulation.change().now += DAY_SECONDS;
    simulation.run(Options { renew: Some(Renew::Ca), ..Options::default() }).unwrap();
    let drop_others = Options { drop_others: true, ..Options::default() };
    let refused = simulation.run(drop_others).unwrap_err();
    assert!(refused.starts_with("the other CAs stay for now: the certificate is so new"), "{refused}");
    assert_eq!(simulation.state().bundles()[0].len(), 2);
    simulation.change().now += 3600;
    let lines = simulation.run(drop_others).unwrap();
    assert!(
        lines[0].starts_with("published to MutatingWebhookConfiguration ippool-webhook: drops CN="),
        "{lines:?}"
    );
    let state = simulation.state();
    state.assert_consistent();
    assert!(state.bundles().iter().all(|it| it.len() == 1), "the one that signs");
    assert!(state.keyring().older.is_empty());
}
