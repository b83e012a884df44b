//! `deploy/monitoring`, read as files: it asks for what the program exports, and the pages say what it holds.
//! `cluster/monitoring.rs` runs the alerts and applies everything.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod alerts;
mod dashboard;
mod exported;

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::monitoring::selectors;
use testkit::pages::pages;

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn objects(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_webhook_is_scraped_at_a_port_of_its_pods() {
    let monitors = objects("deploy/monitoring/podmonitors.yaml");
    let [deployment] = objects("deploy/base/deployment.yaml").try_into().unwrap();
    let monitor = &monitors[0];
    assert_eq!(monitor["metadata"]["namespace"], deployment["metadata"]["namespace"]);
    let template = &deployment["spec"]["template"];
    assert_eq!(monitor["spec"]["selector"]["matchLabels"], template["metadata"]["labels"]);
    let ports = template["spec"]["containers"][0]["ports"].as_array().unwrap();
    let endpoints = monitor["spec"]["podMetricsEndpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1);
    assert!(ports.iter().any(|it| it["name"] == endpoints[0]["port"]), "{endpoints:?}");
}

#[test]
fn the_namespace_of_a_pool_is_not_that_of_its_audit() {
    let [_, audit] = objects("deploy/monitoring/podmonitors.yaml").try_into().unwrap();
    assert_eq!(audit["spec"]["podMetricsEndpoints"][0]["honorLabels"], true);
}

#[tokio::test]
async fn every_metric_that_a_page_names_is_exported() {
    let exported = exported::all().await;
    let families: BTreeSet<_> = exported.iter().map(|it| it.split('{').next().unwrap()).collect();
    let mut named = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (name, _) in selectors(&text).iter().filter(|(name, _)| name.starts_with("ippool_")) {
            let is_exported = families.contains(name) || families.contains(format!("{name}_bucket").as_str());
            assert!(is_exported || *name == "ippool_webhook", "{} names {name}", page.display());
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}
