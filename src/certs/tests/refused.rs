//! Every reason not to write is reported at once, and nothing is written.

use super::race::SharedSimulation;
use crate::certs::plan::Options;
use crate::certs::state::{ClusterState, Problem};
use crate::pki::Authority;

fn rejected(change: impl FnOnce(&mut ClusterState)) -> (SharedSimulation, String) {
    let simulation = SharedSimulation::installation();
    simulation.change().modify(change);
    let why = simulation.run(Options::default()).unwrap_err();
    assert_eq!(simulation.state().writes, 0);
    (simulation, why)
}

#[test]
fn a_secret_of_another_issuer_is_kept_until_adopted() {
    let (simulation, why) = rejected(|it| {
        it.secret.as_mut().unwrap().data.insert("tls.crt".to_owned(), Vec::new());
    });
    assert!(
        why.contains("Secret ippool-webhook/ippool-webhook-tls: it has entries, but neither ca.key"),
        "{why}"
    );
    assert!(why.contains("--adopt"), "{why}");
    assert!(why.contains("kubectl -n ippool-webhook describe secret ippool-webhook-tls"), "{why}");
    simulation.run(Options { adopt: true, ..Options::default() }).unwrap();
    simulation.state().assert_consistent();
}

#[test]
fn an_immutable_secret_is_reported() {
    let (_, why) = rejected(|it| it.secret.as_mut().unwrap().immutable = true);
    assert!(why.contains("it is immutable, so no certificate in it can ever be renewed"), "{why}");
}

#[test]
fn all_problems_are_reported_at_once() {
    let (_, why) = rejected(|it| {
        it.configurations[0].injected_by = Some("cert-manager.io/inject-ca-from".to_owned());
        it.secret.as_mut().unwrap().immutable = true;
        it.problems.push(Problem {
            object: "ValidatingWebhookConfiguration other".to_owned(),
            what: "it does not exist".to_owned(),
            command: "kubectl get validatingwebhookconfigurations".to_owned(),
        });
    });
    let objects = [
        "MutatingWebhookConfiguration ippool-webhook: ",
        "ValidatingWebhookConfiguration other: ",
        "Secret ippool-webhook/",
    ];
    assert!(objects.iter().all(|it| why.contains(it)), "{why}");
    assert!(
        why.contains(
            "the annotation cert-manager.io/inject-ca-from has another program fill in its caBundle"
        ),
        "{why}"
    );
}

#[test]
fn a_foreign_ca_in_a_bundle_is_kept_and_reported() {
    let simulation = SharedSimulation::installation();
    let foreign = Authority::new(simulation.state().now - 10).unwrap().certificate;
    simulation
        .change()
        .modify(|it| it.configurations[1].webhooks[0].bundle.certificates.push(foreign.clone()));
    let lines = simulation.run(Options::default()).unwrap();
    let note = lines.iter().position(|it| it.starts_with("note: ")).unwrap();
    assert!(lines[note].starts_with("note: CN=ippool-webhook CA 2026-11-22T07:59:50Z ("), "{lines:#?}");
    let by = "is also trusted, by validate, but is not from Secret ippool-webhook/ippool-webhook-tls";
    assert!(lines[note].ends_with(by), "{lines:#?}");
    assert_eq!(lines[note + 1], "    kubectl get validatingwebhookconfigurations ippool-webhook -o yaml");
    assert!(simulation.state().bundles()[1].contains(&foreign));
    assert_eq!(lines.iter().filter(|it| it.starts_with("note: ")).count(), 1, "the others do not trust it");
}
