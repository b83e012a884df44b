//! The Helm chart: it renders what kustomize renders, refuses values that make no sense, and Helm installs it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::certs::stage::run_as;
use super::installed::with_cert_manager;
use super::plane::Plane;
use super::process::{Ran, command};
use super::rendered::rendered;
use super::tools::tools;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/chart");
const CERT_MANAGER: [&str; 4] = ["-a", "cert-manager.io/v1", "--set", "certificates.source=cert-manager"];

fn run(arguments: &[&str], home: &Path, kubeconfig: &Path) -> Ran {
    let mut helm = command(&tools().helm);
    helm.args(arguments).env("HOME", home).env("KUBECONFIG", kubeconfig);
    Ran::of(helm, "")
}

/// Runs helm without a cluster.
fn offline(arguments: &[&str]) -> Ran {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    run(arguments, home, &home.join("none"))
}

/// What `helm template` says about the release `ippool-webhook` in a namespace of that name.
fn template(arguments: &[&str]) -> Ran {
    offline(&[&["template", "ippool-webhook", CHART, "-n", "ippool-webhook"], arguments].concat())
}

fn objects(arguments: &[&str]) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&template(arguments).ok()).unwrap();
    documents.into_iter().filter(|it| !it.is_null()).collect()
}

fn find<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|it| it["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// The fields of the objects by kind, name and path, without the three things that must differ: Helm creates the namespace by
/// `--create-namespace`, each tool hashes the policy in its own way, and the policy file of the base has comments.
fn comparable(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for object in objects.into_iter().filter(|it| it["kind"] != "Namespace") {
        let mut object: Value = serde_json::from_str(&without_hash(&object.to_string())).unwrap();
        if let Some(policy) = object["data"]["policy.yaml"].as_str() {
            object["data"]["policy.yaml"] = serde_saphyr::from_str(policy).unwrap();
        }
        let [kind, name] = [&object["kind"], &object["metadata"]["name"]].map(|it| it.as_str().unwrap());
        add_fields(&format!("{kind} {name}"), &object, &mut fields);
    }
    fields
}

fn add_fields(path: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
    let inside: Vec<_> = match value {
        Value::Object(map) => map.iter().map(|(key, it)| (key.clone(), it)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, it)| (index.to_string(), it)).collect(),
        _ => Vec::new(),
    };
    inside.iter().for_each(|(key, it)| add_fields(&format!("{path}/{key}"), it, fields));
    if inside.is_empty() {
        assert!(fields.insert(path.to_owned(), value.clone()).is_none(), "{path} is there twice");
    }
}

fn without_hash(text: &str) -> String {
    const NAME: &str = "ippool-webhook-policy-";
    let mut parts = text.split(NAME);
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + NAME + part.get(10..).unwrap())
}

#[track_caller]
fn assert_equal(wanted: Vec<Value>, arguments: &[&str]) {
    let (wanted, found) = (comparable(wanted), comparable(objects(arguments)));
    let paths: BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
    let differ = paths.iter().filter(|it| wanted.get(**it) != found.get(**it));
    let differ: Vec<_> = differ.map(|it| (it, wanted.get(*it), found.get(*it))).collect();
    assert!(differ.is_empty(), "{arguments:?}: kustomize's and the chart's: {differ:#?}");
    assert!(paths.len() > 200, "{arguments:?}: {}", paths.len());
}

#[test]
fn the_chart_renders_what_kustomize_renders_field_by_field() {
    assert_equal(rendered("self-managed"), &[]);
    assert_equal(rendered("cert-manager"), &CERT_MANAGER);
    assert_equal(
        rendered("openshift"),
        &["-a", "security.openshift.io/v1", "--set", "certificates.source=openshift"],
    );
    assert_equal(rendered("observe-cni"), &[&CERT_MANAGER[..], &["--set", "observeCni=true"]].concat());
}

#[test]
fn the_chart_with_client_certificates_renders_the_component() {
    let own = super::deploy::example("certs/apiserver/README.md", "yaml", 1);
    let wanted = super::rendered::rendered_beside(&own, &[]);
    assert_equal(wanted, &["--set", "clientCertificates.enabled=true"]);
}

#[test]
fn the_chart_with_an_issuer_of_ones_own_renders_the_component() {
    let own = super::deploy::example("certs/README.md", "yaml", 0);
    let wanted = super::rendered::rendered_beside(&own, &[]);
    let issuer =
        r#"certificates.issuerRef={"group":"cert-manager.io","kind":"ClusterIssuer","name":"company-ca"}"#;
    assert_equal(wanted, &[&CERT_MANAGER[..], &["--set-json", issuer]].concat());
}

#[test]
fn the_match_conditions_follow_from_the_trusted_writers() {
    let writers = "policy.trustedWriters={system:serviceaccount:ipam.eu:a+b,s*:node:**,*a*b*:*}";
    let rendered = objects(&["--set", writers]);
    let conditions = &find(&rendered, "ValidatingWebhookConfiguration")["webhooks"][0]["matchConditions"];
    let user = "request.userInfo.username";
    let wanted = format!(
        "!( {user} == 'system:serviceaccount:ipam.eu:a+b' || {user}.matches('^s[^:]*:node:[^:]+$') || \
         {user}.matches('^[^:]*a[^:]*b[^:]*:[^:]+$') )"
    );
    assert_eq!(conditions[0]["expression"], wanted);
    let dotted = objects(&["--set", "policy.trustedWriters={a.b+c*}"]);
    let condition = &find(&dotted, "MutatingWebhookConfiguration")["webhooks"][0]["matchConditions"][0];
    let wanted = format!("request.operation == 'CREATE' || !( {user}.matches('^a[.]b[+]c[^:]*$') )");
    assert_eq!(condition["expression"], wanted);
}

#[test]
fn a_policy_of_the_chart_is_read_by_the_program() {
    let policy = "policy.rules.IPP401=warn,policy.rules.podref-empty=off,policy.limits.maxBodyBytes=16777216";
    let rendered = objects(&["--set", policy]);
    let text = find(&rendered, "ConfigMap")["data"]["policy.yaml"].as_str().unwrap().to_owned();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let mut check = command(Path::new(env!("CARGO_BIN_EXE_ippool-webhook")));
    check.args(["check", "--policy", file.path().to_str().unwrap(), "-"]);
    let pool = r#"{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","kind":"IPPool","metadata":{"name":"10.0.9.0-30"},
        "spec":{"range":"10.0.9.0/24","allocations":{}}}"#;
    let said = Ran::of(check, pool).ok();
    assert!(said.contains("warning[IPP401]"), "{said}");
    assert!(text.contains("maxBodyBytes: 16777216"), "{text}");
}

#[test]
fn the_host_network_needs_a_port_a_dns_policy_and_room_in_a_rollout() {
    let rendered = objects(&["--set", "hostNetwork=true,ports.https=10250,listenAddress=[::]"]);
    let deployment =
        rendered.iter().find(|it| it["kind"] == "Deployment" && it["spec"]["replicas"] == 2).unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&json!(true), &json!("ClusterFirstWithHostNet")));
    let container = &pod["containers"][0];
    assert_eq!(
        (&container["args"][1], &container["ports"][0]["containerPort"]),
        (&json!("--listen=[::]:10250"), &json!(10250))
    );
    let room = json!({ "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } });
    assert_eq!(deployment["spec"]["strategy"], room);
}

#[test]
fn settings_of_pods_reach_the_webhook_and_what_issues() {
    let digest = format!("image.digest=sha256:{}", "0a".repeat(32));
    let settings = "image.repository=registry.example.com/ippool-webhook,imagePullSecrets[0].name=registry,\
                    nodeSelector.role=infra,tolerations[0].operator=Exists";
    let rendered = objects(&["--set", settings, "--set", &digest]);
    let pods: Vec<_> = rendered.iter().filter_map(|it| it.pointer("/spec/template/spec")).collect();
    assert_eq!(pods.len(), 2);
    for pod in pods {
        let image = format!("registry.example.com/ippool-webhook@{}", digest.split_once('=').unwrap().1);
        assert_eq!(pod["containers"][0]["image"], image);
        assert_eq!(pod["imagePullSecrets"], json!([{ "name": "registry" }]));
        assert_eq!(pod["nodeSelector"], json!({ "role": "infra" }));
        assert_eq!(pod["tolerations"], json!([{ "operator": "Exists" }]));
    }
}

#[test]
fn a_monitor_scrapes_the_admin_port() {
    for (kind, endpoints) in [("PodMonitor", "podMetricsEndpoints"), ("ServiceMonitor", "endpoints")] {
        let set = format!("monitoring.kind={kind},monitoring.labels.release=prometheus");
        let rendered = objects(&["-a", "monitoring.coreos.com/v1", "--set", &set]);
        let monitor = find(&rendered, kind);
        assert_eq!(monitor["spec"][endpoints], json!([{ "port": "admin", "interval": "30s" }]));
        let labels = json!({ "app.kubernetes.io/name": "ippool-webhook" });
        assert_eq!(monitor["spec"]["selector"]["matchLabels"], labels);
        assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    }
}

#[test]
fn a_value_that_makes_no_sense_is_refused_by_its_name() {
    for (set, wanted) in [
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("replica=2", "additional properties 'replica' not allowed"),
        ("image.tagg=x", "at '/image': additional properties 'tagg' not allowed"),
        ("image.digest=sha256:12", "at '/image/digest': 'sha256:12' does not match pattern"),
        ("certificates.source=vault", "at '/certificates/source': value must be one of 'self-managed'"),
        (
            "certificates.issuerRef.name=x",
            "certificates.issuerRef is used only if certificates.source is cert-manager",
        ),
        ("policy.rules.IPP302=deny", "at '/policy/rules/IPP302': value must be one of 'warn', 'off'"),
        ("policy.rules.IPP999=off", "at '/policy/rules': additional properties 'IPP999' not allowed"),
        ("policy.enforcement=audit", "at '/policy/enforcement': value must be one of 'deny', 'warn'"),
        ("policy.trustedWriters={it's}", "at '/policy/trustedWriters/0': 'it\\'s' does not match pattern"),
        (
            "policy.trustedWriters={system:serviceaccount:*:*}",
            "policy.trustedWriters: \"system:serviceaccount:*:*\" would trust every service account",
        ),
        ("policy.trustedWriters={**:*}", "policy.trustedWriters: \"**:*\" would trust everyone"),
        (
            "policy.trustedWriters={system:*}",
            "policy.trustedWriters: \"system:*\" would trust requests without a user",
        ),
        ("ports.https=0", "at '/ports/https': minimum: got 0, want 1"),
        ("resources.limits.memory=lots", "at '/resources/limits/memory': 'lots' does not match pattern"),
    ] {
        let ran = template(&["--set", set]);
        assert!(ran.code == 1 && ran.stderr.contains(wanted), "{set}: {}", ran.stderr);
    }
    let ran = template(&["--set-json", "policy.trustedWriters=[]"]);
    assert!(ran.stderr.contains("at '/policy/trustedWriters': minItems: got 0, want 1"), "{}", ran.stderr);
}

#[test]
fn what_the_cluster_lacks_is_named_with_the_remedy() {
    for (set, missing, remedy) in [
        ("certificates.source=cert-manager", "cert-manager.io/v1", "--set certificates.source=self-managed"),
        (
            "certificates.source=openshift",
            "security.openshift.io/v1",
            "--set certificates.source=self-managed",
        ),
        ("monitoring.kind=PodMonitor", "monitoring.coreos.com/v1", "leave monitoring.kind empty"),
    ] {
        let ran = template(&["--set", set]);
        let wanted = format!("{}, but the cluster has no {missing}.\n", set.replace('=', " is "));
        assert!(ran.code == 1 && ran.stderr.contains(&wanted), "{set}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(remedy) && ran.stderr.contains(&format!("-a {missing}")),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn lint_finds_nothing_to_warn_about() {
    let said = offline(&["lint", "--strict", CHART]).ok();
    assert!(said.ends_with("1 chart(s) linted, 0 chart(s) failed\n"), "{said}");
}

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
    let left = plane().kubectl(&["get", LEFT, "-A", "-o", "name"]).ok();
    let left: Vec<_> = left.lines().filter(|it| it.contains("guard")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The kinds of which a release makes objects.
const LEFT: &str = "deployments,services,configmaps,secrets,serviceaccounts,resourcequotas,poddisruptionbudgets,\
                    networkpolicies,roles,rolebindings,clusterroles,clusterrolebindings,\
                    mutatingwebhookconfigurations,validatingwebhookconfigurations";

#[test]
fn a_missing_cert_manager_stops_a_release_before_anything_is_applied() {
    let install = ["install", "signed", CHART, "-n", "ipam", "--set", "certificates.source=cert-manager"];
    plane().kubectl(&["create", "namespace", "ipam"]).ok();
    let refused = online(&install);
    assert!(refused.stderr.contains("but the cluster has no cert-manager.io/v1."), "{}", refused.stderr);
    let left = plane().kubectl(&["get", LEFT, "-n", "ipam", "-o", "name"]).ok();
    assert!(!left.contains("signed"), "{left}");

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
