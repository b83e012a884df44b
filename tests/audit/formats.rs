//! The formats of a report, and the exit codes.

use std::fs;

use serde_json::{Value, json};

use crate::cli_support::{Run, assert_expected, program};
use crate::objects::{audit, audit_with, entry, pod, pool, pool_of, reservation, reserved, with};

/// Two pools with findings, and one without.
fn dump() -> String {
    let objects = [
        pool_of(&[("1", entry("default/web-0")), ("2", entry("default/gone")), ("3", reserved())]),
        pool("10.0.9.0-25", "10.0.9.0/25", &[("1", entry("default/web-1"))]),
        pool("fd00---64", "fd00::/64", &[("1", entry("default/web-0"))]),
        pod("default/web-0", &["10.0.9.1", "fd00::1"]),
        pod("default/web-1", &["10.0.9.1"]),
        reservation("10.0.9.1", "default/web-0"),
    ];
    json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()
}

fn run(arguments: &[&str]) -> Run {
    program(&[&["audit", "--from=-"], arguments].concat()).stdin(dump()).run()
}

#[test]
fn the_text_has_a_line_for_each_pool_then_findings_then_a_summary() {
    let run = run(&[]);
    assert_expected("audit.txt", &run.stdout);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_json_has_pools_findings_and_what_was_not_done() {
    assert_expected("audit.json", &run(&["--format=json"]).stdout);
}

#[test]
fn the_markdown_has_tables() {
    assert_expected("audit.md", &run(&["--format=markdown"]).stdout);
}

#[test]
fn the_sarif_has_an_object_in_place_of_a_file() {
    let log: Value = serde_json::from_str(&run(&["--format=sarif"]).stdout).unwrap();
    let run = &log["runs"][0];
    let result = run["results"].as_array().unwrap().iter().find(|it| it["ruleId"] == "IPP504").unwrap();
    assert_eq!(
        result["locations"],
        json!([{
            "physicalLocation": {
                "artifactLocation": { "uri": "IPPool/kube-system/10.0.9.0-24" },
                "region": { "startLine": 1 },
            },
            "logicalLocations": [{
                "kind": "object",
                "fullyQualifiedName": "kube-system/10.0.9.0-24/spec.allocations[2].podref",
            }],
        }])
    );
    let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
    assert_eq!((&rule["id"], &rule["name"]), (&json!("IPP504"), &json!("owner-gone")));
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], true);
    let notes = invocation["toolExecutionNotifications"].as_array().unwrap();
    assert!(
        notes
            .iter()
            .any(|it| it["message"]["text"] == "IPP506, IPP508: the dump has no NetworkAttachmentDefinition")
    );
}

#[test]
fn the_report_goes_into_a_file_where_one_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        program(&["audit", "--from=-", "--output=report.txt"]).in_dir(folder.path()).stdin(dump()).run();
    assert_eq!((run.stdout.as_str(), run.code), ("", Some(0)));
    assert_expected("audit.txt", &fs::read_to_string(folder.path().join("report.txt")).unwrap());
    let nowhere =
        program(&["audit", "--from=-", "--output=no/report.txt"]).in_dir(folder.path()).stdin(dump()).run();
    assert!(nowhere.stderr.starts_with("error: --output no/report.txt: "), "{}", nowhere.stderr);
    assert_eq!(nowhere.code, Some(2));
}

#[test]
fn the_exit_code_is_that_of_the_lowest_severity_that_fails() {
    let leak = [pool_of(&[("1", entry("default/gone"))]), pod("default/web-0", &[])];
    assert_eq!(audit(&leak).code, Some(0));
    assert_eq!(audit_with(&leak, &["--fail-on=warn"]).code, Some(1));
    let broken = [with(pool_of(&[]), "/spec/range", json!("x"))];
    assert_eq!(audit(&broken).code, Some(1));
    assert_eq!(audit_with(&broken, &["--fail-on=never"]).code, Some(0));
}

#[test]
fn the_policy_sets_the_severity_of_rules_across_objects() {
    let folder = tempfile::tempdir().unwrap();
    let policy = |text: &str| {
        let path = folder.path().join("policy.yaml");
        fs::write(&path, text).unwrap();
        format!("--policy={}", path.display())
    };
    let leak = [pool_of(&[("1", entry("default/gone"))]), pod("default/web-0", &[])];
    let denied = audit_with(&leak, &[&policy("rules: {owner-gone: deny}")]);
    assert_eq!((denied.report["findings"][0]["severity"].clone(), denied.code), (json!("deny"), Some(1)));
    let off = audit_with(&leak, &[&policy("rules: {IPP504: \"off\"}")]);
    assert_eq!(off.found(), crate::objects::NONE);
    assert_eq!(off.report["pools"][0]["leaked"], 1, "what is leaked is counted all the same");
}

#[test]
fn foreign_text_is_printed_harmlessly() {
    let hostile = "10.0.9.0-24\u{1b}[31m\u{202e}\n| <script>";
    let pool = with(pool_of(&[("1", entry("a/\u{7}`b`"))]), "/metadata/name", json!(hostile));
    let dump = json!({ "apiVersion": "v1", "kind": "List", "items": [pool] }).to_string();
    for format in ["text", "markdown", "html", "sarif", "json"] {
        let run = program(&["audit", "--from=-", "--format", format]).stdin(dump.clone()).run();
        for c in ['\u{1b}', '\u{7}'] {
            assert!(!run.stdout.contains(c), "{format}: {}", run.stdout);
        }
        if !matches!(format, "sarif" | "json") {
            assert!(!run.stdout.contains('\u{202e}'), "{format}");
        }
    }
    let run = program(&["audit", "--from=-", "--format=markdown"]).stdin(dump).run();
    assert!(run.stdout.contains(r"\| \<script\>"), "{}", run.stdout);
}

#[test]
fn flags_of_a_cluster_and_of_a_dump_exclude_each_other() {
    for flag in ["--context=c", "-n=default", "-A", "--kubeconfig=x"] {
        let run = program(&["audit", "--from=-", flag]).run();
        assert_eq!(run.code, Some(2), "{flag}");
        assert!(run.stderr.contains("cannot be used with"), "{flag}: {}", run.stderr);
    }
}
