//! The manifests of `deploy/`, read as files, agree with the program and with each other. `cluster/deploy.rs` applies the
//! rendered ones to a control plane.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cel;
mod chart;
mod down;
mod issued;
mod registration;
mod trial;
mod versions;

use std::path::{Path, PathBuf};

use ippool_webhook::policy::{Enforcement, Policy, TRUSTED_WRITERS};
use ippool_webhook::server::Limits;
use serde_json::{Value, json};

/// The label of every object of the base and of every label selector.
const LABEL: &str = "app.kubernetes.io/name";

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("deploy/{path}: {error}"))
}

fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("deploy/{path}: {error}"))
}

/// The one object of a file.
fn object(path: &str) -> Value {
    let [object] = documents(path).try_into().unwrap_or_else(|it| panic!("deploy/{path}: {it:?}"));
    object
}

fn pod() -> Value {
    object("base/deployment.yaml")["spec"]["template"].clone()
}

fn container() -> Value {
    let containers = pod()["spec"]["containers"].clone();
    assert_eq!(containers.as_array().unwrap().len(), 1);
    containers[0].clone()
}

/// The value of `--flag=value` among the arguments of the Deployment.
fn argument(flag: &str) -> String {
    let container = container();
    let mut arguments = container["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    let value = arguments.find_map(|it| it.strip_prefix(&format!("--{flag}=")));
    value.unwrap_or_else(|| panic!("the Deployment sets no --{flag}")).to_owned()
}

#[test]
fn the_policy_has_the_default_trusted_writers() {
    let policy: Policy = serde_saphyr::from_str(&text("base/policy.yaml")).unwrap();
    assert_eq!(policy.trusted_writers().collect::<Vec<_>>(), TRUSTED_WRITERS);
    assert_eq!(policy.enforcement, Enforcement::Deny);
    assert!(policy.normalize);
}

#[test]
fn the_service_targets_the_ports_that_the_program_listens_on() {
    let service = object("base/service.yaml");
    for (name, port, flag) in [("https", 443, "listen"), ("admin", 8080, "admin-listen")] {
        let ports = service["spec"]["ports"].as_array().unwrap();
        let offered = ports.iter().find(|it| it["name"] == name).unwrap();
        assert_eq!((&offered["port"], &offered["targetPort"]), (&json!(port), &json!(name)));
        let ports = container()["ports"].clone();
        let open = ports.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
        assert_eq!(format!("0.0.0.0:{}", open["containerPort"]), argument(flag));
    }
}

#[test]
fn the_program_starts_with_the_arguments_of_the_deployment() {
    let container = container();
    let serving = trial::Serving::with(&container["args"], &file("base/policy.yaml"));
    for probe in ["readinessProbe", "livenessProbe"] {
        let asked = &container[probe]["httpGet"];
        assert_eq!(asked["port"], "admin", "{probe}");
        assert!(serving.get(asked["path"].as_str().unwrap()).starts_with("HTTP/1.1 200 "), "{probe}");
    }
}

#[test]
fn the_pod_requests_no_privilege() {
    let (pod, container) = (&pod()["spec"], container());
    let wanted = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    });
    assert_eq!(container["securityContext"], wanted);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"], json!({ "type": "RuntimeDefault" }));
    assert_eq!(pod["automountServiceAccountToken"], false);
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_eq!(pod[host], Value::Null);
    }
    assert!(pod["volumes"].as_array().unwrap().iter().all(|it| it["hostPath"].is_null()));
}

#[test]
fn the_memory_limit_follows_from_the_limits_of_the_program() {
    let resources = &container()["resources"];
    let mebibytes = resources["limits"]["memory"].as_str().unwrap().strip_suffix("Mi").unwrap();
    let limit = mebibytes.parse::<usize>().unwrap() << 20;
    assert_eq!(limit, 2 * Limits::default().max_in_flight_bytes + (32 << 20));
    assert_eq!(resources["limits"]["cpu"], Value::Null);
    assert!(resources["requests"]["cpu"].is_string() && resources["requests"]["memory"].is_string());
}

#[test]
fn the_grace_period_covers_the_shutdown_delay_and_the_drain() {
    let delay: u64 = argument("shutdown-delay").parse().unwrap();
    let grace = pod()["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > delay + Limits::default().drain.as_secs());
}

#[test]
fn a_rollout_or_a_drain_keeps_one_replica() {
    let spec = &object("base/deployment.yaml")["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["strategy"], json!({ "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } }));
    assert_eq!(object("base/poddisruptionbudget.yaml")["spec"]["maxUnavailable"], 1);
}

#[test]
fn every_selector_matches_the_pods() {
    let labels = json!({ LABEL: "ippool-webhook" });
    assert_eq!(pod()["metadata"]["labels"], labels);
    let pod = pod()["spec"].clone();
    let affinity = &pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    let selectors = [
        object("base/service.yaml")["spec"]["selector"].clone(),
        object("base/deployment.yaml")["spec"]["selector"]["matchLabels"].clone(),
        object("base/poddisruptionbudget.yaml")["spec"]["selector"]["matchLabels"].clone(),
        object("base/networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"].clone(),
        affinity[0]["podAffinityTerm"]["labelSelector"]["matchLabels"].clone(),
        pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].clone(),
    ];
    for selector in selectors {
        assert_eq!(selector, labels);
    }
}

#[test]
fn the_network_policy_allows_the_apiserver_and_no_egress() {
    let spec = &object("base/networkpolicy.yaml")["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    // An empty list means the same, and raises the generation at every apply.
    assert_eq!(spec["egress"], Value::Null);
    let [webhook, metrics] = spec["ingress"].as_array().unwrap().as_slice() else { panic!("two rules") };
    assert_eq!(*webhook, json!({ "ports": [{ "port": "https", "protocol": "TCP" }] }), "from anywhere");
    assert_eq!(metrics["ports"], json!([{ "port": "admin", "protocol": "TCP" }]));
    assert!(metrics["from"][0]["namespaceSelector"].is_object());
}

#[test]
fn the_image_is_this_release_and_has_the_user_of_the_deployment() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(container()["image"], format!("ippool-webhook:{version}"));
    let image = &object("base/kustomization.yaml")["images"][0];
    assert_eq!(*image, json!({ "name": "ippool-webhook", "newTag": version }));
    let user = &pod()["spec"]["securityContext"]["runAsUser"];
    let dockerfile = std::fs::read_to_string(file("../Dockerfile")).unwrap();
    assert!(dockerfile.contains(&format!("\nUSER {user}:{user}\n")));
    // A test of the image compares the Dockerfile with this toolchain.
    let rust = env!("CARGO_PKG_RUST_VERSION");
    let toolchain = std::fs::read_to_string(file("../rust-toolchain.toml")).unwrap();
    assert!(toolchain.contains(&format!("\nchannel = \"{rust}.")));
}

#[test]
fn every_manifest_is_listed_in_its_folder() {
    for (folder, others) in [
        ("base", &["kustomization.yaml", "policy.yaml"][..]),
        ("overlays/self-managed", &["kustomization.yaml"]),
    ] {
        let kustomization = object(&format!("{folder}/kustomization.yaml"));
        let resources = kustomization["resources"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
        let mut listed: Vec<_> =
            resources.filter(|it| it.ends_with(".yaml")).chain(others.iter().copied()).collect();
        listed.sort_unstable();
        let names = std::fs::read_dir(file(folder)).unwrap().map(|it| it.unwrap().file_name());
        let mut there: Vec<_> = names.map(|it| it.into_string().unwrap()).collect();
        there.sort();
        assert_eq!(listed, there, "{folder}");
    }
}
