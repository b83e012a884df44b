//! Every reason not to write is reported at once, and nothing is written. The tests in `tests/cluster` have each by itself.

use super::simulation::{empty, run};
use crate::certs::plan::Options;
use crate::certs::state::Problem;

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
