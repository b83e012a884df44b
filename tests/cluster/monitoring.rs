//! `deploy/monitoring`: promtool runs the alerts and parses the queries of the dashboard, and a control plane that has the CRDs of
//! the Prometheus operator accepts all of it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::helm::{find, objects};
use super::process::{Ran, command};
use super::rendered::rendered_from;
use super::tools::provided;

mod applied;
mod cases;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/monitoring")
}

/// The `spec` of the PrometheusRule, which Prometheus reads as a file of rules.
fn rules() -> Value {
    find(&rendered_from(&folder()), "PrometheusRule")["spec"].clone()
}

/// Runs promtool with the last argument as a file of this content. JSON is YAML.
fn promtool(arguments: &[&str], file: &Value) -> Ran {
    static PROMTOOL: OnceLock<PathBuf> = OnceLock::new();
    let mut promtool = command(PROMTOOL.get_or_init(|| provided(&["promtool"]).remove("PROMTOOL").unwrap()));
    let scratch = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(scratch.path(), file.to_string()).unwrap();
    promtool.args(arguments).arg(scratch.path());
    Ran::of(promtool, "")
}

#[test]
fn promtool_finds_nothing_wrong_with_the_rules() {
    let said = promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &rules()).ok();
    let groups = rules()["groups"].as_array().unwrap().clone();
    let count: usize = groups.iter().map(|it| it["rules"].as_array().unwrap().len()).sum();
    assert!(said.contains(&format!("SUCCESS: {count} rules found")), "{said}");
}

#[test]
fn what_the_page_says_prints_the_rules_for_a_prometheus_of_ones_own() {
    let page = std::fs::read_to_string(folder().join("../../docs/operating.md")).unwrap();
    let line = page.lines().find(|line| line.starts_with("sed ")).unwrap();
    let mut shell = command(Path::new("/bin/sh"));
    shell.args(["-c", line]).current_dir(folder().join("../.."));
    let printed: Value = serde_saphyr::from_str(&Ran::of(shell, "").ok()).unwrap();
    assert_eq!(printed, rules());
}

#[test]
fn promtool_parses_every_query_of_the_dashboard() {
    let rendered = rendered_from(&folder());
    let dashboard = find(&rendered, "ConfigMap")["data"]["ippool-webhook.json"].as_str().unwrap().to_owned();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let rule = |expression: &str| {
        // Grafana puts a duration there.
        let expression = expression.replace("$__rate_interval", "5m").replace("$__range", "6h");
        json!({ "record": "query", "expr": expression })
    };
    let queries = testkit::monitoring::queries(&dashboard);
    let rules: Vec<_> = queries.iter().map(|it| rule(it.expression)).collect();
    let file = |rules: &[Value]| json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let said = promtool(&["check", "rules", "--lint=none"], &file(&rules)).ok();
    assert!(said.contains(&format!("SUCCESS: {} rules found", rules.len())), "{said}");
    let wrong = promtool(&["check", "rules", "--lint=none"], &file(&[rule("sum by (pool (ippool_leaked)")]));
    assert!(wrong.code == 1 && wrong.stderr.contains("could not parse expression"), "{}", wrong.stderr);
}

#[test]
fn the_chart_has_the_objects_of_the_folder() {
    let set =
        "monitoring.kind=PodMonitor,monitoring.alerts=true,monitoring.dashboard=true,audit.enabled=true";
    let chart = objects(&["-a", "monitoring.coreos.com/v1", "--set", set]);
    let wanted = rendered_from(&folder());
    assert_eq!(wanted.len(), 4);
    for object in wanted {
        let same = |it: &&Value| {
            it["kind"] == object["kind"] && it["metadata"]["name"] == object["metadata"]["name"]
        };
        let found = chart.iter().find(same).unwrap_or_else(|| panic!("no {}", object["metadata"]));
        assert_eq!(*found, object);
    }
}

#[test]
fn the_chart_counts_its_own_replicas() {
    let set = "monitoring.alerts=true,replicas=3";
    let chart = objects(&["-a", "monitoring.coreos.com/v1", "--set", set]);
    let alerts = find(&chart, "PrometheusRule")["spec"]["groups"][0]["rules"].as_array().unwrap().clone();
    let alert = alerts.iter().find(|it| it["alert"] == "IPPoolWebhookReplicaMissing").unwrap();
    assert_eq!(alert["expr"], "count(ippool_webhook_build_info) < 3");
}
