//! The alerts, and the table of them in `docs/operating.md`, which is written by
//! `UPDATE_EXPECTED=1 cargo test --test monitoring`.

use std::path::Path;

use ippool_webhook::kinds;
use serde_json::Value;

use super::{exported, objects, read};

const PAGE: &str = "docs/operating.md";
const START: &str =
    "<!-- alerts: written by `UPDATE_EXPECTED=1 cargo test --test monitoring`, compared by a test -->\n";
const END: &str = "<!-- /alerts -->\n";

fn alerts() -> Vec<Value> {
    let [rule] = objects("deploy/chart/monitoring/alerts.yaml").try_into().unwrap();
    let groups = rule["spec"]["groups"].as_array().unwrap();
    groups.iter().flat_map(|it| it["rules"].as_array().unwrap().clone()).collect()
}

fn annotation<'a>(alert: &'a Value, name: &str) -> &'a str {
    alert["annotations"][name].as_str().unwrap_or_else(|| panic!("no {name}: {alert}"))
}

#[tokio::test]
async fn every_selector_of_an_alert_selects_a_series_that_is_exported() {
    let exported = exported::all().await;
    for alert in alerts() {
        let named = alert["annotations"].to_string().replace("{{ $labels.", "{{").replace(" }}", "}}");
        let labels = named.split("{{").skip(1).filter(|it| !it.starts_with(" $value"));
        let legend: String = labels.map(|it| format!("{{{{{}}}}}", it.split("}}").next().unwrap())).collect();
        exported::assert_selects(&exported, alert["expr"].as_str().unwrap(), &legend);
    }
}

#[test]
fn every_alert_says_how_bad_it_is_what_happens_and_what_to_do() {
    for alert in alerts() {
        let severity = alert["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{alert}");
        assert_eq!(alert["labels"].as_object().unwrap().len(), 1, "{alert}");
        assert_eq!(alert["annotations"].as_object().unwrap().len(), 3, "{alert}");
        // Alerts of one name are notified together, under this.
        let summary = annotation(&alert, "summary");
        assert!(summary.len() <= 120 && !summary.contains("{{") && !summary.ends_with('.'), "{summary}");
        let runbook = annotation(&alert, "runbook");
        assert!(annotation(&alert, "description").ends_with('.') && runbook.ends_with('.'), "{alert}");
        assert!(!runbook.contains("://"), "a link may die: {runbook}");
        for id in runbook.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| it.starts_with("IPP5")) {
            assert!(kinds::find_rule(id).is_some(), "{runbook}");
        }
    }
}

#[test]
fn an_alert_waits_or_looks_back_so_that_one_scrape_does_not_end_it() {
    for alert in alerts() {
        let expression = alert["expr"].as_str().unwrap();
        let looks_back = ["[10m]", "[15m]", "[1h]"].iter().any(|it| expression.contains(it));
        assert!(alert["for"].is_string() || looks_back, "{alert}");
    }
}

/// The text with its pages as links, seen from the page.
fn linked(text: &str) -> String {
    let word = |word: &str| {
        let name = word.trim_end_matches([',', ';', '.']);
        let path = name.split('#').next().unwrap();
        if !path.ends_with(".md") {
            return word.to_owned();
        }
        assert!(Path::new(path).exists(), "{path}: {text}");
        let seen = name.strip_prefix("docs/").map_or_else(|| format!("../{name}"), str::to_owned);
        let seen = seen.strip_prefix("operating.md").map_or_else(|| seen.clone(), str::to_owned);
        word.replacen(name, &format!("[{name}]({seen})"), 1)
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn table() -> String {
    let row = |alert: &Value| {
        let name = alert["alert"].as_str().unwrap();
        let severity = alert["labels"]["severity"].as_str().unwrap();
        let [means, todo] = ["summary", "runbook"].map(|it| linked(annotation(alert, it)));
        format!("| `{name}` | {severity} | {means} | {todo} |\n")
    };
    let rows: String = alerts().iter().map(row).collect();
    format!("| alert | severity | means | do |\n|---|---|---|---|\n{rows}")
}

#[test]
fn the_table_of_alerts_says_what_their_annotations_say() {
    let (page, table) = (read(PAGE), table());
    let (before, rest) = page.split_once(START).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_EXPECTED").is_some() && written != table {
        return std::fs::write(PAGE, format!("{before}{START}{table}{END}{after}")).unwrap();
    }
    assert_eq!(written, table, "run again with UPDATE_EXPECTED=1");
}

#[test]
fn a_page_in_a_runbook_becomes_a_link() {
    let text = "see docs/limits.md#memory. Then docs/operating.md#sizing, certs/README.md";
    let wanted = "see [docs/limits.md#memory](limits.md#memory). Then [docs/operating.md#sizing](#sizing), \
                  [certs/README.md](../certs/README.md)";
    assert_eq!(linked(text), wanted);
}
