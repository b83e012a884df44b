//! What each value of the chart changes.

use std::path::Path;

use serde_json::json;

use super::{find, objects};
use crate::process::{Ran, command};

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
