//! What stands in the way is named, all at once, and nothing is written.

use super::runner::Shared;
use super::world::World;
use crate::certs::authority::Authority;
use crate::certs::cluster::{Observed, Problem};
use crate::certs::plan::Wish;

fn refused(change: impl FnOnce(&mut Observed)) -> (Shared, String) {
    let world = World::installation();
    world.change().tamper(change);
    let why = world.run(Wish::default()).unwrap_err();
    assert_eq!(world.look().writes, 0);
    (world, why)
}

#[test]
fn a_secret_of_another_issuer_is_left_alone_until_adopted() {
    let (world, why) = refused(|it| {
        it.secret.as_mut().unwrap().data.insert("tls.crt".to_owned(), Vec::new());
    });
    assert!(
        why.contains("Secret ippool-webhook/ippool-webhook-tls: it holds something, but neither ca.key"),
        "{why}"
    );
    assert!(why.contains("--adopt"), "{why}");
    assert!(why.contains("kubectl -n ippool-webhook describe secret ippool-webhook-tls"), "{why}");
    world.run_with(Wish::default(), true).unwrap();
    world.look().assert_well();
}

#[test]
fn an_immutable_secret_is_named() {
    let (_, why) = refused(|it| it.secret.as_mut().unwrap().immutable = true);
    assert!(why.contains("it is immutable, so no certificate in it can ever be renewed"), "{why}");
}

#[test]
fn everything_in_the_way_is_named_at_once() {
    let (_, why) = refused(|it| {
        it.configurations[0].injected_by = Some("cert-manager.io/inject-ca-from".to_owned());
        it.secret.as_mut().unwrap().immutable = true;
        it.problems.push(Problem {
            object: "ValidatingWebhookConfiguration other".to_owned(),
            what: "it is not there".to_owned(),
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
        why.contains("the annotation cert-manager.io/inject-ca-from has somebody else fill in its caBundle"),
        "{why}"
    );
}

#[test]
fn a_foreign_ca_in_a_bundle_is_kept_and_named() {
    let world = World::installation();
    let foreign = Authority::new(world.look().now - 10).unwrap().certificate;
    world.change().tamper(|it| it.configurations[1].webhooks[0].bundle.certificates.push(foreign.clone()));
    let told = world.run(Wish::default()).unwrap();
    let note = told.iter().position(|it| it.starts_with("note: ")).unwrap();
    assert!(told[note].starts_with("note: CN=ippool-webhook CA 2026-11-22T07:59:50Z ("), "{told:#?}");
    let by = "is trusted too, by validate, and is not of Secret ippool-webhook/ippool-webhook-tls";
    assert!(told[note].ends_with(by), "{told:#?}");
    assert_eq!(told[note + 1], "    kubectl get validatingwebhookconfigurations ippool-webhook -o yaml");
    assert!(world.look().bundles()[1].contains(&foreign));
    assert_eq!(told.iter().filter(|it| it.starts_with("note: ")).count(), 1, "the others do not trust it");
}
