//! Every page is executed: its example raises exactly its rule, its remedy raises nothing. A rule of the webhook checks the
//! objects as a request, a rule across objects as a dump.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]
#![cfg(feature = "serve")]

use ippool_webhook::finding::{Operation, RuleInfo};
use ippool_webhook::kinds;
use ippool_webhook::kinds::ippool::{IpPool, Pool};
use ippool_webhook::policy::Policy;
use ippool_webhook::review::{Request, review};
use serde_json::Value;
use testkit::pages::{fill, section};

const HEADINGS: [&str; 5] =
    ["What it finds", "Why it matters", "Example", "Instead", "How to repair a live pool"];

/// What the one `yaml` fence in `text` says after `yaml`, and what is in it.
fn fence(text: &str) -> (&str, &str) {
    let fences: Vec<_> = text.split("```yaml").skip(1).collect();
    assert_eq!(fences.len(), 1, "one yaml fence in {text}");
    let (tag, rest) = fences[0].split_once('\n').unwrap();
    (tag, rest.split("```").next().unwrap())
}

/// The manifests of the one `yaml` fence in `text`.
fn manifests(text: &str) -> Vec<Value> {
    let (tag, yaml) = fence(text);
    let mut objects: Vec<Value> =
        yaml.split("\n---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    if let Some(count) = tag.trim().strip_prefix("generate=") {
        fill(objects.last_mut().unwrap(), count.parse().unwrap());
    }
    objects
}

/// The ids of the rules that speak when a person writes the manifests of `text`: one object is created (or deleted, where
/// the rule is about that), two are the old and the new of an update. A rule across objects audits them.
fn spoken(rule: &RuleInfo, text: &str) -> Vec<String> {
    let mut ids =
        if rule.is_only_for_audit() { audited(fence(text).1) } else { reviewed(rule, &manifests(text)) };
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The ids of the rules that find something in a dump of these objects.
fn audited(objects: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.yaml");
    std::fs::write(&dump, objects).unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_ippool-webhook"));
    let run = program.args(["audit", "--format=json", "--from"]).arg(&dump).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    report["findings"].as_array().unwrap().iter().map(|it| it["rule"].as_str().unwrap().to_owned()).collect()
}

fn reviewed(rule: &RuleInfo, manifests: &[Value]) -> Vec<String> {
    let texts: Vec<_> = manifests.iter().map(ToString::to_string).collect();
    let mut pools: Vec<_> = texts.iter().map(|text| Some(Pool::parse(text).unwrap())).collect();
    let (operation, old, new) = match pools.as_mut_slice() {
        [old, new] => (Operation::Update, old.take(), new.take()),
        [old] if rule.operations == [Operation::Delete] => (Operation::Delete, old.take(), None),
        [new] => (Operation::Create, None, new.take()),
        _ => panic!("one or two manifests, not {}", manifests.len()),
    };
    let request = Request::<IpPool> { operation, username: "admin", object: new, old_object: old };
    let verdict = review(&request, &Policy::default());
    verdict.counts.iter().map(|count| count.rule.id.to_owned()).collect()
}

#[test]
fn every_example_raises_exactly_its_rule() {
    for rule in kinds::rules() {
        let expected = match rule.id {
            // Of two keys that are one offset, one is always spelled in another way.
            "IPP204" => vec!["IPP203", "IPP204"],
            // Two pools that hold one address have it in common.
            "IPP502" => vec!["IPP501", "IPP502"],
            id => vec![id],
        };
        assert_eq!(spoken(rule, section(rule.page, "Example")), expected, "{}", rule.id);
    }
}

#[test]
fn every_remedy_is_clean() {
    for rule in kinds::rules() {
        let none: [&str; 0] = [];
        assert_eq!(spoken(rule, section(rule.page, "Instead")), none, "{}", rule.id);
    }
}

#[test]
fn every_page_has_the_headings_in_order_and_its_rule_as_title() {
    for rule in kinds::rules() {
        let found: Vec<_> = rule.page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(found, HEADINGS, "{}", rule.id);
        assert_eq!(rule.page.lines().next(), Some(format!("# {} {}", rule.id, rule.name).as_str()));
    }
}

#[test]
fn every_page_belongs_to_a_rule() {
    let names: Vec<_> = kinds::rules().map(|rule| format!("{}-{}.md", rule.id, rule.name)).collect();
    let mut files: Vec<_> = std::fs::read_dir("src/kinds/ippool/rules")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .collect();
    files.sort();
    assert_eq!(files, names);
}
