//! The invariants of `src/lib.rs` that can be read from the sources, and the list of rules.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ippool_webhook::kinds;

/// The modules from the bottom up: each uses only those before it (invariant 2).
const LAYERS: [&str; 16] = [
    "text",
    "json",
    "finding",
    "kinds",
    "policy",
    "review",
    "admission",
    "policy_file",
    "output",
    "check",
    "pki",
    "server",
    "kube_client",
    "certs",
    "audit",
    "cli",
];

/// The modules of the core, which do no I/O.
const CORE: usize = 7;

const MAX_FILE_LINES: usize = 300;

fn sources() -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    files.sort();
    let module = |path: &PathBuf| {
        let first = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    };
    files.into_iter().map(|path| (module(&path), path)).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// The code of a file, without its comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// The modules that a file names as `crate::module`, also in `use crate::{a, b::c}`.
fn uses(path: &Path) -> BTreeSet<String> {
    let code = code(path);
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => named.extend(top_level(list).into_iter().map(first_name)),
            None => drop(named.insert(first_name(rest))),
        }
    }
    named.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The parts of a list in braces that commas separate outside of inner braces.
fn top_level(list: &str) -> Vec<&str> {
    let mut depth = 1;
    let end = list.find(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    });
    let mut depth = 0;
    let separates = |c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    };
    list[..end.unwrap()].split(separates).map(str::trim).collect()
}

fn first_name(path: &str) -> String {
    path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned()
}

#[test]
fn a_use_in_braces_names_each_module() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "use crate::{a, b::{c, d}, e::f};\nuse crate::g::h; // crate::i").unwrap();
    assert_eq!(uses(file.path()).into_iter().collect::<Vec<_>>(), ["a", "b", "e", "g"]);
}

#[test]
fn a_module_uses_only_modules_below_it() {
    for (module, path) in sources() {
        // A unit test may see more than what it tests.
        if ["lib", "main"].contains(&module.as_str()) || path.ends_with("tests.rs") {
            continue;
        }
        let layer = LAYERS.iter().position(|it| *it == module);
        let layer = layer.unwrap_or_else(|| panic!("{} is in no layer", path.display()));
        for used in uses(&path) {
            let below = LAYERS.iter().position(|it| *it == used);
            assert!(below.is_some_and(|it| it <= layer), "{} uses {used}, which is above it", path.display());
        }
    }
}

#[test]
fn the_core_does_no_io() {
    let outside = ["tokio", "axum", "hyper", "rustls", "kube", "tracing", "clap"];
    let io = ["std::fs", "std::net::Tcp", "std::env", "std::time", "std::thread", "std::process", "println!"];
    for (module, path) in sources() {
        if !LAYERS[..CORE].contains(&module.as_str()) {
            continue;
        }
        let code = code(&path);
        for name in outside {
            assert!(!code.contains(&format!("{name}::")), "{} names {name}", path.display());
        }
        for name in io {
            assert!(!code.contains(name), "{} names {name}", path.display());
        }
    }
}

#[test]
fn no_file_is_longer_than_300_lines() {
    for (_, path) in sources() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MAX_FILE_LINES, "{}: {lines} lines", path.display());
    }
}

#[test]
fn the_rules_are_in_order_and_no_id_or_name_is_there_twice() {
    let ids: Vec<_> = kinds::rules().map(|rule| rule.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let names: BTreeSet<_> = kinds::rules().map(|rule| rule.name).collect();
    assert_eq!(names.len(), ids.len());
}

#[test]
fn ids_and_names_have_one_form() {
    for rule in kinds::rules() {
        let digits = rule.id.strip_prefix("IPP").unwrap();
        assert!(digits.len() == 3 && digits.bytes().all(|it| it.is_ascii_digit()), "{}", rule.id);
        assert!(rule.name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-'), "{}", rule.name);
        assert!(
            !rule.name.starts_with("no-") && !rule.name.starts_with("must-"),
            "{}: names the defect",
            rule.name
        );
        assert!(rule.summary.len() <= 90 && !rule.summary.ends_with('.'), "{}", rule.summary);
        assert_eq!(rule.is_only_for_audit(), rule.id.starts_with("IPP5"), "{}", rule.id);
    }
}

#[test]
fn the_readme_and_each_page_say_what_a_rule_is() {
    // Another test may be writing the table just now.
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        return;
    }
    let readme = std::fs::read_to_string("README.md").unwrap();
    for rule in kinds::rules() {
        let on: Vec<_> = rule.operations.iter().map(|it| &it.as_str()[..1]).collect();
        let on = if rule.is_only_for_audit() { "A".to_owned() } else { on.join(" ") };
        let severity = rule.severity.as_str();
        let default =
            if rule.normalized { format!("normalize, else {severity}") } else { severity.to_owned() };
        let row = format!("| {} | {} | {on} | {default} | {} |\n", rule.id, rule.name, rule.summary);
        assert!(readme.contains(&row), "{row}");
        assert!(rule.page.starts_with(&format!("# {} {}\n", rule.id, rule.name)), "{}", rule.id);
    }
    let rows = readme.lines().filter(|line| line.starts_with("| IPP")).count();
    assert_eq!(rows, kinds::rules().len());
}

#[cfg(feature = "serve")]
#[test]
fn the_table_in_the_readme_is_the_one_the_program_prints() {
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_ippool-webhook"));
    let printed = { program }.args(["rules", "--format", "markdown"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let readme = std::fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once("compared by a test -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- /rules -->").unwrap();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        let readme = format!("{before}compared by a test -->\n{printed}<!-- /rules -->{after}");
        std::fs::write("README.md", readme).unwrap();
        return;
    }
    assert_eq!(table, printed, "`make rules` writes it anew");
}

#[cfg(feature = "serve")]
#[test]
fn the_report_in_the_readme_is_what_the_program_prints() {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_ippool-webhook"));
    let report = program.current_dir("tests/fixtures/readme").args(["check", "pool.yaml"]).output().unwrap();
    assert_eq!(report.status.code(), Some(1));
    let report = String::from_utf8(report.stdout).unwrap();
    let readme = std::fs::read_to_string("README.md").unwrap();
    assert!(readme.contains(&format!("$ ippool-webhook check pool.yaml\n{report}```\n")), "{report}");
}

#[test]
fn no_feature_names_a_development_dependency() {
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
    let section =
        |name: &str| manifest.split(&format!("\n[{name}]\n")).nth(1).unwrap().split("\n[").next().unwrap();
    let development = section("dev-dependencies").lines().filter_map(|line| line.split_once(" = "));
    let names: Vec<_> = development.map(|(name, _)| name).collect();
    assert!(names.contains(&"testkit"), "{names:?}");
    let named = |name: &&&str| section("features").contains(&format!("\"{name}/"));
    assert_eq!(names.iter().find(named), None, "`cargo install` drops these and then fails");
}

/// A path without `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in path {
        if part == ".." {
            resolved.pop();
        } else {
            resolved.push(part);
        }
    }
    resolved
}

#[test]
fn what_the_source_includes_is_sent_to_the_build_of_the_image() {
    let ignore = std::fs::read_to_string(".dockerignore").unwrap();
    let sent: Vec<_> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut included = 0;
    for (_, path) in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        for file in text.split("include_str!(\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let file = resolved(&path.parent().unwrap().join(file));
            assert!(sent.iter().any(|it| file.starts_with(it)), "{} is not in .dockerignore", file.display());
            included += 1;
        }
    }
    assert!(included > 40, "{included}");
}
