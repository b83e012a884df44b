//! The webhooks of this program, as they are registered and as this release registers them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::writers::without_writers;
use crate::certs::{ConfigurationRef, MUTATING, Problem, Target, VALIDATING};

/// The webhooks as `deploy` has them; the last one is optional.
const SHIPPED: [&str; 3] = [
    include_str!("../../../deploy/base/mutating.yaml"),
    include_str!("../../../deploy/base/validating.yaml"),
    include_str!("../../../deploy/components/observe-cni/validating.yaml"),
];

/// The suffix of the names of the webhooks.
const SUFFIX: &str = ".ippools.whereabouts.cni.cncf.io";

/// The fields that must be as shipped, and the consequence if one is not.
const FIELDS: [(&str, &str); 7] = [
    ("rules", "the webhook is called for other requests than it answers, or not for those it guards"),
    ("failurePolicy", "it decides what happens while the webhook is down"),
    ("sideEffects", "dry runs fail otherwise"),
    ("matchPolicy", "other versions of the CRD would pass unseen"),
    ("reinvocationPolicy", "what another webhook changes later is not normalized"),
    ("namespaceSelector", "pools of the other namespaces pass unseen"),
    ("objectSelector", "the other pools pass unseen"),
];

/// A webhook and the configuration that it is in.
#[derive(Clone, Copy)]
pub struct Registered<'a> {
    pub configuration: &'a Value,
    pub webhook: &'a Value,
}

impl<'a> Registered<'a> {
    /// All webhooks of these configurations.
    pub fn all(configurations: &'a [Value]) -> impl Iterator<Item = Self> {
        configurations.iter().flat_map(|configuration| {
            let webhooks = configuration["webhooks"].as_array().into_iter().flatten();
            webhooks.map(move |webhook| Self { configuration, webhook })
        })
    }

    /// The webhooks of this program, by name.
    pub fn ours(configurations: &'a [Value]) -> impl Iterator<Item = Self> {
        Self::all(configurations).filter(Self::is_ours)
    }

    pub fn is_ours(&self) -> bool {
        self.name().ends_with(SUFFIX)
    }

    pub fn name(&self) -> &'a str {
        self.webhook["name"].as_str().unwrap_or_default()
    }

    pub fn is_mutating(&self) -> bool {
        self.configuration["kind"] == MUTATING
    }

    fn reference(&self) -> ConfigurationRef {
        let kind = if self.is_mutating() { MUTATING } else { VALIDATING };
        let name = self.configuration["metadata"]["name"].as_str().unwrap_or_default();
        ConfigurationRef { kind, name: name.to_owned() }
    }

    pub fn problem(&self, what: impl Into<String>) -> Problem {
        self.reference().problem(format!("webhooks[{}]{}", self.name(), what.into()))
    }
}

/// The webhooks as this release ships them.
fn shipped() -> Vec<Value> {
    let files = SHIPPED.iter().filter_map(|text| serde_saphyr::from_str::<Value>(text).ok());
    files.flat_map(|file| file["webhooks"].as_array().cloned().unwrap_or_default()).collect()
}

/// The Service that the webhooks call, as namespace and name.
pub fn service(configurations: &[Value]) -> Option<(String, String)> {
    let service =
        Registered::ours(configurations).find_map(|it| it.webhook.pointer("/clientConfig/service"))?;
    Some((service["namespace"].as_str()?.to_owned(), service["name"].as_str()?.to_owned()))
}

/// Where the certificate is: in the Secret that is mounted, or in the one that the manifests mount.
pub fn target(configurations: &[Value], secret: Option<&str>) -> Option<Target> {
    let (namespace, service) = service(configurations)?;
    let mut publish_to = Vec::new();
    for reference in Registered::ours(configurations).map(|it| it.reference()) {
        if !publish_to.contains(&reference) {
            publish_to.push(reference);
        }
    }
    let secret = secret.map_or_else(|| format!("{service}-tls"), str::to_owned);
    Some(Target { namespace, secret, service, publish_to })
}

/// Compares the registered webhooks with the shipped ones; `unread` is a kind of configuration that could not be read.
pub fn check(configurations: &[Value], unread: Option<&str>, findings: &mut Vec<Problem>) {
    let shipped = shipped();
    for expected in &shipped {
        let name = expected["name"].as_str().unwrap_or_default();
        let registered: Vec<_> = Registered::ours(configurations).filter(|it| it.name() == name).collect();
        if registered.is_empty() && !name.starts_with("observe.") && unread != Some(kind_of(name)) {
            findings.push(missing(name));
        }
        for it in &registered {
            compare(*it, expected, findings);
        }
        findings.extend(registered.get(1..).into_iter().flatten().map(|it| {
            it.problem(": is registered twice, so that each request is reviewed twice; delete one of them")
        }));
    }
    let is_known = |it: &Registered<'_>| shipped.iter().any(|known| known["name"] == it.webhook["name"]);
    let unknown = Registered::ours(configurations).filter(|it| !is_known(it));
    findings.extend(unknown.map(|it| it.problem(": this release has no webhook of this name; delete it")));
}

/// The kind of configuration that the webhook of this name is in.
fn kind_of(name: &str) -> &'static str {
    if name.starts_with("normalize.") { MUTATING } else { VALIDATING }
}

fn missing(name: &str) -> Problem {
    let kind = kind_of(name);
    Problem {
        object: kind.to_owned(),
        what: format!(
            "Required value: no configuration has the webhook {name}, so nobody calls it; apply the manifests again"
        ),
        command: format!("kubectl get {}s", kind.to_ascii_lowercase()),
    }
}

fn compare(it: Registered<'_>, expected: &Value, findings: &mut Vec<Problem>) {
    let path = expected.pointer("/clientConfig/service/path").and_then(Value::as_str).unwrap_or_default();
    if path_of(it.webhook) != Some(path) {
        findings.push(
            it.problem(format!(".clientConfig: the path must be {path}, where this program serves it")),
        );
    }
    for (field, why) in FIELDS {
        let (found, wanted) = (&it.webhook[field], expected.get(field));
        if let Some(wanted) = wanted.filter(|wanted| canonical(wanted) != canonical(found)) {
            findings.push(it.problem(format!(".{field}: Invalid value: {found}: must be {wanted}: {why}")));
        }
    }
    if !it.webhook["admissionReviewVersions"].as_array().is_some_and(|all| all.contains(&json!("v1"))) {
        findings.push(
            it.problem(".admissionReviewVersions: must have v1, the only version that this program speaks"),
        );
    }
    let seconds = |webhook: &Value| webhook["timeoutSeconds"].as_u64();
    if seconds(it.webhook) > seconds(expected) {
        let (found, wanted) =
            (seconds(it.webhook).unwrap_or_default(), seconds(expected).unwrap_or_default());
        findings.push(it.problem(format!(
            ".timeoutSeconds: Invalid value: {found}: must be at most {wanted}: writes wait so long while the webhook hangs"
        )));
    }
    compare_conditions(it, expected, findings);
}

/// The path that the apiserver calls, at a Service or at a URL.
fn path_of(webhook: &Value) -> Option<&str> {
    let config = &webhook["clientConfig"];
    match config["url"].as_str() {
        Some(url) => url.split("://").nth(1).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..))),
        None => config.pointer("/service/path").and_then(Value::as_str),
    }
}

/// Conditions by name; the trusted writers in them are compared with the policy instead.
fn compare_conditions(it: Registered<'_>, expected: &Value, findings: &mut Vec<Problem>) {
    let conditions = |webhook: &Value| -> BTreeSet<(String, String)> {
        let all = webhook["matchConditions"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.iter().map(|it| (text(&it["name"]), without_writers(&text(&it["expression"])))).collect()
    };
    let (found, wanted) = (conditions(it.webhook), conditions(expected));
    for (name, _) in wanted.difference(&found) {
        let is_there = found.iter().any(|(other, _)| other == name);
        let what = if is_there {
            "must be as this release ships it"
        } else {
            "Required value: this release ships it"
        };
        findings.push(it.problem(format!(".matchConditions[{name}]: {what}; apply the manifests again")));
    }
    for (name, _) in found.iter().filter(|(name, _)| !wanted.iter().any(|(other, _)| other == name)) {
        let what = "this release has no such condition: requests that it excludes are not reviewed";
        findings.push(it.problem(format!(".matchConditions[{name}]: {what}")));
    }
}

/// A value with sorted lists, so that their order does not count.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(canonical).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(map) => map.iter().map(|(key, it)| (key.clone(), canonical(it))).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
