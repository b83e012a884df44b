//! Certificate and CA replaced again and again while pools are written, with both webhooks failing closed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::caller::{accepts, first, handshake};
use super::install::try_out;
use super::stage::{Site, Stage, configuration_path, overlay, service_port, webhooks_of};
use crate::numbers::record;
use crate::plane::{Identity, Plane};
use crate::process::awaited;
use crate::writer::{Ends, Writer};

/// Every fourth of them is of the CA, and of the certificate with it.
const ROTATIONS: usize = 52;
const WRITERS: usize = 3;
const LEAST_WRITES_OF_EACH: usize = 400;

fn strict() -> (Stage, Site) {
    let mut objects = overlay(&[]);
    for webhook in objects.iter_mut().flat_map(webhooks_of) {
        webhook["failurePolicy"] = json!("Fail");
    }
    let stage = Stage::apply(Plane::start("rotation"), objects, service_port());
    stage.issue().ok();
    let site = stage.serve();
    awaited("the webhooks to be in force", || {
        let (_, stored) = try_out(&stage, "10.70.0.9/24");
        let normalized = stored["spec"]["range"] == "10.70.0.0/24";
        (normalized && try_out(&stage, "10.70.0.0/33").0 == 422).then_some(())
    });
    (stage, site)
}

#[test]
fn no_write_fails_while_certificate_and_ca_are_replaced_again_and_again() {
    let (stage, site) = strict();
    let (over, failed) = (AtomicBool::new(false), site.webhook.failed_handshakes());
    let (written, looked) = thread::scope(|scope| {
        let ends = Ends(&over);
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (stage, over) = (&stage, &over);
                scope.spawn(move || write(stage, number, over))
            })
            .collect();
        let watch = scope.spawn(|| watch(&stage, &site, &over));
        for number in 0..ROTATIONS {
            rotate(&stage, &site, number);
        }
        drop(ends);
        let written: usize = writers.into_iter().map(|it| it.join().unwrap()).sum();
        (written, watch.join().unwrap())
    });
    assert_eq!(site.webhook.metric("ippool_webhook_certificate_reloads_total{outcome=\"failure\"}"), 0.0);
    assert_eq!(site.webhook.failed_handshakes(), failed, "no caller ever distrusted what was served");
    record("rotations of the certificate", ROTATIONS);
    record("rotations of its CA", ROTATIONS / 4);
    record("writes during the rotations", written);
    record("writes that failed during the rotations", 0);
    record("looks at what is served, stored and published, all in keeping", looked);
    record("connections the apiserver made during the rotations", site.service.accepted());
}

/// Writes until it is over, and long enough.
fn write(stage: &Stage, number: usize, over: &AtomicBool) -> usize {
    let mut writer = Writer::begin(&stage.plane, number);
    while !over.load(Ordering::SeqCst) || writer.written() < LEAST_WRITES_OF_EACH {
        writer.write().unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    writer.written()
}

/// Holds what is served, and what the next pod would serve, against what is published, until it is over.
fn watch(stage: &Stage, site: &Site, over: &AtomicBool) -> usize {
    let mut looks = 0;
    while !over.load(Ordering::SeqCst) {
        // Read first: what is published later trusts it as well.
        let stored = stage.entry("tls.crt");
        for kind in ["mutating", "validating"] {
            let bundle = stage.bundle(kind);
            assert_eq!(accepts(&bundle, &stored), Ok(()), "{kind}: stored\n{stored}published\n{bundle}");
            let shaken = handshake(site.webhook.address(), &bundle);
            // What was published when the look began may be superseded by its end; then it says nothing.
            let held = shaken.is_ok() || stage.bundle(kind) != bundle;
            assert!(held, "{kind}: {shaken:?} with\n{bundle}");
            looks += 1;
        }
    }
    looks
}

/// Replaces the certificate, or the CA and the certificate, and waits until the apiserver has met it.
fn rotate(stage: &Stage, site: &Site, number: usize) {
    let of_ca = number % 4 == 3;
    let (leaf, ca) = (stage.entry("tls.crt"), signing(stage));
    let how: &[&str] =
        if of_ca { &["--renew", "ca", "--propagation-delay", "1"] } else { &["--renew", "leaf"] };
    stage.certs(&[&["ensure"], how].concat()).ok();
    let new = stage.entry("tls.crt");
    assert_ne!(new, leaf);
    assert_eq!(signing(stage) != ca, of_ca);
    let served = || handshake(site.webhook.address(), &stage.bundle("validating")).unwrap();
    awaited("the new certificate to be served", || (served() == first(&new)).then_some(()));
    let before = site.service.accepted();
    forget_connections(stage, if number.is_multiple_of(2) { "mutating" } else { "validating" });
    awaited("the apiserver to meet it", || (site.service.accepted() > before).then_some(()));
}

/// The CA that signs is the first in its entry.
fn signing(stage: &Stage) -> Vec<u8> {
    first(&stage.entry("ca.crt"))
}

/// Has the apiserver connect anew. It keeps connections for as long as a caBundle is the same to the letter, so
/// that it would not meet most certificates otherwise; a blank line at the end makes it another.
fn forget_connections(stage: &Stage, kind: &str) {
    let bundle = BASE64.encode(stage.bundle(kind) + "\n");
    let name: &Value = &stage.configuration(kind)["webhooks"][0]["name"];
    let patch = json!({ "webhooks": [{ "name": name, "clientConfig": { "caBundle": bundle } }] });
    let (content_type, path) = ("application/strategic-merge-patch+json", configuration_path(kind));
    let (code, answer) =
        stage.plane.request("PATCH", &path, content_type, &patch.to_string(), Identity::Admin);
    assert_eq!(code, 200, "{answer}");
}
