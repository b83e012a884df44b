//! `audit --self-check` of a stand-in for an apiserver that allows little. `cluster/audit/self_check.rs` checks a real one.

use std::fs;

use serde_json::{Value, json};
use testkit::apiserver::{kubeconfig, start, status};

use crate::cli_support::{Run, program};

/// Checks a cluster that has no object, and that forbids these resources.
fn checked(forbidden: &'static [&'static str], format: &str) -> Run {
    let address = start(move |_, path, _| {
        let resource = path.rsplit('/').next().unwrap();
        if forbidden.contains(&resource) {
            return status(403, "forbidden");
        }
        (200, json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": [] }))
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("kubeconfig"), kubeconfig(&format!("http://{address}"))).unwrap();
    let arguments = ["audit", "--self-check", "--kubeconfig=kubeconfig", "--format", format];
    program(&arguments).in_dir(folder.path()).run()
}

#[test]
fn a_cluster_without_the_registration_has_a_finding_for_each_webhook() {
    let run = checked(&[], "json");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let missing: Vec<_> =
        report["findings"].as_array().unwrap().iter().map(|it| it["what"].as_str().unwrap()).collect();
    assert_eq!(missing.len(), 3, "{missing:?}");
    for (name, what) in ["normalize", "validate", "deletion"].iter().zip(missing) {
        assert!(what.contains(&format!("the webhook {name}.ippools.whereabouts.cni.cncf.io")), "{what}");
    }
    assert_eq!(run.code, Some(1));
}

#[test]
fn what_may_not_be_read_is_not_done_and_the_rest_is_checked() {
    let run = checked(&["mutatingwebhookconfigurations", "pods", "ippools"], "text");
    for what in ["MutatingWebhookConfigurations: ", "the accounts of whereabouts: ", "who wrote pools: "] {
        assert!(run.stdout.contains(&format!("not done: {what}")), "{}", run.stdout);
    }
    assert!(!run.stdout.contains("the webhook normalize."), "it may be there: {}", run.stdout);
    assert!(run.stdout.ends_with("2 findings; not everything was checked\n"), "{}", run.stdout);
    assert_eq!(run.code, Some(1));
    let nothing = checked(&["mutatingwebhookconfigurations", "validatingwebhookconfigurations"], "text");
    assert!(nothing.stderr.starts_with("error: nothing can be read: "), "{}", nothing.stderr);
    assert_eq!(nothing.code, Some(2));
}

#[test]
fn a_self_check_has_no_format_for_pools() {
    let run = checked(&[], "html");
    assert_eq!(
        (run.stderr.as_str(), run.code),
        ("error: --self-check writes --format text or json\n", Some(2))
    );
}
