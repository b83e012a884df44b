//! What alerts and the dashboard ask Prometheus.

use serde_json::Value;

/// A query of a panel of the dashboard.
pub struct Query<'a> {
    pub panel: &'a str,
    pub expression: &'a str,
    /// What names a line, such as `{{pool}}`.
    pub legend: &'a str,
}

/// The panels that show something; a row only has a title.
pub fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|it| it["type"] != "row").collect()
}

pub fn queries<'a>(dashboard: &'a Value) -> Vec<Query<'a>> {
    let query = |panel: &'a Value, target: &'a Value| {
        let [panel, expression, legend] = [&panel["title"], &target["expr"], &target["legendFormat"]];
        Query {
            panel: panel.as_str().unwrap(),
            expression: expression.as_str().unwrap(),
            legend: legend.as_str().unwrap_or_default(),
        }
    };
    let targets = |panel: &'a Value| panel["targets"].as_array().unwrap().iter();
    panels(dashboard).into_iter().flat_map(|panel| targets(panel).map(|it| query(panel, it))).collect()
}

fn is_word(it: char) -> bool {
    it.is_ascii_alphanumeric() || it == '_'
}

/// The metrics of an expression, each with the matchers after it, such as `reason="panic"`.
pub fn selectors(expression: &str) -> Vec<(&str, Vec<&str>)> {
    let words = expression.match_indices(|it: char| it.is_ascii_lowercase());
    let starts = words.filter(|(at, _)| !expression[..*at].ends_with(is_word)).map(|(at, _)| at);
    let selector = |at| {
        let rest: &str = &expression[at..];
        let (name, rest) = rest.split_at(rest.find(|it| !is_word(it)).unwrap_or(rest.len()));
        let matchers = rest.strip_prefix('{').map_or("", |rest| rest.split('}').next().unwrap());
        (name, matchers.split(',').map(str::trim).filter(|it| !it.is_empty()).collect())
    };
    let prefixes = ["ippool_", "process_", "apiserver_"];
    starts.map(selector).filter(|(name, _)| prefixes.iter().any(|it| name.starts_with(it))).collect()
}

/// The labels that an expression aggregates or matches by: `by (a, b)`, `on (a)`.
pub fn grouping(expression: &str) -> Vec<&str> {
    let lists = ["by (", "on ("].iter().flat_map(|start| expression.split(start).skip(1));
    let names = lists.flat_map(|it| it.split(')').next().unwrap().split(','));
    names.map(str::trim).filter(|it| !it.is_empty()).collect()
}
