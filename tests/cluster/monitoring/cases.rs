//! `cases.yaml`: when each alert fires, with which text, and when it does not.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{promtool, rules};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    fires: Vec<Fires>,
    silent: Vec<Silent>,
}

type Texts = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fires {
    at: u32,
    series: Texts,
    #[serde(default)]
    labels: Texts,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Silent {
    why: String,
    until: u32,
    series: Texts,
}

fn cases() -> BTreeMap<String, Cases> {
    serde_saphyr::from_str(include_str!("cases.yaml")).unwrap()
}

fn alerts() -> Vec<Value> {
    let groups = rules()["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|it| it["rules"].as_array().unwrap().clone()).collect()
}

fn name(alert: &Value) -> &str {
    alert["alert"].as_str().unwrap()
}

/// That `alert` fires as it should in this minute, or not at all.
fn expectation(alert: &Value, minute: u32, fires: Option<&Fires>) -> Value {
    let firing = |it: &Fires| {
        let mut labels = json!(it.labels);
        labels["severity"] = alert["labels"]["severity"].clone();
        let mut annotations = alert["annotations"].clone();
        annotations["description"] = json!(it.description);
        json!({ "exp_labels": labels, "exp_annotations": annotations })
    };
    let firing: Vec<_> = fires.into_iter().map(firing).collect();
    json!({ "eval_time": format!("{minute}m"), "alertname": name(alert), "exp_alerts": firing })
}

/// A test as promtool reads it.
fn test(name: &str, series: &Texts, expected: &[Value]) -> Value {
    let series: Vec<_> =
        series.iter().map(|(it, values)| json!({ "series": it, "values": values })).collect();
    json!({ "name": name, "interval": "1m", "input_series": series, "alert_rule_test": expected })
}

fn tests(alert: &Value, cases: &Cases) -> Vec<Value> {
    let fires = cases.fires.iter().map(|it| {
        let expected = [expectation(alert, it.at - 1, None), expectation(alert, it.at, Some(it))];
        test(name(alert), &it.series, &expected)
    });
    let silent = cases.silent.iter().map(|it| {
        let expected: Vec<_> = (0..=it.until).map(|minute| expectation(alert, minute, None)).collect();
        test(&format!("{}: {}", name(alert), it.why), &it.series, &expected)
    });
    fires.chain(silent).collect()
}

/// What promtool says about these tests of these alerts.
fn run(alerts: &[Value], tests: &[Value]) -> crate::process::Ran {
    let rules = tempfile::NamedTempFile::new().unwrap();
    let groups = json!({ "groups": [{ "name": "tested", "rules": alerts }] });
    std::fs::write(rules.path(), groups.to_string()).unwrap();
    let file = json!({ "rule_files": [rules.path()], "evaluation_interval": "1m", "tests": tests });
    promtool(&["test", "rules"], &file)
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    let (alerts, mut cases) = (alerts(), cases());
    for alert in &alerts {
        let cases = cases.remove(name(alert)).unwrap_or_else(|| panic!("no case of {}", name(alert)));
        assert!(!cases.fires.is_empty() && !cases.silent.is_empty(), "{}", name(alert));
        let ran = run(std::slice::from_ref(alert), &tests(alert, &cases));
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert!(cases.is_empty(), "cases of no alert: {:?}", cases.keys());
}

/// The expression with each of its comparisons turned, one at a time, from "more than" to "at least" and the like.
fn turned(expression: &str) -> Vec<String> {
    let comparisons = expression.match_indices([' ']).filter(|(at, _)| {
        let rest = &expression[*at..];
        rest.starts_with(" > ") || rest.starts_with(" < ")
    });
    comparisons.map(|(at, _)| format!("{}={}", &expression[..at + 2], &expression[at + 2..])).collect()
}

#[test]
fn every_boundary_of_an_alert_has_a_case_that_notices_it() {
    assert_eq!(turned("a > 1 and b < 2"), ["a >= 1 and b < 2", "a > 1 and b <= 2"]);
    let cases = cases();
    let mut count = 0;
    for alert in alerts() {
        let tests = tests(&alert, &cases[name(&alert)]);
        for expression in turned(alert["expr"].as_str().unwrap()) {
            let mut alert = alert.clone();
            alert["expr"] = json!(expression);
            let ran = run(&[alert], &tests);
            assert!(
                ran.code == 1 && (ran.stdout + &ran.stderr).contains("FAILED"),
                "not noticed: {expression}"
            );
            count += 1;
        }
    }
    assert!(count > 25, "{count}");
}
