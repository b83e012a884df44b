//! `docs/gitops-and-restore.md`: its offline examples are executed, and what kubectl prints in its sessions is what the
//! webhook answers. `UPDATE_EXPECTED=1 cargo test --test docs` writes the output of the offline examples anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]
#![cfg(feature = "serve")]

use std::path::Path;
use std::process::Command;

use ippool_webhook::admission::Endpoint;
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};
use testkit::pages::{fences, pages, shown};
use testkit::review::{PERSON, ask_under, causes, mutated, review, warnings};

const PAGE: &str = "docs/gitops-and-restore.md";

fn page() -> String {
    std::fs::read_to_string(PAGE).unwrap()
}

fn object(page: &str, name: &str) -> Value {
    serde_saphyr::from_str(shown(page, name)).unwrap()
}

/// A folder with the files that the page shows.
fn folder(page: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for fence in fences(page) {
        if let Some(name) = fence.info.strip_prefix("yaml ") {
            std::fs::write(folder.path().join(name), format!("{}\n", fence.text)).unwrap();
        }
    }
    folder
}

/// What a shell prints that finds the program by its name.
fn run(command: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_ippool-webhook")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", command]).env("PATH", path).current_dir(folder).output().unwrap();
    assert!(output.stderr.is_empty(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let denied = printed.lines().any(|line| line.starts_with("error["));
    assert_eq!(output.status.code(), Some(i32::from(denied)), "{command}");
    printed
}

/// A session with every command executed in `folder`.
fn executed(session: &str, folder: &Path) -> String {
    let commands = session.lines().filter_map(|line| line.strip_prefix("$ "));
    commands.map(|command| format!("$ {command}\n{}", run(command, folder))).collect()
}

#[test]
fn the_offline_examples_print_what_the_page_says() {
    let page = page();
    let folder = folder(&page);
    let mut written = page.clone();
    let mut sessions = 0;
    for fence in fences(&page) {
        if fence.info == "console" && fence.text.starts_with("$ ippool-webhook ") {
            let printed = executed(fence.text, folder.path());
            written = written.replacen(&format!("{}\n```", fence.text), &format!("{printed}```"), 1);
            sessions += 1;
        }
    }
    assert!(sessions >= 4, "{sessions}");
    if std::env::var_os("UPDATE_EXPECTED").is_some() && written != page {
        return std::fs::write(PAGE, written).unwrap();
    }
    assert_eq!(page, written, "run again with UPDATE_EXPECTED=1");
    let patched = std::fs::read_to_string(folder.path().join("pool.yaml")).unwrap();
    assert_eq!(patched.trim_end(), shown(&page, "corrected.yaml"));
}

/// What kubectl prints of a request, but for its last line where that succeeds. Null means that the object is absent.
fn printed(policy: &Policy, old: &Value, new: &Value) -> String {
    let operation = match (old.is_null(), new.is_null()) {
        (true, _) => "CREATE",
        (_, true) => "DELETE",
        _ => "UPDATE",
    };
    let mut said = Vec::new();
    let mut stored = new.clone();
    if operation != "DELETE" {
        let request = review(operation, PERSON, new, old);
        said.extend(warnings(&ask_under(policy, Endpoint::Mutate, &request)));
        stored = mutated(&request);
    }
    let response = ask_under(policy, Endpoint::Validate, &review(operation, PERSON, &stored, old));
    said.extend(warnings(&response));
    let mut lines: Vec<_> = said.iter().map(|it| format!("Warning: {it}\n")).collect();
    if response["allowed"] == false {
        let [cause] = causes(&response).try_into().unwrap_or_else(|it| panic!("one cause, not {it:?}"));
        lines.push(format!("The IPPool {} is invalid: {cause}\n", new["metadata"]["name"]));
    }
    lines.concat()
}

/// The same pool with these pods at these offsets.
fn with_pods(mut pool: Value, range: &str, pods: &[(&str, &str)]) -> Value {
    let entry = |podref: &str| json!({ "id": "6f0e7d1c2b3a", "ifname": "net1", "podref": podref });
    let entries = pods.iter().map(|(offset, podref)| ((*offset).to_owned(), entry(podref)));
    pool["spec"] = json!({ "range": range, "allocations": Value::Object(entries.collect()) });
    pool
}

/// What apply sends for a manifest beside the entries that are stored.
fn applied(stored: &Value, manifest: &Value) -> Value {
    let mut merged = stored.clone();
    json_patch::merge(&mut merged["spec"], &manifest["spec"]);
    merged
}

#[test]
fn what_kubectl_prints_of_a_write_is_what_the_webhook_answers() {
    let page = page();
    let [pool, corrected, empty] =
        ["pool.yaml", "corrected.yaml", "empty.yaml"].map(|name| object(&page, name));
    let deny = Policy::default();
    let warn: Policy = serde_json::from_value(json!({ "enforcement": "warn" })).unwrap();
    let network = |pods: &[(&str, &str)]| with_pods(pool.clone(), "192.168.2.224/28", pods);
    let taken = network(&[("2", "default/web-1")]);
    let forced = |stored: &Value| applied(stored, &pool);
    let first = network(&[("1", "default/web-1")]);
    for (session, policy, old, new) in [
        ("kubectl apply -f pool.yaml", &deny, Value::Null, pool.clone()),
        ("kubectl apply -f corrected.yaml", &deny, Value::Null, corrected.clone()),
        ("kubectl apply -f empty.yaml", &deny, Value::Null, empty.clone()),
        ("kubectl diff -f empty.yaml", &deny, first.clone(), applied(&first, &empty)),
        ("kubectl apply -f corrected.yaml", &deny, taken.clone(), applied(&taken, &corrected)),
        ("kubectl apply --server-side --force-conflicts -f pool.yaml", &warn, first.clone(), forced(&first)),
    ] {
        let text = format!("$ {session}\n{}", printed(policy, &old, &new));
        assert!(page.contains(&text), "{text}");
    }
}

#[test]
fn what_kubectl_prints_of_a_delete_is_what_the_webhook_answers() {
    let page = page();
    let pool = object(&page, "pool.yaml");
    let mut pruned =
        with_pods(pool.clone(), "10.0.9.0/24", &[("1", "default/web-1"), ("2", "default/web-2")]);
    pruned["metadata"]["name"] = json!("10.0.9.0-24");
    let replaced = with_pods(pool, "192.168.2.224/28", &[("1", "default/web-1"), ("3", "default/web-3")]);
    for deleted in [pruned, replaced] {
        let text = printed(&Policy::default(), &deleted, &Value::Null);
        assert!(page.contains(&text), "{text}");
    }
}

#[test]
fn the_repaired_dump_replaces_the_pool_without_a_word() {
    let page = page();
    let folder = folder(&page);
    run("ippool-webhook check --diff --fail-on=never dump.yaml >the.patch", folder.path());
    run("patch -p1 <the.patch >patched", folder.path());
    let repaired = std::fs::read_to_string(folder.path().join("dump.yaml")).unwrap();
    let repaired: Value = serde_saphyr::from_str(&repaired).unwrap();
    let stored = object(&page, "dump.yaml");
    assert_ne!(repaired, stored);
    assert_eq!(printed(&Policy::default(), &stored, &repaired), "");
}

/// Where the links of a page lead that are not to another site.
fn links(page: &str) -> Vec<&str> {
    let links = page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    links.filter(|link| !link.contains("://")).collect()
}

/// The anchor that GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let pages = pages();
    assert!(pages.iter().any(|it| it.ends_with(PAGE)), "{pages:?}");
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = page.parent().unwrap().join(path);
            let target = if path.is_empty() { page.clone() } else { target };
            assert!(target.exists(), "{}: {link}", page.display());
            if !heading.is_empty() {
                let text = std::fs::read_to_string(target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let found = headings.any(|it| anchor(it.trim_start_matches('#').trim_start()) == heading);
                assert!(found, "{}: {link}", page.display());
            }
        }
    }
}
