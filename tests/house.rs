//! The laws of the house that can be tested, read off the sources.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ippool_webhook::report::{Denial, Operation, Severity};
use ippool_webhook::rules;

/// The modules from the foundation up: a file uses only the files below it (law 7).
const PLAN: [&str; 20] = [
    "text",
    "range",
    "pool",
    "path",
    "report",
    "rules",
    "policy",
    "normalize",
    "review",
    "admission",
    "ippool",
    "policy_file",
    "catalogue",
    "output",
    "check",
    "pki",
    "server",
    "cluster",
    "certs",
    "cli",
];

/// The modules of the core, which do no I/O.
const CORE: usize = 10;

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

/// The modules a file names as `crate::module`.
fn uses(path: &Path) -> BTreeSet<String> {
    let code = code(path);
    let named =
        |part: &str| part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
    code.split("crate::").skip(1).map(named).filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_file_uses_only_the_files_below_it() {
    for (module, path) in sources() {
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let floor = PLAN.iter().position(|it| *it == module);
        let floor = floor.unwrap_or_else(|| panic!("{} has no place in the plan", path.display()));
        for used in uses(&path) {
            let below = PLAN.iter().position(|it| *it == used);
            assert!(below.is_some_and(|it| it <= floor), "{} uses {used}, which is above it", path.display());
        }
    }
}

#[test]
fn the_core_does_no_io() {
    let outside = ["tokio", "axum", "hyper", "rustls", "kube", "tracing", "clap"];
    let io = ["std::fs", "std::net::Tcp", "std::env", "std::time", "std::thread", "std::process", "println!"];
    for (module, path) in sources() {
        if !PLAN[..CORE].contains(&module.as_str()) {
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
fn only_the_door_serialises() {
    // Severity is written by the reports of `check`, IPPool is a wire type of its own.
    let allowed = ["admission", "report", "ippool", "output", "check", "catalogue", "server"];
    for (module, path) in sources() {
        let derives =
            code(&path).contains("Serialize") && code(&path).replace("Deserialize", "").contains("Serialize");
        assert!(!derives || allowed.contains(&module.as_str()), "{} serialises", path.display());
    }
}

#[test]
fn files_stay_small_enough_to_read_at_once() {
    for (_, path) in sources() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MAX_FILE_LINES, "{}: {lines} lines", path.display());
    }
}

#[test]
fn the_list_of_rules_is_in_order_and_each_id_and_name_stands_once() {
    let ids: Vec<_> = rules::catalogue().map(|rule| rule.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let names: BTreeSet<_> = rules::catalogue().map(|rule| rule.name).collect();
    assert_eq!(names.len(), ids.len());
    assert_eq!(ids.len(), 27);
}

#[test]
fn ids_and_names_have_one_form() {
    for rule in rules::catalogue() {
        let digits = rule.id.strip_prefix("IPP").unwrap();
        assert!(digits.len() == 3 && digits.bytes().all(|it| it.is_ascii_digit()), "{}", rule.id);
        assert!(rule.name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-'), "{}", rule.name);
        assert!(
            !rule.name.starts_with("no-") && !rule.name.starts_with("must-"),
            "{}: names the defect",
            rule.name
        );
        assert!(rule.summary.len() <= 90 && !rule.summary.ends_with('.'), "{}", rule.summary);
        assert!(!rule.on.is_empty(), "{}", rule.id);
    }
}

#[test]
fn a_rule_is_found_by_id_and_by_name_in_any_case() {
    for rule in rules::catalogue() {
        for key in [rule.id, rule.name, &rule.id.to_lowercase(), &rule.name.to_uppercase()] {
            assert_eq!(rules::find(key).unwrap().id, rule.id);
        }
    }
    assert!(rules::find("IPP999").is_none());
}

#[test]
fn severities_and_operations_are_those_of_the_contract() {
    use Operation::{Create, Delete, Update};
    let on_create_alone = ["IPP105", "IPP107"];
    let on_update_alone = ["IPP301", "IPP302", "IPP303"];
    let warns = [
        "IPP103", "IPP105", "IPP107", "IPP208", "IPP211", "IPP212", "IPP213", "IPP214", "IPP215", "IPP302",
        "IPP303", "IPP601",
    ];
    for rule in rules::catalogue() {
        let expected: &[Operation] = match rule.id {
            id if on_create_alone.contains(&id) => &[Create],
            id if on_update_alone.contains(&id) => &[Update],
            "IPP601" => &[Delete],
            _ => &[Create, Update],
        };
        assert_eq!(rule.on, expected, "{}", rule.id);
        let severity = if warns.contains(&rule.id) { Severity::Warn } else { Severity::Deny };
        assert_eq!(rule.severity, severity, "{}", rule.id);
        assert_eq!(rule.normalized, ["IPP103", "IPP104"].contains(&rule.id), "{}", rule.id);
        let denial = match rule.id {
            "IPP301" => "always",
            "IPP302" | "IPP601" => "never",
            _ => "when enforced",
        };
        assert_eq!(named(rule.denial), denial, "{}", rule.id);
    }
}

fn named(denial: Denial) -> &'static str {
    match denial {
        Denial::Always => "always",
        Denial::Never(_) => "never",
        Denial::WhenEnforced => "when enforced",
    }
}

#[cfg(feature = "serve")]
#[test]
fn the_table_in_the_readme_is_the_one_the_program_prints() {
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_ippool-webhook"));
    let printed = { program }.args(["rules", "--format", "markdown"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let readme = std::fs::read_to_string("README.md").unwrap();
    let table =
        readme.split("compared by a test -->\n").nth(1).unwrap().split("<!-- /rules -->").next().unwrap();
    assert_eq!(table, printed, "run `ippool-webhook rules --format markdown` and put it into README.md");
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
