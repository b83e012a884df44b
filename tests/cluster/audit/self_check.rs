//! `audit --self-check` of a registration as the manifests have it, and of one that was broken by hand.

use super::{Plane, Value, audit, json};
use crate::plane::Identity;
use crate::pools::JSON_PATCH;
use crate::process::{Ran, command};
use crate::rendered::{folder, rendered};

const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// Applies the overlay and issues its certificate, as its Deployment would.
fn install(plane: &Plane) {
    let overlay = folder("self-managed");
    plane.kubectl(&["apply", "-k", overlay.to_str().unwrap()]).ok();
    let mut ensure = command(std::path::Path::new(env!("CARGO_BIN_EXE_ippool-webhook")));
    ensure.args(["certs", "ensure", "--kubeconfig=admin.kubeconfig"]).current_dir(&plane.scratch);
    Ran::of(ensure, "").ok();
}

/// A pod that runs whereabouts under this account.
fn whereabouts(plane: &Plane, account: &str) {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": account, "namespace": "default" },
        "spec": { "serviceAccountName": account, "containers": [{ "name": "whereabouts", "image": "whereabouts" }] },
    });
    plane.token("default", account);
    super::create(plane, &pod);
}

fn checked(plane: &Plane) -> (Vec<String>, Vec<Value>, i32) {
    let ran = audit(plane, &["--self-check", "--kubeconfig=admin.kubeconfig"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    let text = |it: &Value| format!("{}: {}", it["object"].as_str().unwrap(), it["what"].as_str().unwrap());
    let findings = report["findings"].as_array().unwrap().iter().map(text).collect();
    (findings, report["notDone"].as_array().unwrap().clone(), ran.code)
}

#[test]
fn a_registration_as_it_is_shipped_fits_and_each_change_is_found() {
    let plane = Plane::start("audit-self-check");
    install(&plane);
    whereabouts(&plane, "whereabouts-cni");
    assert_eq!(checked(&plane), (Vec::new(), Vec::new(), 0));

    whereabouts(&plane, "ipam");
    let patch = json!([
        { "op": "replace", "path": "/webhooks/0/clientConfig/service/path", "value": "/check" },
        { "op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"] },
        { "op": "replace", "path": "/webhooks/0/matchConditions/0/expression",
          "value": "!(request.userInfo.username == 'system:serviceaccount:kube-system:whereabouts')" },
        { "op": "replace", "path": "/webhooks/1/clientConfig/caBundle", "value": "" },
    ]);
    let path = format!("{CONFIGURATIONS}/ippool-webhook");
    let (code, answer) = plane.request("PATCH", &path, JSON_PATCH, &patch.to_string(), Identity::Admin);
    assert_eq!(code, 200, "{answer}");
    let mut other: Value =
        rendered("self-managed").into_iter().find(|it| it["kind"] == "MutatingWebhookConfiguration").unwrap();
    other["metadata"]["name"] = json!("operator");
    other["webhooks"][0]["name"] = json!("pools.operator.example.com");
    super::create(&plane, &other);

    let (findings, not_done, code) = checked(&plane);
    let expected = [
        "MutatingWebhookConfiguration operator: webhooks[pools.operator.example.com].rules: also matches ippools",
        "ValidatingWebhookConfiguration ippool-webhook: deletion.ippools.whereabouts.cni.cncf.io: its caBundle is empty",
        "ValidatingWebhookConfiguration ippool-webhook: webhooks[validate.ippools.whereabouts.cni.cncf.io].clientConfig: the path must be /validate",
        "ValidatingWebhookConfiguration ippool-webhook: webhooks[validate.ippools.whereabouts.cni.cncf.io].matchConditions[not-written-by-whereabouts]: has request.userInfo.username == 'system:serviceaccount:kube-system:whereabouts', which the policy does not trust",
        "ValidatingWebhookConfiguration ippool-webhook: webhooks[validate.ippools.whereabouts.cni.cncf.io].matchConditions[not-written-by-whereabouts]: must have request.userInfo.username == 'system:serviceaccount:openshift-multus:multus-ancillary-tools'",
        "ValidatingWebhookConfiguration ippool-webhook: webhooks[validate.ippools.whereabouts.cni.cncf.io].matchConditions[not-written-by-whereabouts]: must have request.userInfo.username.matches(",
        "ValidatingWebhookConfiguration ippool-webhook: webhooks[validate.ippools.whereabouts.cni.cncf.io].rules: Invalid value: ",
        "user system:serviceaccount:default:ipam: whereabouts runs as this service account",
    ];
    let mut sorted = findings.clone();
    sorted.sort();
    assert_eq!(sorted.len(), expected.len(), "{sorted:#?}");
    for (found, expected) in sorted.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}: not {expected}");
    }
    assert_eq!((not_done.len(), code), (0, 1), "{not_done:?}");
}
