//! `docs/operating.md`: its numbers are those of the manifests, and its examples are what it says. `monitoring` tests its alerts.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::Value;
use testkit::pages::shown;

const PAGE: &str = "docs/operating.md";

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The object that the page shows under this name.
fn object(name: &str) -> Value {
    serde_saphyr::from_str(shown(&read(PAGE), name)).unwrap()
}

#[test]
fn the_numbers_of_sizing_are_those_of_the_manifests() {
    let page = read(PAGE);
    let resources = |path: &str| {
        let deployment: Value = serde_saphyr::from_str(&read(path)).unwrap();
        let of = deployment.pointer("/spec/template/spec/containers/0/resources").unwrap().clone();
        ["/requests/cpu", "/requests/memory", "/limits/memory"]
            .map(|it| of.pointer(it).unwrap().as_str().unwrap().replace("Mi", " MiB"))
    };
    let [processor, memory, limit] = resources("deploy/base/deployment.yaml");
    let [issuing_processor, issuing_memory, issuing_limit] =
        resources("deploy/overlays/self-managed/deployment.yaml");
    for row in [
        format!("| a replica: memory | {memory} | {limit} |"),
        format!("| a replica: processor | {processor} | none,"),
        format!("| the pod of `self-managed` | {issuing_processor}, {issuing_memory} | {issuing_limit} |"),
    ] {
        assert!(page.contains(&row), "{row}");
    }
    let mebibytes: u64 = limit.trim_end_matches(" MiB").parse().unwrap();
    let alert = format!("process_resident_memory_bytes > {} * 1024 * 1024 ", mebibytes * 4 / 5);
    assert!(read("deploy/chart/monitoring/alerts.yaml").contains(&alert), "{alert}");
}

#[test]
fn the_examples_for_argo_cd_and_flux_prune_and_wait() {
    let application = &object("argo-cd.yaml")["spec"]["template"]["spec"];
    assert_eq!(application["source"]["path"], "clusters/{{.name}}/ippool-webhook");
    let sync = &application["syncPolicy"];
    assert_eq!(sync["syncOptions"], serde_json::json!(["PruneLast=true"]));
    let flux = &object("flux.yaml")["spec"];
    assert_eq!((&flux["prune"], &flux["wait"]), (&true.into(), &true.into()));
}
