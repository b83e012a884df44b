//! A pair that does not fit, in the Secret of a webhook that serves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::caller::{first, handshake};
use super::install::{installed, try_out};
use super::stage::Stage;
use crate::process::awaited;

/// Puts another key beside the certificate.
fn spoil(stage: &Stage) {
    let stranger = stage.plane.certificate("stranger");
    let patch = json!({ "data": { "tls.key": BASE64.encode(stranger.key) } }).to_string();
    let secret = ["patch", "secret", "ippool-webhook-tls", "-n", "ippool-webhook", "-p", &patch];
    stage.plane.kubectl(&secret).ok();
}

#[test]
fn a_broken_pair_changes_only_a_metric_and_the_log() {
    let installed = installed();
    let (stage, site) = &*installed;
    let failures = "ippool_webhook_certificate_reloads_total{outcome=\"failure\"}";
    let (address, before) = (site.webhook.address(), site.webhook.metric(failures));
    let served = || handshake(address, &stage.bundle("validating")).unwrap();
    let good = served();
    spoil(stage);
    awaited("the failure to be counted", || (site.webhook.metric(failures) > before).then_some(()));
    // The log is written by a thread of its own, after the failure is counted.
    let is_logged = || site.webhook.log().contains("\"level\":\"ERROR\"").then_some(());
    awaited("the failure to be logged", is_logged);
    let log = site.webhook.log();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("\"level\":\"ERROR\"")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(errors[0].contains("cannot be used"), "{}", errors[0]);
    assert_eq!(served(), good, "the last good pair stays");
    assert_eq!(try_out(stage, "10.70.0.0/24").0, 201);
    assert_eq!(try_out(stage, "10.70.0.0/33").0, 422);

    let connect = ["show", "--connect", &address.to_string()];
    let shown = stage.certs(&connect);
    assert_eq!(shown.code, 1, "{}{}", shown.stdout, shown.stderr);
    for part in [
        "Secret ippool-webhook/ippool-webhook-tls: tls.key is not the key of the certificate in tls.crt",
        "kubectl -n ippool-webhook describe secret ippool-webhook-tls",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let said = stage.certs(&["ensure"]).ok();
    assert!(said.contains("tls.key is not the key of the certificate in tls.crt"), "{said}");
    let new = first(&stage.entry("tls.crt"));
    assert_ne!(new, good);
    awaited("the new certificate to be served", || (served() == new).then_some(()));
    stage.certs(&connect).ok();
}
