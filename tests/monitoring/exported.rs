//! The series that there are to ask for.

use serde_json::{Value, json};
use testkit::apiserver::status;
use testkit::client::AdminPort;
use testkit::monitoring::{grouping, selectors};
use testkit::program::{Serving, Watching};

/// What is read of the apiserver. `cluster/down.rs` sees it count them.
const APISERVER: [&str; 2] = [
    "apiserver_admission_webhook_fail_open_count{name=\"normalize.ippools.whereabouts.cni.cncf.io\"}",
    "apiserver_admission_webhook_rejection_count{error_type=\"calling_webhook_error\",\
     name=\"validate.ippools.whereabouts.cni.cncf.io\"}",
];
/// What Prometheus adds to every series.
const OF_THE_TARGET: [&str; 3] = ["instance", "job", "pod"];

/// The series at a port, without their values.
async fn series(port: &AdminPort) -> Vec<String> {
    let (_, text) = port.admin("/metrics").await;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// What an apiserver says of a cluster with one pool, in which two entries are one address, and without pods.
fn answer(target: &str) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let entry = |pod: &str| json!({ "id": pod, "ifname": "net1", "podref": format!("default/{pod}") });
    let pool = json!({
        "metadata": { "namespace": "kube-system", "name": "10.0.9.0-24", "resourceVersion": "1" },
        "spec": { "range": "10.0.9.0/24", "allocations": { "1": entry("web-0"), "01": entry("web-1") } },
    });
    let items = if path.ends_with("/ippools") { json!([pool]) } else { json!([]) };
    match query.contains("watch=") {
        true => status(500, "InternalError"),
        false => (200, json!({ "kind": "List", "metadata": { "resourceVersion": "1" }, "items": items })),
    }
}

/// The series of `audit --listen` in that cluster.
async fn of_an_audit() -> Vec<String> {
    let audit = Watching::start(answer);
    audit.until("/readyz", 200, |_| true).await;
    series(&audit).await
}

/// The series of all that are scraped.
pub async fn all() -> Vec<String> {
    let webhook = series(&Serving::start(&[])).await;
    let apiserver = APISERVER.iter().map(|it| (*it).to_owned());
    webhook.into_iter().chain(of_an_audit().await).chain(apiserver).collect()
}

/// What a series must have for a matcher: one of the texts for each alternative. A negated one, a variable and a
/// pattern need only the label.
fn wanted(matcher: &str) -> Vec<String> {
    let name = matcher.split(['=', '!']).next().unwrap();
    let value = matcher[name.len()..].trim_start_matches(['=', '~']).trim_matches('"');
    if value.starts_with(['!', '$', '.']) {
        return vec![format!("{name}=\"")];
    }
    value.split('|').map(|value| format!("{name}=\"{value}\"")).collect()
}

/// Asserts that each selector of `expression` selects one of `exported`, and that each label is one of theirs.
#[track_caller]
pub fn assert_selects(exported: &[String], expression: &str, legend: &str) {
    let selectors = selectors(expression);
    assert!(!selectors.is_empty(), "{expression}");
    let of_name =
        |name: &str| exported.iter().filter(|it| it.split('{').next() == Some(name)).collect::<Vec<_>>();
    for (name, matchers) in &selectors {
        let series = of_name(name);
        assert!(!series.is_empty(), "{name}: {expression}");
        for label in matchers.iter().flat_map(|it| wanted(it)) {
            let has = |it: &&String| it.contains(&format!("{{{label}")) || it.contains(&format!(",{label}"));
            assert!(series.iter().copied().any(|it| has(&it)), "{name} {label}: {series:#?}");
        }
    }
    let shown = legend.split("{{").skip(1).map(|it| it.split("}}").next().unwrap());
    for label in grouping(expression).into_iter().chain(shown) {
        let text = format!("{label}=\"");
        let known = OF_THE_TARGET.contains(&label)
            || selectors.iter().any(|(name, _)| of_name(name).iter().any(|it| it.contains(&text)));
        assert!(known, "{label}: {expression}");
    }
}

#[test]
fn selectors_are_metrics_with_their_matchers_and_not_functions() {
    let expression =
        "sum by (le) (rate(ippool_webhook_a_total{ b=\"c\", d=~\"e|f\"}[5m])) > process_g or time()";
    let found = [("ippool_webhook_a_total", vec!["b=\"c\"", "d=~\"e|f\""]), ("process_g", vec![])];
    assert_eq!(selectors(expression), found);
    assert_eq!(grouping(expression), ["le"]);
    assert_eq!(wanted("d=~\"e|f\""), ["d=\"e\"", "d=\"f\""]);
    for matcher in ["d!=\"e\"", "d!~\"e\"", "d=~\"$e\""] {
        assert_eq!(wanted(matcher), ["d=\""], "{matcher}");
    }
}

#[test]
#[should_panic(expected = "ippool_a name=\"other\"")]
fn a_label_that_no_series_has_is_noticed() {
    assert_selects(&["ippool_a{name=\"it\"}".to_owned()], "ippool_a{name=\"other\"}", "");
}
