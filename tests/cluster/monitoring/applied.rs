//! A control plane with the CRDs of the Prometheus operator.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{folder, rendered_from};
use crate::deploy::{example, tried};
use crate::helm::objects;
use crate::plane::Plane;
use crate::process::awaited;
use crate::rendered::rendered_beside;
use crate::tools::provided;

/// The places of the example of one's own settings, and of the audit, among the `yaml` fences of `deploy/README.md`.
const AUDIT: usize = 2;
const OWN: usize = 4;

fn plane() -> &'static Plane {
    static PLANE: OnceLock<Plane> = OnceLock::new();
    PLANE.get_or_init(|| {
        let plane = Plane::start("monitoring");
        let crds = provided(&["prometheus-operator"]).remove("PROMETHEUS_OPERATOR_DIR").unwrap();
        for plural in ["podmonitors", "servicemonitors", "prometheusrules"] {
            let file = format!("example/prometheus-operator-crd/monitoring.coreos.com_{plural}.yaml");
            // Larger than the annotation of a client-side apply may be.
            plane.kubectl(&["apply", "--server-side", "-f", crds.join(file).to_str().unwrap()]).ok();
        }
        plane.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).ok();
        awaited("kubectl to find the monitors", || {
            (plane.kubectl(&["get", "podmonitors,servicemonitors,prometheusrules", "-A"]).code == 0)
                .then_some(())
        });
        plane.kubectl(&["create", "namespace", "ippool-webhook"]).ok();
        plane
    })
}

#[test]
fn the_folder_is_applied_without_a_warning_and_settles() {
    let folder = folder();
    let run = |arguments: &[&str]| {
        let ran = plane().kubectl(&[arguments, &["-k", folder.to_str().unwrap()]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}: {}", ran.stdout);
        ran.stdout
    };
    let tried = run(&["apply", "--validate=strict", "--server-side", "--dry-run=server"]);
    assert!(tried.lines().all(|line| line.ends_with(" serverside-applied (server dry run)")), "{tried}");
    let applied = run(&["apply", "--validate=strict"]);
    assert_eq!(applied.lines().filter(|line| line.ends_with(" created")).count(), 4, "{applied}");
    let again = run(&["apply", "--validate=strict"]);
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    assert_eq!(run(&["diff"]), "");
}

#[test]
fn a_field_that_the_operator_does_not_know_is_refused() {
    for (kind, path, field) in [
        ("PodMonitor", "/spec/podMetricsEndpoints/0", "spec.podMetricsEndpoints[0].prot"),
        ("PrometheusRule", "/spec/groups/1/rules/2", "spec.groups[1].rules[2].prot"),
    ] {
        let mut object = rendered_from(&folder()).into_iter().find(|it| it["kind"] == kind).unwrap();
        object.pointer_mut(path).unwrap()["prot"] = json!("x");
        let refused = tried(plane(), &object).stderr;
        assert!(refused.contains(&format!("unknown field \"{field}\"")), "{kind}: {refused}");
    }
    let mut rule = rendered_from(&folder()).into_iter().find(|it| it["kind"] == "PrometheusRule").unwrap();
    rule["spec"]["groups"][0]["rules"][0]["for"] = json!("five minutes");
    let refused = tried(plane(), &rule).stderr;
    assert!(refused.contains("spec.groups[0].rules[0].for: Invalid value: \"five minutes\""), "{refused}");
}

#[test]
fn the_objects_of_the_chart_and_of_the_example_are_accepted() {
    let own = rendered_beside(&example("deploy/README.md", "yaml", OWN), &[]);
    assert_eq!(own.len(), 4);
    for object in &own {
        assert_eq!(object["metadata"]["labels"]["release"], "prometheus");
        let grafana = object["kind"] == "ConfigMap";
        assert_eq!(object["metadata"]["namespace"], if grafana { "monitoring" } else { "ippool-webhook" });
    }
    let chart = ["PodMonitor", "ServiceMonitor"].into_iter().flat_map(|kind| {
        let set = format!("monitoring.kind={kind},monitoring.alerts=true,audit.enabled=true");
        objects(&["-a", "monitoring.coreos.com/v1", "--set", &set])
    });
    let of_operator = |it: &Value| it["apiVersion"] == "monitoring.coreos.com/v1";
    let (mut count, all) = (0, chart.chain(own));
    for object in all.filter(of_operator) {
        let ran = tried(plane(), &object);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{object}");
        count += 1;
    }
    assert_eq!(count, 9);
}

/// The names of the Deployments whose pods a PodMonitor selects, where these have its port.
fn selected(monitor: &Value, objects: &[Value]) -> Vec<String> {
    let labels = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let port = &monitor["spec"]["podMetricsEndpoints"][0]["port"];
    let is_selected = |it: &&Value| {
        let template = &it["spec"]["template"];
        let ports = template["spec"]["containers"][0]["ports"].as_array();
        labels.iter().all(|(key, value)| template["metadata"]["labels"][key] == *value)
            && ports.is_some_and(|ports| ports.iter().any(|it| it["name"] == *port))
            && it["metadata"]["namespace"] == monitor["metadata"]["namespace"]
    };
    let deployments = objects.iter().filter(|it| it["kind"] == "Deployment");
    deployments.filter(is_selected).map(|it| it["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_monitor_selects_the_pods_of_its_name_whatever_installed_them() {
    let kustomize = rendered_beside(&example("deploy/README.md", "yaml", AUDIT), &[]);
    let helm = objects(&["--set", "audit.enabled=true"]);
    let monitors: Vec<_> =
        rendered_from(&folder()).into_iter().filter(|it| it["kind"] == "PodMonitor").collect();
    assert_eq!(monitors.len(), 2);
    for (monitor, objects) in monitors.iter().flat_map(|it| [(it, &kustomize), (it, &helm)]) {
        assert_eq!(selected(monitor, objects), [monitor["metadata"]["name"].as_str().unwrap()]);
    }
}
