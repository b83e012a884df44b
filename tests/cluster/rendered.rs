//! The manifests of `deploy/`, rendered the way `kubectl apply -k` renders them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::process::{Ran, command};
use super::tools::tools;

/// The overlays a user may install.
pub const OVERLAYS: [&str; 4] = ["cert-manager", "openshift", "observe-cni", "self-managed"];

/// The folder of an overlay, or of `base`.
pub fn folder(overlay: &str) -> PathBuf {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    if overlay == "base" { deploy.join(overlay) } else { deploy.join("overlays").join(overlay) }
}

/// Every object of an overlay, or of `base`, in the order in which it is applied.
pub fn rendered(overlay: &str) -> Vec<Value> {
    rendered_from(&folder(overlay))
}

/// Every object of a folder with a kustomization.
pub fn rendered_from(folder: &Path) -> Vec<Value> {
    let mut kustomize = command(&tools().kubectl);
    kustomize.arg("kustomize").arg(folder);
    let ran = Ran::of(kustomize, "");
    assert!(ran.stderr.is_empty(), "kustomize {}: {}", folder.display(), ran.stderr);
    serde_saphyr::from_multiple(&ran.ok()).unwrap()
}

/// Every object of a kustomization that somebody keeps beside a checkout called `ippool-webhook`, with these files.
pub fn rendered_beside(kustomization: &str, files: &[(&str, &str)]) -> Vec<Value> {
    let scratch = tempfile::tempdir().unwrap();
    let own = scratch.path().join("own");
    std::fs::create_dir(&own).unwrap();
    symlink(env!("CARGO_MANIFEST_DIR"), scratch.path().join("ippool-webhook")).unwrap();
    for (name, text) in files.iter().chain([&("kustomization.yaml", kustomization)]) {
        std::fs::write(own.join(name), text).unwrap();
    }
    rendered_from(&own)
}

/// The objects of a kind.
pub fn of_kind(overlay: &str, kind: &str) -> Vec<Value> {
    rendered(overlay).into_iter().filter(|object| object["kind"] == kind).collect()
}

/// The webhook configurations of an overlay; each calls the Service.
pub fn rendered_webhooks(overlay: &str) -> Vec<Value> {
    let kinds = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
    rendered(overlay).into_iter().filter(|object| kinds.iter().any(|kind| object["kind"] == *kind)).collect()
}

/// A configuration of nothing but these webhooks, under a name of its own: `normalize`, `observe`, or some of
/// `validate` and `deletion`.
pub fn registration(webhooks: &[&str]) -> Value {
    let names: Vec<_> = webhooks.iter().map(|it| format!("{it}.ippools.whereabouts.cni.cncf.io")).collect();
    for mut configuration in rendered_webhooks("observe-cni") {
        let all = configuration["webhooks"].as_array_mut().unwrap();
        all.retain(|it| names.iter().any(|name| it["name"] == *name));
        if all.len() == names.len() {
            configuration["metadata"] = json!({ "name": format!("ippool-webhook-{}", webhooks[0]) });
            return configuration;
        }
    }
    panic!("deploy/ renders no webhooks {names:?}")
}
