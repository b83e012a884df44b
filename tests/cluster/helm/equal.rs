//! The chart and kustomize render the same objects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{CERT_MANAGER, objects};
use crate::deploy::example;
use crate::rendered::{rendered, rendered_beside};

/// The fields of the objects by kind, name and path, without the three things that must differ: Helm creates the namespace by
/// `--create-namespace`, each tool hashes the policy in its own way, and the policy file of the base has comments.
fn comparable(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for object in objects.into_iter().filter(|it| it["kind"] != "Namespace") {
        let mut object: Value = serde_json::from_str(&without_hash(&object.to_string())).unwrap();
        if let Some(policy) = object["data"]["policy.yaml"].as_str() {
            object["data"]["policy.yaml"] = serde_saphyr::from_str(policy).unwrap();
        }
        let [kind, name] = [&object["kind"], &object["metadata"]["name"]].map(|it| it.as_str().unwrap());
        add_fields(&format!("{kind} {name}"), &object, &mut fields);
    }
    fields
}

fn add_fields(path: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
    let inside: Vec<_> = match value {
        Value::Object(map) => map.iter().map(|(key, it)| (key.clone(), it)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, it)| (index.to_string(), it)).collect(),
        _ => Vec::new(),
    };
    inside.iter().for_each(|(key, it)| add_fields(&format!("{path}/{key}"), it, fields));
    if inside.is_empty() {
        assert!(fields.insert(path.to_owned(), value.clone()).is_none(), "{path} is there twice");
    }
}

fn without_hash(text: &str) -> String {
    const NAME: &str = "ippool-webhook-policy-";
    let mut parts = text.split(NAME);
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + NAME + part.get(10..).unwrap())
}

#[track_caller]
fn assert_equal(wanted: Vec<Value>, arguments: &[&str]) {
    let (wanted, found) = (comparable(wanted), comparable(objects(arguments)));
    let paths: BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
    let differ = paths.iter().filter(|it| wanted.get(**it) != found.get(**it));
    let differ: Vec<_> = differ.map(|it| (it, wanted.get(*it), found.get(*it))).collect();
    assert!(differ.is_empty(), "{arguments:?}: kustomize's and the chart's: {differ:#?}");
    assert!(paths.len() > 200, "{arguments:?}: {}", paths.len());
}

#[test]
fn the_chart_renders_what_kustomize_renders_field_by_field() {
    assert_equal(rendered("self-managed"), &[]);
    assert_equal(rendered("cert-manager"), &CERT_MANAGER);
    assert_equal(
        rendered("openshift"),
        &["-a", "security.openshift.io/v1", "--set", "certificates.source=openshift"],
    );
    assert_equal(rendered("observe-cni"), &[&CERT_MANAGER[..], &["--set", "observeCni=true"]].concat());
}

#[test]
fn the_chart_with_client_certificates_renders_the_component() {
    let own = example("certs/apiserver/README.md", "yaml", 1);
    let wanted = rendered_beside(&own, &[]);
    assert_equal(wanted, &["--set", "clientCertificates.enabled=true"]);
}

#[test]
fn the_chart_with_an_audit_renders_the_component() {
    let own = example("deploy/README.md", "yaml", 2);
    assert!(own.contains("components/audit"), "{own}");
    assert_equal(rendered_beside(&own, &[]), &["--set", "audit.enabled=true"]);
}

#[test]
fn the_chart_with_an_issuer_of_ones_own_renders_the_component() {
    let own = example("certs/README.md", "yaml", 0);
    let wanted = rendered_beside(&own, &[]);
    let issuer =
        r#"certificates.issuerRef={"group":"cert-manager.io","kind":"ClusterIssuer","name":"company-ca"}"#;
    assert_equal(wanted, &[&CERT_MANAGER[..], &["--set-json", issuer]].concat());
}
