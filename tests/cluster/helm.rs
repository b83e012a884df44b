//! The Helm chart: it renders what kustomize renders, refuses values that make no sense, and Helm installs it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use super::process::{Ran, command};
use super::tools::provided;

mod equal;
mod refused;
mod release;
mod values;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/chart");
const CERT_MANAGER: [&str; 4] = ["-a", "cert-manager.io/v1", "--set", "certificates.source=cert-manager"];

fn run(arguments: &[&str], home: &Path, kubeconfig: &Path) -> Ran {
    static HELM: OnceLock<PathBuf> = OnceLock::new();
    let mut helm = command(HELM.get_or_init(|| provided(&["helm"]).remove("HELM").unwrap()));
    helm.args(arguments).env("HOME", home).env("KUBECONFIG", kubeconfig);
    Ran::of(helm, "")
}

/// Runs helm without a cluster.
fn offline(arguments: &[&str]) -> Ran {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    run(arguments, home, &home.join("none"))
}

/// What `helm template` says about the release `ippool-webhook` in a namespace of that name.
fn template(arguments: &[&str]) -> Ran {
    offline(&[&["template", "ippool-webhook", CHART, "-n", "ippool-webhook"], arguments].concat())
}

pub fn objects(arguments: &[&str]) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&template(arguments).ok()).unwrap();
    documents.into_iter().filter(|it| !it.is_null()).collect()
}

pub fn find<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|it| it["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn lint_finds_nothing_to_warn_about() {
    let said = offline(&["lint", "--strict", CHART]).ok();
    assert!(said.ends_with("1 chart(s) linted, 0 chart(s) failed\n"), "{said}");
}
