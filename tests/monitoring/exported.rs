//! The series that there are to ask for.

use testkit::monitoring::{grouping, selectors};
use testkit::program::Serving;

/// What `audit --listen` exports of a pool and of an object that is not a pool.
const AUDIT: [&str; 5] = [
    "ippool_allocations{namespace=\"kube-system\",pool=\"10.0.9.0-24\"}",
    "ippool_capacity{namespace=\"kube-system\",pool=\"10.0.9.0-24\"}",
    "ippool_leaked{namespace=\"kube-system\",pool=\"10.0.9.0-24\"}",
    "ippool_findings{namespace=\"kube-system\",pool=\"10.0.9.0-24\",rule=\"IPP502\"}",
    "ippool_findings{namespace=\"kube-system\",pool=\"\",rule=\"IPP508\"}",
];
/// What is read of the apiserver. `cluster/down.rs` sees it count them.
const APISERVER: [&str; 2] = [
    "apiserver_admission_webhook_fail_open_count{name=\"normalize.ippools.whereabouts.cni.cncf.io\"}",
    "apiserver_admission_webhook_rejection_count{error_type=\"calling_webhook_error\",\
     name=\"validate.ippools.whereabouts.cni.cncf.io\"}",
];
/// What Prometheus adds to every series.
const OF_THE_TARGET: [&str; 3] = ["instance", "job", "pod"];

/// The series of the webhook that has just started, without their values.
pub async fn of_the_webhook() -> Vec<String> {
    let serving = Serving::start(&[]);
    let (_, text) = serving.admin("/metrics").await;
    let series =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap().0);
    series.map(str::to_owned).collect()
}

/// The series of all that are scraped.
pub async fn all() -> Vec<String> {
    let others = AUDIT.iter().chain(&APISERVER).map(|it| (*it).to_owned());
    of_the_webhook().await.into_iter().chain(others).collect()
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
#[should_panic(expected = "ippool_capacity nothing")]
fn a_label_that_no_series_has_is_noticed() {
    assert_selects(&AUDIT.map(str::to_owned), "ippool_capacity{nothing=\"x\"}", "");
}
