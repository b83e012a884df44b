//! The webhook configurations: which requests the webhook is called for, and which of them depend on it.

use ippool_webhook::policy::Policy;
use kube::Resource;
use serde_json::{Value, json};
use testkit::ippool::IPPool;

use super::{cel, object, text};

/// The four webhooks, in the order in which the apiserver calls them.
pub const WEBHOOKS: [&str; 4] = ["normalize", "validate", "deletion", "observe"];

/// A webhook by the first part of its name.
pub fn webhook(name: &str) -> Value {
    let files = ["base/mutating.yaml", "base/validating.yaml", "components/observe-cni/validating.yaml"];
    let named = |hook: &Value| hook["name"] == format!("{name}.ippools.whereabouts.cni.cncf.io");
    let hooks = files.iter().flat_map(|file| object(file)["webhooks"].as_array().unwrap().clone());
    hooks.into_iter().find(named).unwrap_or_else(|| panic!("no webhook is called {name}"))
}

/// The expressions of a webhook's conditions.
pub fn conditions(webhook: &Value) -> Vec<String> {
    let conditions = webhook["matchConditions"].as_array().unwrap().iter();
    conditions.map(|condition| condition["expression"].as_str().unwrap().to_owned()).collect()
}

fn trusted() -> String {
    let policy: Policy = serde_saphyr::from_str(&text("base/policy.yaml")).unwrap();
    cel::any_of(&policy.trusted_writers().collect::<Vec<_>>())
}

const NOT_METADATA_ONLY: &str =
    "request.operation == 'CREATE' || object.metadata.generation != oldObject.metadata.generation";

const TEXT_OF_RANGE_CHANGES: &str = "request.operation == 'CREATE' || ( \
    has(object.spec) && type(object.spec) == map && has(object.spec.range) && \
    !(has(oldObject.spec) && type(oldObject.spec) == map && has(oldObject.spec.range) && \
    object.spec.range == oldObject.spec.range) )";

const HAS_ALLOCATIONS: &str = "has(oldObject.spec) && type(oldObject.spec) == map && \
    has(oldObject.spec.allocations) && type(oldObject.spec.allocations) == map && \
    size(oldObject.spec.allocations) > 0";

#[test]
fn the_match_conditions_follow_from_the_policy_and_the_written_fields() {
    let trusted = trusted();
    let wanted = [
        (
            "normalize",
            vec![
                format!("request.operation == 'CREATE' || !( {trusted} )"),
                TEXT_OF_RANGE_CHANGES.to_owned(),
            ],
        ),
        ("validate", vec![format!("!( {trusted} )"), NOT_METADATA_ONLY.to_owned()]),
        ("deletion", vec![HAS_ALLOCATIONS.to_owned()]),
        ("observe", vec![trusted, NOT_METADATA_ONLY.to_owned()]),
    ];
    for (name, wanted) in wanted {
        let found = conditions(&webhook(name));
        assert_eq!(found, wanted, "{name}: the right side follows from trustedWriters");
    }
}

#[test]
fn the_condition_on_the_writer_is_the_one_tested_on_every_release() {
    let wanted = "request.userInfo.username.matches('^system:serviceaccount:[^:]+:[^:]*whereabouts[^:]*$') || \
                  request.userInfo.username == 'system:serviceaccount:openshift-multus:multus-ancillary-tools'";
    assert_eq!(trusted(), wanted);
}

#[test]
fn no_condition_on_a_delete_reads_the_object_which_is_null() {
    for name in WEBHOOKS {
        let webhook = webhook(name);
        let operations = webhook["rules"][0]["operations"].as_array().unwrap();
        let reads = |it: &String| it.replace("oldObject", "").contains("object");
        let delete = operations.contains(&json!("DELETE"));
        assert!(!delete || !conditions(&webhook).iter().any(reads), "{name}");
        assert_eq!(delete, name == "deletion", "{name}");
    }
}

#[test]
fn every_webhook_calls_the_service() {
    let metadata = &object("base/service.yaml")["metadata"];
    for name in WEBHOOKS {
        let path = if name == "normalize" { "/mutate" } else { "/validate" };
        let wanted = json!({ "name": metadata["name"], "namespace": metadata["namespace"], "path": path, "port": 443 });
        assert_eq!(webhook(name)["clientConfig"]["service"], wanted, "{name}");
    }
}

#[test]
fn every_webhook_is_called_only_for_pools() {
    for name in WEBHOOKS {
        let webhook = webhook(name);
        let operations = if name == "deletion" { json!(["DELETE"]) } else { json!(["CREATE", "UPDATE"]) };
        let rule = json!({
            "apiGroups": [IPPool::group(&())],
            "apiVersions": [IPPool::version(&())],
            "resources": [IPPool::plural(&())],
            "operations": operations,
            "scope": "Namespaced",
        });
        assert_eq!(webhook["rules"], json!([rule]), "{name}");
        // The pools are in the namespace of whereabouts, which the usual selectors exclude.
        assert_eq!((&webhook["namespaceSelector"], &webhook["objectSelector"]), (&json!({}), &json!({})));
        assert_eq!(webhook["matchPolicy"], "Equivalent");
        assert_eq!(webhook["sideEffects"], "None");
        assert_eq!(webhook["admissionReviewVersions"], json!(["v1"]));
    }
}

#[test]
fn only_specs_that_people_write_fail_while_the_webhook_is_down() {
    let stated = WEBHOOKS.map(|name| {
        let webhook = webhook(name);
        let policy = webhook["failurePolicy"].as_str().unwrap().to_owned();
        (name, policy, webhook["timeoutSeconds"].as_u64().unwrap())
    });
    let wanted = [
        ("normalize", "Ignore", 2),
        ("validate", "Fail", 5),
        ("deletion", "Ignore", 1),
        ("observe", "Ignore", 1),
    ];
    assert_eq!(stated, wanted.map(|(name, policy, seconds)| (name, policy.to_owned(), seconds)));
    assert_eq!(webhook("normalize")["reinvocationPolicy"], "IfNeeded");
}
