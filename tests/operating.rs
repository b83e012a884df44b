//! `docs/operating.md`: its alerts select what the program exports. Every metric that a page names exists.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::pages::{pages, shown};
use testkit::program::Serving;

const PAGE: &str = "docs/operating.md";
/// What the alerts read of the apiserver. `cluster/down.rs` sees it count them.
const APISERVER: [&str; 2] =
    ["apiserver_admission_webhook_fail_open_count", "apiserver_admission_webhook_rejection_count"];

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The object that the page shows under this name.
fn object(name: &str) -> Value {
    serde_saphyr::from_str(shown(&read(PAGE), name)).unwrap()
}

fn alerts() -> Vec<Value> {
    object("alerts.yaml")["groups"][0]["rules"].as_array().unwrap().clone()
}

/// The series of the program that has just started, without their values.
async fn exported() -> Vec<String> {
    let serving = Serving::start(&[]);
    let (_, text) = serving.admin("/metrics").await;
    let series =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap().0);
    series.map(str::to_owned).collect()
}

fn is_word(it: char) -> bool {
    it.is_ascii_alphanumeric() || it == '_'
}

/// The metrics of an expression, each with the matchers after it, such as `reason="panic"`.
fn selectors(expression: &str) -> Vec<(&str, Vec<&str>)> {
    let words = expression.match_indices(|it: char| it.is_ascii_lowercase());
    let starts = words.filter(|(at, _)| !expression[..*at].ends_with(is_word)).map(|(at, _)| at);
    let selector = |at| {
        let rest: &str = &expression[at..];
        let (name, rest) = rest.split_at(rest.find(|it| !is_word(it)).unwrap_or(rest.len()));
        let matchers = rest.strip_prefix('{').map_or("", |rest| rest.split('}').next().unwrap());
        (name, matchers.split(',').map(str::trim).filter(|it| !it.is_empty()).collect())
    };
    let prefixes = ["ippool_webhook_", "process_", "apiserver_"];
    starts.map(selector).filter(|(name, _)| prefixes.iter().any(|it| name.starts_with(it))).collect()
}

#[test]
fn selectors_are_metrics_with_their_matchers_and_not_functions() {
    let expression =
        "sum by (le) (rate(ippool_webhook_a_total{ b=\"c\", d=~\"e|f\"}[5m])) > process_g or time()";
    let wanted = [("ippool_webhook_a_total", vec!["b=\"c\"", "d=~\"e|f\""]), ("process_g", vec![])];
    assert_eq!(selectors(expression), wanted);
}

/// The labels that a series needs for a matcher: one for each alternative.
fn labels(matcher: &str) -> Vec<String> {
    let (name, value) = matcher.split_once('=').unwrap();
    let values = value.trim_start_matches('~').trim_matches('"');
    values.split('|').map(|value| format!("{name}=\"{value}\"")).collect()
}

#[tokio::test]
async fn every_selector_of_an_alert_selects_a_series_that_is_exported() {
    let exported = exported().await;
    for alert in alerts() {
        let expression = alert["expr"].as_str().unwrap();
        assert!(!selectors(expression).is_empty(), "{alert}");
        for (name, matchers) in selectors(expression) {
            if name.starts_with("apiserver_") {
                assert!(APISERVER.contains(&name), "{alert}");
                continue;
            }
            let of_name = |it: &&String| it.split('{').next() == Some(name);
            let series: Vec<_> = exported.iter().filter(of_name).collect();
            assert!(!series.is_empty(), "{name}: {alert}");
            for label in matchers.iter().flat_map(|it| labels(it)) {
                assert!(series.iter().any(|it| it.contains(&label)), "{name} {label}: {series:#?}");
            }
        }
    }
}

#[tokio::test]
async fn every_metric_that_a_page_names_is_exported() {
    let exported = exported().await;
    let families: BTreeSet<_> = exported.iter().map(|it| it.split('{').next().unwrap()).collect();
    let mut named = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (name, _) in selectors(&text).iter().filter(|(name, _)| name.starts_with("ippool_webhook_")) {
            let is_exported = families.contains(name) || families.contains(format!("{name}_bucket").as_str());
            assert!(is_exported, "{} names {name}", page.display());
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_table_of_alerts_has_a_row_for_each_in_their_order() {
    let (page, alerts) = (read(PAGE), alerts());
    let (_, table) = page.split_once("\n| alert | means | do |\n|---|---|---|\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| `")?.split('`').next());
    let rows: Vec<_> = rows.map(|name| format!("IPPoolWebhook{name}")).collect();
    let names: Vec<_> = alerts.iter().map(|it| it["alert"].as_str().unwrap()).collect();
    assert_eq!(rows, names);
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
    assert!(page.contains(&alert), "{alert}");
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
