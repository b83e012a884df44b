//! What `certs` does not take, or takes apart: each thing is named with its object and the command that shows it,
//! and nothing is written beside it.

use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::set::Set;
use crate::deploy::plane;
use crate::process::Ran;

/// Asserts that `ran` could not be done, says all of `parts`, and that nothing of `set` has changed since `before`.
#[track_caller]
fn refused(set: &Set<'_>, before: &[serde_json::Value; 3], ran: &Ran, parts: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    for part in parts {
        let part = part.replace("NAME", set.name);
        assert!(ran.stderr.contains(&part), "{part}: {}", ran.stderr);
    }
    assert_eq!(set.stored(), *before);
}

#[test]
fn a_missing_permission_is_named_with_the_command_that_checks_it() {
    let set = Set::new(plane(), "no-permission");
    set.fill("Opaque", &[]);
    let (before, account) = (set.stored(), set.account(&[], &[]));
    let ran = set.certs_as(&account, &["ensure"]);
    let parts = [
        "Secret NAME/NAME: the apiserver says: secrets \"NAME\" is forbidden: \
         User \"system:serviceaccount:NAME:someone\" cannot get resource \"secrets\"",
        "kubectl auth can-i get secrets/NAME -n NAME",
        "MutatingWebhookConfiguration NAME: the apiserver says: ",
        "kubectl auth can-i get mutatingwebhookconfigurations/NAME",
        "ValidatingWebhookConfiguration NAME: the apiserver says: ",
        "kubectl auth can-i get validatingwebhookconfigurations/NAME",
    ];
    refused(&set, &before, &ran, &parts);
}

#[test]
fn who_may_read_and_not_write_is_told_so_at_the_first_write() {
    let set = Set::new(plane(), "read-only");
    set.fill("Opaque", &[]);
    let (before, account) = (set.stored(), set.account(&["get"], &["get", "patch"]));
    let ran = set.certs_as(&account, &["ensure"]);
    let parts = ["cannot patch Secret NAME/NAME: ", "kubectl auth can-i patch secrets/NAME -n NAME"];
    refused(&set, &before, &ran, &parts);
}

#[test]
fn a_secret_that_is_gone_is_not_made_by_the_rights_of_the_job() {
    let set = Set::new(plane(), "gone");
    let (before, account) = (set.stored(), set.account(&["get", "patch"], &["get", "patch"]));
    let ran = set.certs_as(&account, &["ensure"]);
    let parts = [
        "cannot create Secret NAME/NAME, which does not exist (the overlay",
        "kubectl auth can-i create secrets/NAME -n NAME",
    ];
    refused(&set, &before, &ran, &parts);
    // The manifests put it back empty.
    set.fill("Opaque", &[]);
    set.certs_as(&account, &["ensure"]).ok();
}

#[test]
fn what_may_not_be_published_is_never_served() {
    let set = Set::new(plane(), "unpublished");
    set.fill("Opaque", &[]);
    let [_, mutating, validating] = set.stored();
    let ran = set.certs_as(&set.account(&["get", "patch"], &["get"]), &["ensure"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let part = "kubectl auth can-i patch mutatingwebhookconfigurations/unpublished";
    assert!(ran.stderr.contains(part), "{}", ran.stderr);
    let after = set.stored();
    assert_eq!(after[1..], [mutating, validating]);
    assert_eq!(after[0]["data"]["tls.crt"], serde_json::Value::Null);
    // With the rights it goes on from there.
    set.certs(&["ensure"]).ok();
}

#[test]
fn a_missing_configuration_is_named() {
    let set = Set::new(plane(), "missing");
    set.fill("Opaque", &[]);
    set.kubectl(&["delete", "validatingwebhookconfiguration", "missing"]);
    let before = set.stored();
    let ran = set.certs(&["ensure"]);
    let parts = [
        "ValidatingWebhookConfiguration NAME: it does not exist",
        "kubectl get validatingwebhookconfigurations",
    ];
    refused(&set, &before, &ran, &parts);
    assert!(!ran.stderr.contains("MutatingWebhookConfiguration"), "{}", ran.stderr);
}

#[test]
fn a_configuration_that_somebody_else_fills_in_is_left_to_them() {
    let annotations = [
        ("injected-cert-manager", "cert-manager.io/inject-ca-from=ippool-webhook/ippool-webhook"),
        ("injected-openshift", "service.beta.openshift.io/inject-cabundle=true"),
    ];
    for (name, annotation) in annotations {
        let set = Set::new(plane(), name);
        set.fill("Opaque", &[]);
        set.kubectl(&["annotate", "mutatingwebhookconfiguration", name, annotation]);
        let before = set.stored();
        let ran = set.certs(&["ensure", "--adopt", "--renew", "ca"]);
        let annotation = annotation.split('=').next().unwrap();
        let parts = [
            &format!("MutatingWebhookConfiguration NAME: the annotation {annotation} ") as &str,
            "kubectl get mutatingwebhookconfigurations NAME -o yaml",
        ];
        refused(&set, &before, &ran, &parts);
    }
}

#[test]
fn the_secret_of_another_issuer_is_adopted_only_on_request() {
    let set = Set::new(plane(), "another-issuer");
    // As cert-manager leaves it behind.
    let (pair, ca) = (plane().certificate("cert-manager"), &plane().ca);
    set.fill("kubernetes.io/tls", &[("tls.crt", &pair.cert), ("tls.key", &pair.key), ("ca.crt", ca)]);
    set.trust(ca);
    let before = set.stored();
    let ran = set.certs(&["ensure"]);
    let parts = ["Secret NAME/NAME: it has entries", "--adopt", "kubectl -n NAME describe secret NAME"];
    refused(&set, &before, &ran, &parts);
    set.apply_the_shipped_secret();
    assert_eq!(set.stored()[0]["data"], before[0]["data"]);
    set.certs(&["ensure", "--adopt", "--propagation-delay", "0"]).ok();
    let (bundles, new) = set.bundles_and("ca.crt");
    for bundle in bundles {
        assert!(
            bundle.contains(ca.trim()),
            "pods that have not seen the new certificate stay trusted: {bundle}"
        );
        assert!(bundle.contains(new.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap()));
    }
    assert_eq!(set.stored()[0]["type"], "kubernetes.io/tls");
}

#[test]
fn half_a_pair_is_named_and_replaced() {
    let set = Set::new(plane(), "half-a-pair");
    set.certs(&["ensure"]).ok();
    for (gone, what) in
        [("tls.key", "tls.key is missing beside tls.crt"), ("tls.crt", "tls.crt is missing beside tls.key")]
    {
        let patch = format!(r#"{{"data":{{"{gone}":null}}}}"#);
        set.kubectl(&["patch", "secret", set.name, "-p", &patch]);
        let shown = set.certs(&["show"]);
        let named = format!("Secret half-a-pair/half-a-pair: {what}");
        assert!(shown.code == 1 && shown.stdout.contains(&named), "{} {}", shown.code, shown.stdout);
        let said = set.certs(&["ensure"]).ok();
        assert!(said.contains(what), "{said}");
        set.certs(&["show"]).ok();
    }
}

#[test]
fn a_foreign_ca_is_kept_and_reported_until_it_is_told_to_go() {
    let set = Set::new(plane(), "foreign");
    aged(&set);
    set.trust(&plane().ca);
    let said = set.certs(&["ensure"]).ok();
    let noted = said.lines().find(|line| line.starts_with("note: ")).unwrap_or_else(|| panic!("{said}"));
    for part in ["also trusted, by normalize.", " and validate.", "is not from Secret foreign/foreign"] {
        assert!(noted.contains(part), "{part}: {noted}");
    }
    let (bundles, own) = set.bundles_and("ca.crt");
    assert!(
        bundles.iter().all(|it| it.contains(own.trim()) && it.contains(plane().ca.trim())),
        "{bundles:?}"
    );
    let shown = set.certs(&["show"]);
    assert!(shown.code == 1 && shown.stdout.contains("it also trusts"), "{}", shown.stdout);
    set.certs(&["ensure", "--drop-others"]).ok();
    assert_eq!(set.bundles_and("ca.crt"), ([own.clone(), own.clone()], own));
    set.certs(&["show"]).ok();
}

#[test]
fn no_ca_goes_while_pods_may_serve_a_certificate_of_it() {
    let set = Set::new(plane(), "young");
    set.certs(&["ensure"]).ok();
    set.certs(&["ensure", "--renew", "ca", "--propagation-delay", "0"]).ok();
    let before = set.stored();
    let ran = set.certs(&["ensure", "--drop-others"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("the other CAs stay for now"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(set.stored(), before);
}

#[test]
fn two_at_once_make_one_ca() {
    let set = Set::new(plane(), "two-at-once");
    set.fill("Opaque", &[]);
    thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| set.certs(&["ensure"])));
        for ran in both.map(|it| it.join().unwrap()) {
            ran.ok();
        }
    });
    let (bundles, own) = set.bundles_and("ca.crt");
    assert_eq!(own.matches("BEGIN CERTIFICATE").count(), 1, "{own}");
    assert_eq!(bundles, [own.clone(), own]);
    set.certs(&["show"]).ok();
}

#[test]
fn a_dry_run_tells_of_every_step_and_takes_none() {
    let set = Set::new(plane(), "dry-run");
    set.fill("Opaque", &[]);
    let before = set.stored();
    let said = set.certs(&["ensure", "--dry-run"]).ok();
    let steps = [
        "would store a new CA",
        "would publish to MutatingWebhookConfiguration dry-run",
        "would store a certificate",
    ];
    for step in steps {
        assert!(said.contains(step), "{step}: {said}");
    }
    assert_eq!(set.stored(), before);
}

/// Fills the Secret as `certs ensure` would have done three hours ago.
fn aged(set: &Set<'_>) {
    let (name, ago) = (format!("{0}.{0}.svc", set.name), std::time::Duration::from_secs(3 * 3600));
    let since = std::time::SystemTime::now() - ago;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.distinguished_name.push(DnType::CommonName, "ippool-webhook CA");
    let mut leaf = CertificateParams::new([name.clone(), format!("{name}.cluster.local")]).unwrap();
    for (params, days) in [(&mut authority, 730), (&mut leaf, 90)] {
        params.not_before = since.into();
        params.not_after = (since + std::time::Duration::from_secs(days * 24 * 3600)).into();
    }
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let ca = authority.self_signed(&ca_key).unwrap().pem().replace("\r\n", "\n");
    let ca_key_pem = ca_key.serialize_pem();
    let cert = leaf.signed_by(&key, &Issuer::new(authority, ca_key)).unwrap().pem();
    let pair = [("tls.crt", &cert as &str), ("tls.key", &key.serialize_pem())];
    set.fill("Opaque", &[&pair[..], &[("ca.crt", &ca), ("ca.key", &ca_key_pem)]].concat());
}
