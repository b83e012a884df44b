//! What a rule of the webhook says of a pool that a request brings in, an audit says of one that is stored.

use std::collections::BTreeMap;

use ippool_webhook::finding::{Operation, RuleInfo};
use ippool_webhook::kinds;
use ippool_webhook::kinds::ippool::Range;
use testkit::pages::{fences, fill, section};

use super::{LIVE, Plane, Value, audit, found, json, plane, pod, pools};
use crate::plane::Identity;
use crate::pools::JSON_PATCH;
use crate::process::awaited;

/// A control plane whose CRD lets everything through.
fn without_schema() -> Plane {
    let plane = plane("audit-every-rule");
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ippools.whereabouts.cni.cncf.io";
    let schema = json!([{ "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema",
        "value": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } }]);
    let (code, answer) = plane.request("PATCH", path, JSON_PATCH, &schema.to_string(), Identity::Admin);
    assert_eq!(code, 200, "{answer}");
    plane
}

/// Stores the pool that the page of a rule shows, as soon as the schema is no longer in force.
fn store(plane: &Plane, rule: &RuleInfo) -> Value {
    let fence = &fences(section(rule.page, "Example"))[0];
    let read = ["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-"];
    let mut pool: Value = serde_json::from_str(&plane.kubectl_with(&read, fence.text, &[]).ok()).unwrap();
    if let Some(count) = fence.info.strip_prefix("yaml generate=") {
        fill(&mut pool, count.parse().unwrap());
    }
    let (_, stored) = awaited("a CRD without a schema", || {
        Some(pools(plane).create(&pool)).filter(|(code, _)| *code == 201)
    });
    stored
}

/// The pods that the entries of a pool name, with the addresses that whereabouts takes them for.
fn owners(pool: &Value) -> BTreeMap<String, Vec<String>> {
    let range = pool["spec"]["range"].as_str().and_then(|range| Range::parse(range).ok());
    let mut owners = BTreeMap::<_, Vec<_>>::new();
    for (key, entry) in pool["spec"]["allocations"].as_object().into_iter().flatten() {
        let Some(name) = entry["podref"].as_str().and_then(|it| it.strip_prefix("default/")) else {
            continue;
        };
        let addresses = owners.entry(name.to_owned()).or_default();
        let offset = key.parse().ok();
        addresses.extend(offset.and_then(|offset| Some(range.as_ref()?.address_at(offset)?.to_string())));
    }
    owners
}

#[test]
fn each_rule_finds_in_a_stored_pool_what_its_page_shows() {
    let plane = without_schema();
    let of_stored = |rule: &&RuleInfo| rule.operations.contains(&Operation::Create);
    for rule in kinds::rules().filter(of_stored) {
        let pool = store(&plane, rule);
        let owners = owners(&pool);
        // Ten thousand pods would take minutes.
        let has_pods = owners.len() <= 100;
        for (name, addresses) in owners.iter().filter(|_| has_pods) {
            let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
            pod(&plane, name, "Running", "a", &addresses);
        }
        let policy = if has_pods { "{}" } else { "rules: {IPP504: off}" };
        std::fs::write(plane.scratch.join("policy.yaml"), policy).unwrap();
        let ran = audit(&plane, &[&LIVE[..], &["--policy=policy.yaml"]].concat());
        let mut ids: Vec<_> = found(&ran).iter().map(|it| it[..6].to_owned()).collect();
        ids.dedup();
        // Of two keys that are one offset, one is always spelled in another way, and both hold one address.
        let expected = if rule.id == "IPP204" { vec!["IPP203", "IPP204", "IPP502"] } else { vec![rule.id] };
        assert_eq!(ids, expected, "{}", ran.stdout);
        let name = pool["metadata"]["name"].as_str().unwrap();
        plane.kubectl(&["delete", "ippool", "-n", "kube-system", name]).ok();
        plane.kubectl(&["delete", "pods", "-n", "default", "--all", "--force", "--grace-period=0"]).ok();
    }
}
