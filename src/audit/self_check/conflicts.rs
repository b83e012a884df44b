//! Other webhooks that are called for pools, such as the one that upstream's operator brings.

use serde_json::Value;

use super::registration::Registered;
use crate::certs::Problem;
use crate::kinds::Kind as _;
use crate::kinds::ippool::IpPool;

const GROUP: &str = IpPool::GROUP;
const RESOURCE: &str = IpPool::RESOURCE;

pub fn check(configurations: &[Value], findings: &mut Vec<Problem>) {
    for it in Registered::all(configurations).filter(|it| !it.is_ours()) {
        let is_mutating = it.is_mutating();
        // A policy engine that validates every object is not a conflict. One that mutates every object may change pools.
        let (groups, resources): (&[_], &[_]) = if is_mutating {
            (&[GROUP, "*"], &[RESOURCE, "*", "*/*"])
        } else {
            (&[GROUP], &[RESOURCE, "*", "*/*"])
        };
        if !matches(it.webhook, groups, resources) {
            continue;
        }
        let what = if is_mutating {
            "it may change pools after they were reviewed"
        } else {
            "it may deny what whereabouts itself writes, and pods then get no address"
        };
        findings
            .push(it.problem(format!(".rules: also matches {RESOURCE}: {what}; find out what it is for")));
    }
}

fn matches(webhook: &Value, groups: &[&str], resources: &[&str]) -> bool {
    webhook["rules"].as_array().into_iter().flatten().any(|rule| {
        let has = |field: &str, names: &[&str]| {
            rule[field].as_array().into_iter().flatten().any(|it| names.iter().any(|name| it == name))
        };
        has("apiGroups", groups)
            && has("resources", resources)
            && has("operations", &["CREATE", "UPDATE", "DELETE", "*"])
            && rule["scope"] != "Cluster"
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(kind: &str, rule: &Value) -> usize {
        let webhook = json!({ "name": "w.example.com", "rules": [rule] });
        let configuration = json!({ "kind": kind, "metadata": { "name": "other" }, "webhooks": [webhook] });
        let mut findings = Vec::new();
        check(&[configuration], &mut findings);
        findings.len()
    }

    #[test]
    fn another_webhook_for_pools_is_a_conflict_and_one_that_validates_all_is_not() {
        let (mutating, validating) = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration");
        let rule = |group: &str, resource: &str, operation: &str| json!({ "apiGroups": [group], "resources": [resource], "operations": [operation], "scope": "*" });
        let pools = rule(GROUP, RESOURCE, "*");
        assert_eq!([found(mutating, &pools), found(validating, &pools)], [1, 1]);
        let all = rule("*", "*", "UPDATE");
        assert_eq!([found(mutating, &all), found(validating, &all)], [1, 0]);
        assert_eq!(found(mutating, &rule("", "pods", "*")), 0);
        assert_eq!(found(mutating, &rule(GROUP, RESOURCE, "CONNECT")), 0);
    }
}
