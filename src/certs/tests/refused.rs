//! Every reason not to write is reported at once, and nothing is written.

use super::simulation::{empty, run};
use crate::certs::plan::Options;
use crate::certs::state::Problem;
use crate::pki::Authority;

#[test]
fn all_problems_are_reported_at_once() {
    let simulation = empty();
    simulation.borrow_mut().modify(|it| {
        it.configurations[0].injected_by = Some("cert-manager.io/inject-ca-from".to_owned());
        it.secret.as_mut().unwrap().immutable = true;
        it.problems.push(Problem {
            object: "ValidatingWebhookConfiguration other".to_owned(),
            what: "it does not exist".to_owned(),
            command: "kubectl get validatingwebhookconfigurations".to_owned(),
        });
    });
    let why = run(&simulation, Options::default()).unwrap_err();
    for part in [
        "MutatingWebhookConfiguration ippool-webhook: the annotation cert-manager.io/inject-ca-from has another program",
        "ValidatingWebhookConfiguration other: it does not exist",
        "Secret ippool-webhook/ippool-webhook-tls: it is immutable, so no certificate in it can ever be renewed",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert_eq!(simulation.borrow().cluster.writes, 0);
}

#[test]
fn a_secret_of_another_issuer_is_kept_until_adopted() {
    let simulation = empty();
    simulation.borrow_mut().modify(|it| {
        it.secret.as_mut().unwrap().data.insert("tls.crt".to_owned(), Vec::new());
    });
    let why = run(&simulation, Options::default()).unwrap_err();
    for part in [
        "Secret ippool-webhook/ippool-webhook-tls: it has entries, but neither ca.key",
        "--adopt",
        "kubectl -n ippool-webhook describe secret ippool-webhook-tls",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert_eq!(simulation.borrow().cluster.writes, 0);
    run(&simulation, Options { adopt: true, ..Options::default() }).unwrap();
    simulation.borrow().assert_consistent();
}

#[test]
fn a_foreign_ca_in_a_bundle_is_kept_and_reported() {
    let simulation = empty();
    let foreign = Authority::new(simulation.borrow().cluster.now - 10).unwrap().certificate;
    simulation
        .borrow_mut()
        .modify(|it| it.configurations[1].webhooks[0].bundle.certificates.push(foreign.clone()));
    let lines = run(&simulation, Options::default()).unwrap();
    let notes: Vec<_> = lines.iter().skip_while(|it| !it.starts_with("note: ")).take(2).collect();
    assert!(notes[0].starts_with("note: CN=ippool-webhook CA 2026-11-22T07:59:50Z ("), "{lines:#?}");
    let by = "is also trusted, by validate, but is not from Secret ippool-webhook/ippool-webhook-tls";
    assert!(notes[0].ends_with(by), "{lines:#?}");
    assert_eq!(notes[1], "    kubectl get validatingwebhookconfigurations ippool-webhook -o yaml");
    assert_eq!(lines.iter().filter(|it| it.starts_with("note: ")).count(), 1, "the others do not trust it");
    assert!(simulation.borrow().bundles()[1].contains(&foreign));
}
