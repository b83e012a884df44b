//! The dashboard of Grafana.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::monitoring::{panels, queries};

use super::{exported, read};

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/chart/monitoring/dashboard.json")).unwrap()
}

#[tokio::test]
async fn every_query_of_the_dashboard_selects_a_series_that_is_exported() {
    let (exported, dashboard) = (exported::all().await, dashboard());
    let queries = queries(&dashboard);
    assert!(queries.len() > 20, "{}", queries.len());
    for query in queries {
        exported::assert_selects(&exported, query.expression, query.legend);
    }
    for variable in variables(&dashboard).iter().filter(|it| it["type"] == "query") {
        let query = variable["query"]["query"].as_str().unwrap();
        let label = query.trim_end_matches(')').rsplit(' ').next().unwrap();
        exported::assert_selects(&exported, query, &format!("{{{{{label}}}}}"));
    }
}

fn variables(dashboard: &Value) -> &Vec<Value> {
    dashboard["templating"]["list"].as_array().unwrap()
}

#[test]
fn the_dashboard_names_nothing_that_one_grafana_only_has() {
    let dashboard = dashboard();
    assert_eq!((&dashboard["id"], &dashboard["uid"]), (&Value::Null, &json!("ippool-webhook")));
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36, "data sources are objects since then");
    let known: BTreeSet<_> = variables(&dashboard).iter().map(|it| it["name"].as_str().unwrap()).collect();
    let text = dashboard.to_string();
    for name in text.split('$').skip(1).map(|it| it.trim_start_matches('{')) {
        let name = name.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').next().unwrap();
        let of_grafana = ["__rate_interval", "__range", "__all"].contains(&name);
        assert!(of_grafana || known.contains(name), "{name}");
    }
    let source = json!({ "type": "prometheus", "uid": "${datasource}" });
    let asked = variables(&dashboard).iter().filter(|it| it["type"] == "query");
    let targets = panels(&dashboard).into_iter().flat_map(|it| it["targets"].as_array().unwrap());
    for it in panels(&dashboard).into_iter().chain(targets).chain(asked) {
        assert_eq!(it["datasource"], source, "{it}");
    }
}

#[test]
fn every_panel_has_a_title_an_explanation_and_an_id_of_its_own() {
    let dashboard = dashboard();
    let ids: BTreeSet<_> =
        dashboard["panels"].as_array().unwrap().iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().unwrap().len());
    let titles: BTreeSet<_> = panels(&dashboard).iter().map(|it| it["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), panels(&dashboard).len());
    for panel in panels(&dashboard) {
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{panel}");
        let targets = panel["targets"].as_array().unwrap();
        let letters: BTreeSet<_> = targets.iter().map(|it| it["refId"].as_str().unwrap()).collect();
        assert_eq!(letters.len(), targets.len(), "{panel}");
    }
}

/// The cells of the grid, 24 to a line, that a panel covers.
fn cells(panel: &Value) -> Vec<(u64, u64)> {
    let [x, y, width, height] = ["x", "y", "w", "h"].map(|it| panel["gridPos"][it].as_u64().unwrap());
    assert!(width > 0 && height > 0 && x + width <= 24, "{panel}");
    (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))).collect()
}

#[test]
fn no_panel_overlaps_another_and_no_line_of_the_grid_is_empty() {
    let dashboard = dashboard();
    let mut covered = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for cell in cells(panel) {
            assert!(covered.insert(cell), "{}", panel["title"]);
        }
    }
    let height = covered.iter().map(|(_, y)| y + 1).max().unwrap();
    assert_eq!(covered.len() as u64, 24 * height, "cells without a panel");
}
