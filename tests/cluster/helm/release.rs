//! Releases on a control plane. No controller makes pods ready there, so nothing waits for them.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{CHART, run};
use crate::certs::stage::run_as;
use crate::deploy::{pod_of, tried};
use crate::installed::{commands, with_cert_manager};
use crate::plane::Plane;
use crate::process::Ran;

/// A control plane for releases. Each test has a release and a namespace of its own.
fn plane() -> &'static Plane {
    static PLANE: OnceLock<Plane> = OnceLock::new();
    PLANE.get_or_init(|| Plane::start("helm"))
}

fn online(arguments: &[&str]) -> Ran {
    run(arguments, &plane().scratch, &plane().admin_kubeconfig)
}

fn stored(namespace: &str, what: &str) -> Value {
    let text = plane().kubectl(&["get", what, "-n", namespace, "-o", "json"]).ok();
    serde_json::from_str(&text).unwrap()
}

/// What was issued and published, the number of replicas, and the name of the policy.
fn state() -> [Value; 4] {
    let deployment = stored("network", "deployment/guard-ippool-webhook");
    [
        stored("network", "secret/guard-ippool-webhook-tls")["data"].clone(),
        stored("network", "validatingwebhookconfiguration/guard-ippool-webhook")["webhooks"][0]["clientConfig"].clone(),
        deployment["spec"]["replicas"].clone(),
        deployment["spec"]["template"]["spec"]["volumes"][1]["configMap"]["name"].clone(),
    ]
}

/// Runs the issuing pod once, as its account.
fn issue(namespace: &str, name: &str) {
    let account = format!("{name}-certs");
    let kubeconfig = plane().scratch.join(format!("{account}.kubeconfig"));
    plane().write_kubeconfig(&kubeconfig, &json!({ "token": plane().token(namespace, &account) }));
    let deployment = stored(namespace, &format!("deployment/{account}"));
    let arguments =
        deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap().clone();
    let once = arguments.iter().map(|it| it.as_str().unwrap()).filter(|it| !it.starts_with("--interval="));
    let arguments: Vec<_> = once.chain(["--namespace", namespace]).collect();
    run_as(&kubeconfig, &arguments).ok();
}

#[test]
fn a_release_is_installed_upgraded_rolled_back_and_uninstalled() {
    let notes = online(&["install", "guard", CHART, "-n", "network", "--create-namespace"]).ok();
    assert!(notes.contains("kubectl -n network rollout status deployment/guard-ippool-webhook"), "{notes}");
    issue("network", "guard-ippool-webhook");
    let installed = state();
    assert_eq!((installed[0].as_object().unwrap().len(), &installed[2]), (4, &json!(2)));
    assert!(installed[1]["caBundle"].is_string());

    online(&["upgrade", "guard", CHART, "-n", "network", "--set", "replicas=3,policy.enforcement=warn"]).ok();
    let upgraded = state();
    assert_eq!(upgraded[..2], installed[..2], "what was issued stays");
    assert_eq!(upgraded[2], 3);
    let policy = format!("configmap/{}", upgraded[3].as_str().unwrap());
    let policy = stored("network", &policy)["data"]["policy.yaml"].as_str().unwrap().to_owned();
    assert!(policy.contains("enforcement: warn\n"), "{policy}");

    online(&["rollback", "guard", "1", "-n", "network"]).ok();
    assert_eq!(state(), installed);

    online(&["uninstall", "guard", "-n", "network"]).ok();
    assert_eq!(left("guard"), [""; 0]);
}

/// The objects whose name has this word, of all kinds of which a release makes some.
fn left(word: &str) -> Vec<String> {
    let kinds = "deployments,services,configmaps,secrets,serviceaccounts,resourcequotas,poddisruptionbudgets,\
                 networkpolicies,roles,rolebindings,clusterroles,clusterrolebindings,\
                 mutatingwebhookconfigurations,validatingwebhookconfigurations";
    let names = plane().kubectl(&["get", kinds, "-A", "-o", "name"]).ok();
    names.lines().filter(|it| it.contains(word)).map(str::to_owned).collect()
}

/// Runs a command of the documentation in the root of the repository.
fn run_documented(line: &str) -> String {
    let words = line.split_whitespace().map(|it| if it == "deploy/chart" { CHART } else { it });
    match words.collect::<Vec<_>>().split_first() {
        Some((&"helm", arguments)) => online(arguments).ok(),
        Some((&"kubectl", arguments)) => plane().kubectl(arguments).ok(),
        _ => panic!("{line}"),
    }
}

#[test]
fn the_documented_release_says_what_the_readme_says_and_leaves_nothing() {
    let install = commands("README.md", "With [Helm]");
    assert_eq!(install, commands("deploy/chart/README.md", "# Helm chart"));
    let notes = run_documented(&install.replace("\\\n", ""));
    let wait = commands("README.md", "With kustomize");
    let probe = commands("README.md", "Check that it works");
    for line in wait.lines().skip(1).chain(probe.lines()) {
        assert!(notes.contains(&format!("\n  {line}\n")), "{line}: {notes}");
    }
    let uninstall = commands("deploy/chart/README.md", "## Upgrade");
    uninstall.lines().for_each(|line| drop(run_documented(line)));
    assert_eq!(left("/ippool-webhook"), [""; 0]);
}

#[test]
fn the_notes_say_how_to_admit_pods_on_the_host_network() {
    plane().kubectl(&["create", "namespace", "eks"]).ok();
    plane().kubectl(&["label", "namespace", "eks", "pod-security.kubernetes.io/enforce=restricted"]).ok();
    // No controller counts what the quota limits.
    let set = "hostNetwork=true,ports.https=10250,resourceQuota=false";
    let notes = online(&["install", "eks", CHART, "-n", "eks", "--set", set]).ok();
    let pod = pod_of(&stored("eks", "deployment/eks-ippool-webhook"));
    let refused = tried(plane(), &pod).stderr;
    assert!(refused.contains("host namespaces (hostNetwork=true)"), "{refused}");
    let label = notes.lines().find(|it| it.starts_with("  kubectl label namespace eks ")).unwrap();
    run_documented(label);
    tried(plane(), &pod).ok();
    online(&["uninstall", "eks", "-n", "eks"]).ok();
}

#[test]
fn a_missing_cert_manager_stops_a_release_before_anything_is_applied() {
    let install = ["install", "signed", CHART, "-n", "ipam", "--set", "certificates.source=cert-manager"];
    plane().kubectl(&["create", "namespace", "ipam"]).ok();
    let refused = online(&install);
    assert!(refused.stderr.contains("but the cluster has no cert-manager.io/v1."), "{}", refused.stderr);
    assert_eq!(left("signed"), [""; 0]);

    with_cert_manager(plane());
    online(&install).ok();
    let names = &stored("ipam", "certificate/signed-ippool-webhook")["spec"]["dnsNames"];
    let served = "signed-ippool-webhook.ipam.svc";
    assert_eq!(*names, json!([served, format!("{served}.cluster.local")]));
    let configuration = stored("ipam", "mutatingwebhookconfiguration/signed-ippool-webhook");
    let injection = &configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"];
    assert_eq!(injection, "ipam/signed-ippool-webhook");
    let service =
        json!({ "name": "signed-ippool-webhook", "namespace": "ipam", "path": "/mutate", "port": 443 });
    assert_eq!(configuration["webhooks"][0]["clientConfig"]["service"], service);
    // As the README of the chart says.
    let kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations";
    plane().kubectl(&["delete", kinds, "signed-ippool-webhook"]).ok();
    online(&["uninstall", "signed", "-n", "ipam"]).ok();
}
