//! What a release holds, as `make dist` wrote it to `target/dist`, or to where `IPPOOL_WEBHOOK_DIST` says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{on, parsed, ran};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const SOURCES: [&str; 3] = ["self-managed", "cert-manager", "openshift"];

fn dist() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dist");
    std::env::var_os("IPPOOL_WEBHOOK_DIST").map_or(default, PathBuf::from)
}

/// Unpacks `archive` of the release.
fn unpacked(archive: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let file = dist().join(archive);
    ran("tar", &["-C", directory.path().to_str().unwrap(), "-xf", file.to_str().unwrap()]);
    directory
}

/// The digest of the image, which a registry keeps.
fn digest() -> String {
    let image = unpacked(&format!("ippool-webhook-{VERSION}-image.tar"));
    let index = parsed(&image.path().join("index.json"));
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "make dist runs it"]
fn the_checksums_name_every_file_and_are_right() {
    let sums = fs::read_to_string(dist().join("SHA256SUMS")).unwrap();
    let named: BTreeSet<_> = sums.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    let files: BTreeSet<_> = fs::read_dir(dist()).unwrap().map(|it| it.unwrap().file_name()).collect();
    let files: BTreeSet<_> = files.iter().map(|it| it.to_str().unwrap()).collect();
    assert_eq!(&files - &named, BTreeSet::from(["SHA256SUMS"]));
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").unwrap();
        assert!(ran("sha256sum", &[dist().join(file).to_str().unwrap()]).starts_with(sum), "{file}");
    }
}

#[test]
#[ignore = "make dist runs it"]
fn each_archive_has_the_program_completions_and_rule_pages() {
    let mut machines = BTreeSet::new();
    for entry in fs::read_dir(dist()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(folder) = name.strip_suffix("-unknown-linux-gnu.tar.gz") else { continue };
        let machine = folder.strip_prefix(&format!("ippool-webhook-{VERSION}-")).unwrap().to_owned();
        let archive = unpacked(&name);
        let root = archive.path().join(name.strip_suffix(".tar.gz").unwrap());
        let program = root.join("ippool-webhook");
        let said = on(&machine, &program).arg("--version").output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said.trim(), format!("ippool-webhook {VERSION}"), "{machine}");
        for shell in ["bash", "fish", "zsh"] {
            let completions = root.join(format!("completions/ippool-webhook.{shell}"));
            assert!(fs::read_to_string(completions).unwrap().contains("fail-on"), "{machine} {shell}");
        }
        let pages = fs::read_dir(root.join("rules")).unwrap().count();
        assert_eq!(pages, ippool_webhook::kinds::rules().len(), "{machine}");
        machines.insert(machine);
    }
    assert_eq!(machines, BTreeSet::from(["aarch64".to_owned(), "x86_64".to_owned()]));
}

#[test]
#[ignore = "make dist runs it"]
fn the_manifests_and_the_chart_name_the_image_by_digest() {
    let digest = digest();
    for source in SOURCES {
        let manifests = fs::read_to_string(dist().join(format!("install-{source}.yaml"))).unwrap();
        let images: Vec<_> =
            manifests.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
        assert!(
            !images.is_empty() && images.iter().all(|it| it.ends_with(&format!("@{digest}"))),
            "{images:?}"
        );
    }
    let chart = unpacked(&format!("ippool-webhook-chart-{VERSION}.tgz"));
    let values = fs::read_to_string(chart.path().join("ippool-webhook/values.yaml")).unwrap();
    assert!(values.contains(&format!("\n  digest: {digest}\n")), "{values}");
}

#[test]
#[ignore = "make dist runs it"]
fn the_monitoring_manifest_has_what_the_folder_has() {
    let text = fs::read_to_string(dist().join("monitoring.yaml")).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let kinds: Vec<_> = objects.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ConfigMap", "PodMonitor", "PodMonitor", "PrometheusRule"]);
}

#[test]
#[ignore = "make dist runs it"]
fn the_sbom_names_the_crates_and_no_folder_of_the_build() {
    let file = dist().join(format!("ippool-webhook-{VERSION}.cdx.json"));
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")) && !text.contains("/root/"), "{}", file.display());
    let components: Value = parsed(&file)["components"].clone();
    let names: BTreeSet<_> =
        components.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    for name in ["rustls", "kube-client", "serde_json"] {
        assert!(names.contains(name), "{name}");
    }
    assert!(!names.contains("proptest"), "it is only in the tests");
}
