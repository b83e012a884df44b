//! What is renewed, and when it is due.

use super::simulation::{installed, run};
use crate::certs::plan::{Options, Renew};
use crate::pki::DAY_SECONDS;

#[test]
fn five_years_of_daily_runs_keep_every_certificate_valid() {
    let simulation = installed(0);
    let (mut least, mut most) = (i64::MAX, 0);
    for day in 0..5 * 365 {
        simulation.borrow_mut().cluster.now += DAY_SECONDS;
        let lines = run(&simulation, Options::default()).unwrap();
        let state = simulation.borrow();
        state.assert_consistent();
        least = least.min((state.keyring().leaf().unwrap().not_after - state.cluster.now) / DAY_SECONDS);
        most = most.max(state.bundles().iter().map(Vec::len).max().unwrap());
        assert!(lines.len() <= 7, "day {day}: {lines:?}");
    }
    // Three CAs of two years each, each of which signs for sixteen months.
    assert_eq!(simulation.borrow().authorities.len(), 4);
    assert!(least >= 28, "the certificate was once {least} days from its end");
    assert_eq!(most, 2, "the CA that signs and the one before it, until that one has expired");
}

#[test]
fn a_certificate_past_two_thirds_of_its_life_is_renewed_by_the_same_ca() {
    let simulation = installed(0);
    let before = simulation.borrow().keyring();
    for (days, renewed) in [(59, false), (1, true)] {
        simulation.borrow_mut().cluster.now += days * DAY_SECONDS;
        run(&simulation, Options::default()).unwrap();
        let after = simulation.borrow().keyring();
        assert_eq!(after.leaf() != before.leaf(), renewed, "{days} days later");
        assert_eq!(after.signing.unwrap().certificate, before.signing.as_ref().unwrap().certificate);
    }
}

#[test]
fn other_cas_are_dropped_on_request_once_no_pod_needs_them() {
    let simulation = installed(1);
    run(&simulation, Options { renew: Some(Renew::Ca), ..Options::default() }).unwrap();
    let drop_others = Options { drop_others: true, ..Options::default() };
    let refused = run(&simulation, drop_others).unwrap_err();
    assert!(refused.starts_with("the other CAs stay for now: the certificate is so new"), "{refused}");
    assert_eq!(simulation.borrow().bundles()[0].len(), 2);
    simulation.borrow_mut().cluster.now += 3600;
    let lines = run(&simulation, drop_others).unwrap();
    let dropped = "published to MutatingWebhookConfiguration ippool-webhook: drops CN=";
    assert!(lines[0].starts_with(dropped), "{lines:?}");
    let state = simulation.borrow();
    state.assert_consistent();
    assert!(state.bundles().iter().all(|it| it.len() == 1), "the one that signs");
    assert!(state.keyring().older.is_empty());
}
