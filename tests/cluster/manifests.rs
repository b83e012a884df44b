//! The manifests of `manifests/`, tried with kubectl: the bad ones without the webhook and with it, the good
//! ones with it. `UPDATE_EXPECTED=1` writes what is expected anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use diffy::DiffOptions;
use ippool_webhook::finding::Severity;
use ippool_webhook::kinds;
use serde_json::{Value, json};

use super::manifest::{Manifest, Printed, folder};
use super::numbers;
use super::plane::Plane;
use super::webhook::{Hook, Webhook};

/// A bad manifest and what became of it.
pub struct Bad {
    pub manifest: Manifest,
    /// With only the CRD.
    pub crd_only: Printed,
    /// With the webhook.
    pub guarded: Printed,
}

/// A good manifest, what kubectl printed and what is stored in the end.
struct Good {
    manifest: Manifest,
    guarded: Printed,
    stored: String,
}

/// All manifests and what became of them.
pub struct Outcome {
    pub bad: Vec<Bad>,
    good: Vec<Good>,
    /// All pools that bad manifests started from, and whatever those left behind, before and after.
    before: Value,
    after: Value,
    refusals_of_trusted: usize,
}

/// Tries all manifests, once for all tests.
pub fn outcome() -> &'static Outcome {
    static OUTCOME: OnceLock<Outcome> = OnceLock::new();
    OUTCOME.get_or_init(|| {
        let plane = Plane::start("manifests");
        let (bad, good) = (Manifest::all("bad"), Manifest::all("good"));
        let robots = ["create", "clusterrolebinding", "robots", "--clusterrole=cluster-admin"];
        plane.kubectl(&[&robots[..], &["--serviceaccount=default:robot"]].concat()).ok();
        // Pools that are broken can be made only while nothing is registered.
        prepare(&plane, bad.iter().map(|it| (it, crd_only(it))));
        prepare(&plane, bad.iter().chain(&good).map(|it| (it, it.name.clone())));
        let accepted: Vec<_> = bad.iter().map(|it| it.run(&plane, &crd_only(it))).collect();
        let webhook = Webhook::serve(&plane, &[]);
        webhook.register(&plane, &[Hook::Normalize, Hook::Validate]);
        let before = pools(&plane);
        let bad = bad.into_iter().zip(accepted).map(|(manifest, crd_only)| {
            let guarded = manifest.run(&plane, &manifest.name);
            Bad { manifest, crd_only, guarded }
        });
        let bad: Vec<_> = bad.collect();
        let after = pools(&plane);
        let good = good.into_iter().map(|manifest| {
            let guarded = manifest.run(&plane, &manifest.name);
            let stored = stored(&plane, &manifest);
            Good { manifest, guarded, stored }
        });
        let good = good.collect();
        Outcome { bad, good, before, after, refusals_of_trusted: webhook.refusals_of_trusted() }
    })
}

/// The namespace in which a manifest is tried without the webhook.
fn crd_only(manifest: &Manifest) -> String {
    format!("crd-only-{}", manifest.name)
}

/// Makes a namespace for each manifest, and in it the pool it starts from.
fn prepare<'a>(plane: &Plane, manifests: impl Iterator<Item = (&'a Manifest, String)>) {
    let (mut namespaces, mut applied, mut created) = (Vec::new(), String::new(), String::new());
    for (manifest, namespace) in manifests {
        namespaces
            .push(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }));
        // As a person would have made it who continues with the same command.
        let pools = if manifest.verb == "apply-server-side" { &mut applied } else { &mut created };
        if let Some(start) = manifest.start(&namespace) {
            pools.push_str(&format!("---\n{start}"));
        }
    }
    let namespaces = json!({ "apiVersion": "v1", "kind": "List", "items": namespaces });
    plane.kubectl_with(&["create", "-f", "-"], &namespaces.to_string(), &[]).ok();
    plane.kubectl_with(&["create", "--save-config", "-f", "-"], &created, &[]).ok();
    if !applied.is_empty() {
        plane.kubectl_with(&["apply", "--server-side", "-f", "-"], &applied, &[]).ok();
    }
}

fn pools(plane: &Plane) -> Value {
    let pools = plane.kubectl(&["get", "ippools", "--all-namespaces", "--output=json"]).ok();
    serde_json::from_str(&pools).unwrap()
}

/// The pool as it is stored, without what differs from run to run.
fn stored(plane: &Plane, manifest: &Manifest) -> String {
    let ran = plane.kubectl(&["get", "ippool", &manifest.pool(), "-n", &manifest.name, "--output=yaml"]);
    if ran.stderr.contains("(NotFound)") {
        return "# nothing is stored\n".to_owned();
    }
    let random = ["  creationTimestamp: ", "  resourceVersion: ", "  uid: "];
    let text = ran.ok();
    let kept = text.lines().filter(|line| !random.iter().any(|it| line.starts_with(it)));
    kept.map(|line| format!("{line}\n")).collect()
}

/// How a file differs from what this run says, if it does; with `UPDATE_EXPECTED` it is written instead.
pub fn difference(file: &Path, found: &str) -> Option<String> {
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    if expected == found {
        return None;
    }
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, found).unwrap();
        return None;
    }
    let mut options = DiffOptions::new();
    options.set_original_filename(file.display().to_string()).set_modified_filename("this run");
    Some(options.create_patch(&expected, found).to_string())
}

fn assert_as_expected(files: impl Iterator<Item = (String, String)>) {
    let differences: Vec<_> = files.filter_map(|(name, found)| difference(&folder(&name), &found)).collect();
    assert!(
        differences.is_empty(),
        "{}\nread the difference, then run again with UPDATE_EXPECTED=1",
        differences.join("\n")
    );
}

#[test]
fn kubectl_prints_of_every_bad_manifest_what_is_written_beside_it() {
    let printed = |it: &Bad| (format!("bad/{}.txt", it.manifest.name), it.guarded.to_string());
    assert_as_expected(outcome().bad.iter().map(printed));
}

#[test]
fn kubectl_prints_of_every_good_manifest_what_is_written_beside_it() {
    let printed = |it: &Good| (format!("good/{}.txt", it.manifest.name), it.guarded.to_string());
    assert_as_expected(outcome().good.iter().map(printed));
}

#[test]
fn of_every_good_manifest_the_object_beside_it_is_stored_in_the_end() {
    let stored = |it: &Good| (format!("good/{}.stored.yaml", it.manifest.name), it.stored.clone());
    assert_as_expected(outcome().good.iter().map(stored));
}

#[test]
fn a_bad_manifest_is_denied_and_a_good_one_is_not() {
    for bad in &outcome().bad {
        assert!(!bad.guarded.accepted(), "{}: {}", bad.manifest.name, bad.guarded);
    }
    for good in &outcome().good {
        assert!(good.guarded.accepted(), "{}: {}", good.manifest.name, good.guarded);
    }
}

#[test]
fn what_is_denied_leaves_no_trace_in_the_store() {
    let outcome = outcome();
    assert!(outcome.before["items"].as_array().is_some_and(|it| !it.is_empty()));
    assert_eq!(outcome.before["items"], outcome.after["items"]);
}

#[test]
fn a_trusted_writer_is_denied_nothing() {
    numbers::record("refusals of trusted writers", outcome().refusals_of_trusted);
    assert_eq!(outcome().refusals_of_trusted, 0);
}

#[test]
fn everything_bad_that_the_crd_accepts_is_denied_by_a_rule() {
    for bad in outcome().bad.iter().filter(|it| it.crd_only.accepted()) {
        assert!(!bad.guarded.findings().is_empty(), "{}: {}", bad.manifest.name, bad.guarded);
    }
}

#[test]
fn every_rule_that_denies_refuses_a_manifest() {
    // The schema asks for id and podref before a validating webhook is called.
    let speaks_first = ["IPP209"];
    let said: Vec<_> = outcome().bad.iter().flat_map(|it| it.guarded.findings()).collect();
    let refused = |id: &str| said.iter().any(|it| !it.starts_with("Warning: ") && it.contains(id));
    for rule in kinds::rules().filter(|rule| rule.severity == Severity::Deny) {
        assert_eq!(refused(rule.id), !speaks_first.contains(&rule.id), "{}", rule.id);
    }
}

#[test]
fn every_command_of_kubectl_is_denied_something() {
    let verbs: BTreeSet<_> = outcome().bad.iter().map(|it| it.manifest.verb.as_str()).collect();
    let all =
        ["apply", "apply-server-side", "create", "dry-run", "edit", "patch-json", "patch-merge", "replace"];
    assert_eq!(verbs, all.into_iter().chain(["strict"]).collect());
}

#[test]
fn every_expectation_belongs_to_a_manifest() {
    let outcome = outcome();
    let bad = outcome.bad.iter().map(|it| format!("bad/{}", it.manifest.name));
    let good = outcome.good.iter().map(|it| format!("good/{}", it.manifest.name));
    let known: BTreeSet<_> = bad.chain(good).collect();
    for kind in ["bad", "good"] {
        for entry in std::fs::read_dir(folder(kind)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let stem = [".stored.yaml", ".yaml", ".txt"].iter().find_map(|suffix| name.strip_suffix(suffix));
            assert!(stem.is_some_and(|it| known.contains(&format!("{kind}/{it}"))), "{kind}/{name}");
        }
    }
}

#[test]
fn there_are_at_least_sixty_manifests() {
    let count = outcome().bad.len() + outcome().good.len();
    numbers::record("manifests", count);
    assert!(count >= 60, "{count}");
}
