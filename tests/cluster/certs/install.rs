//! The first installation, without cert-manager and by the rights of the account that issues.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::stage::{Site, Stage, overlay, service_port};
use crate::plane::{Identity, Plane};
use crate::process::awaited;

/// The overlay on an empty control plane, certificates issued and its pod started. A test that takes it leaves it as it was.
pub fn installed() -> MutexGuard<'static, (Stage, Site)> {
    static INSTALLED: OnceLock<Mutex<(Stage, Site)>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| Mutex::new(install()));
    installed.lock().unwrap_or_else(PoisonError::into_inner)
}

fn install() -> (Stage, Site) {
    let stage = Stage::apply(Plane::start("self-managed"), overlay(&[]), service_port());
    assert_eq!(stage.secret()["data"], Value::Null, "nothing is issued by a manifest");
    assert_eq!(stage.secret()["type"], "Opaque");
    awaited("the apiserver to call for a webhook that is not there yet", || {
        let (code, answer) = try_out(&stage, "10.70.0.0/24");
        let called = answer["message"].as_str().unwrap_or_default().contains("failed calling webhook");
        (code == 500 && called).then_some(())
    });
    stage.issue().ok();
    let site = stage.serve();
    awaited("the apiserver to trust what is served", || {
        (try_out(&stage, "10.70.0.0/24").0 == 201).then_some(())
    });
    (stage, site)
}

/// The code and the answer to a pool of this range, which is not stored.
pub fn try_out(stage: &Stage, range: &str) -> (u16, Value) {
    let pool = json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": "10.70.0.0-24" },
        "spec": { "range": range, "allocations": {} },
    });
    let path = "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/kube-system/ippools?dryRun=All";
    stage.plane.request("POST", path, "application/json", &pool.to_string(), Identity::Admin)
}

#[test]
fn the_first_installation_guards_pools_and_leaves_nothing_to_do() {
    let installed = installed();
    let (stage, site) = &*installed;
    let (code, refusal) = try_out(stage, "10.70.0.0/33");
    assert!(code == 422 && refusal["message"].as_str().unwrap().contains("[IPP102]"), "{code} {refusal}");
    let (code, stored) = try_out(stage, "10.70.0.9/24");
    assert_eq!((code, &stored["spec"]["range"]), (201, &json!("10.70.0.0/24")), "both webhooks are called");
    let address = site.webhook.address().to_string();
    let report = stage.certs(&["show", "--connect", &address]).ok();
    assert!(report.ends_with("all of it fits\n"), "{report}");

    let versions = || {
        let objects = [stage.secret(), stage.configuration("mutating"), stage.configuration("validating")];
        objects.map(|it| it["metadata"]["resourceVersion"].clone())
    };
    let before = versions();
    let said = stage.issue().ok();
    assert!(!said.contains("stored") && !said.contains("published"), "{said}");
    assert_eq!(versions(), before);
}

#[test]
fn the_issuing_pod_repeats_until_it_is_told_to_end() {
    let installed = installed();
    let (stage, _site) = &*installed;
    let mut pod = stage.keep_issuing();
    awaited("a third pass", || {
        assert_eq!(pod.ended(), None);
        (pod.log().matches("the certificate is valid until").count() >= 3).then_some(())
    });
    let process = pod.process("ippool-webhook").unwrap().to_string();
    assert!(std::process::Command::new("kill").arg(process).status().unwrap().success());
    let ended = awaited("the end", || pod.ended());
    assert!(ended.starts_with("it ended with exit status: 0\n"), "{ended}");
}

/// What was issued and published.
fn issued(stage: &Stage) -> (Value, String, String) {
    (stage.secret()["data"].clone(), stage.bundle("mutating"), stage.bundle("validating"))
}

#[test]
fn the_manifests_applied_again_keep_what_was_issued() {
    let installed = installed();
    let (stage, _site) = &*installed;
    let before = issued(stage);
    let said = stage.apply_again();
    assert!(!said.contains(" created"), "{said}");
    assert_eq!(issued(stage), before);
    let deployment = stage.get("/apis/apps/v1/namespaces/ippool-webhook/deployments/ippool-webhook");
    assert_eq!(deployment["metadata"]["generation"], 1, "no rollout for nothing");
}

#[test]
fn server_side_apply_keeps_what_was_issued() {
    let installed = installed();
    let (stage, _site) = &*installed;
    let before = issued(stage);
    let mut objects = vec![stage.object("Secret", "ippool-webhook-tls")];
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        objects.push(stage.object(kind, "ippool-webhook"));
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    // As Flux does it.
    let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-"];
    stage.plane.kubectl_with(&apply, &list.to_string(), &[]).ok();
    assert_eq!(issued(stage), before);
}

#[test]
fn the_issuing_account_may_read_and_change_only_three_objects() {
    let installed = installed();
    let (stage, _site) = &*installed;
    let token = stage.plane.token("ippool-webhook", "ippool-webhook-certs");
    let rule = |group: &str, resources: &[&str], name: &str| json!({ "verbs": ["get", "patch"], "apiGroups": [group], "resources": resources, "resourceNames": [name] });
    let configurations = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];
    let everywhere = rule("admissionregistration.k8s.io", &configurations, "ippool-webhook");
    let at_home = rule("", &["secrets"], "ippool-webhook-tls");
    assert_eq!(rights(stage, &token, "ippool-webhook"), [everywhere.clone(), at_home]);
    assert_eq!(rights(stage, &token, "kube-system"), [everywhere]);
}

/// What the bearer of `token` may do to objects beyond asking what it may do.
fn rights(stage: &Stage, token: &str, namespace: &str) -> Vec<Value> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": { "namespace": namespace },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let who = Identity::Token(token);
    let (code, answer) = stage.plane.request("POST", path, "application/json", &review.to_string(), who);
    assert_eq!((code, &answer["status"]["incomplete"]), (201, &json!(false)), "{answer}");
    let mut rules = answer["status"]["resourceRules"].as_array().unwrap().clone();
    rules.retain(|rule| !rule["resources"][0].as_str().unwrap().starts_with("selfsubject"));
    rules.sort_by_key(|rule| rule["resources"].to_string());
    rules
}
