//! Other webhooks that are called for pools, such as the one that upstream's operator brings.

use serde_json::Value;

use super::registration::Registered;
use crate::certs::Problem;

const GROUP: &str = "whereabouts.cni.cncf.io";
const RESOURCE: &str = "ippools";

pub fn check(configurations: &[Value], findings: &mut Vec<Problem>) {
    for it in Registered::all(configurations).filter(|it| !it.is_ours() && is_for_pools(it.webhook)) {
        let is_mutating = it.configuration["kind"] == "MutatingWebhookConfiguration";
        let what = if is_mutating {
            "it may change pools after they were reviewed"
        } else {
            "it may deny what whereabouts itself writes, and pods then get no address"
        };
        findings
            .push(it.problem(format!(".rules: also matches {RESOURCE}: {what}; find out what it is for")));
    }
}

fn is_for_pools(webhook: &Value) -> bool {
    webhook["rules"].as_array().into_iter().flatten().any(|rule| {
        let has = |field: &str, names: &[&str]| {
            rule[field].as_array().into_iter().flatten().any(|it| names.iter().any(|name| it == name))
        };
        has("apiGroups", &[GROUP, "*"])
            && has("resources", &[RESOURCE, "*", "*/*"])
            && has("operations", &["CREATE", "UPDATE", "*"])
    })
}
