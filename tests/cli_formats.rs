//! `check --format` and `check --diff`.
#![cfg(feature = "serve")]

mod cli_support;

use std::fs;
use std::process::Command;

use cli_support::{assert_expected, manifests, program, run};
use serde_json::Value;

#[test]
fn github_output_is_workflow_commands() {
    let run = run(&["check", "--format=github", "pools/broken.yaml"]);
    assert_expected("broken.github", &run.stdout);
    assert_eq!(run.code, Some(1));
}

#[test]
fn characters_that_end_a_workflow_command_are_escaped() {
    let directory = tempfile::tempdir().unwrap();
    let pool = fs::read_to_string(manifests().join("host-bits.yaml")).unwrap().replace("kube-system", "100%");
    fs::write(directory.path().join("a,b:c.yaml"), pool).unwrap();
    let run = program(&["check", "--format=github", "."]).in_dir(directory.path()).run();
    assert!(run.stdout.starts_with("::error file=a%2Cb%3Ac.yaml,line=7,col=10,"), "{}", run.stdout);
    assert!(run.stdout.contains("::100%25/10.0.0.0-24: spec.range: "), "{}", run.stdout);
}

#[test]
fn errors_are_workflow_commands_as_well() {
    let run = run(&["check", "--format=github", "no-such.yaml"]);
    let command = "::error file=no-such.yaml,title=not checked::no-such.yaml: cannot be read: ";
    assert!(run.stdout.starts_with(command), "{}", run.stdout);
    assert_eq!(run.code, Some(2));
    let unparsable = program(&["check", "-", "--format=github"]).stdin("a: 1\na: 2\n").run();
    let command = "::error file=<stdin>,line=2,title=not checked::<stdin>:2: cannot be parsed: the key ";
    assert!(unparsable.stdout.starts_with(command), "{}", unparsable.stdout);
}

#[test]
fn sarif_results_have_rule_and_line() {
    let run = run(&["check", "--format=sarif", "pools/broken.yaml"]);
    let log: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let results = serde_json::to_string_pretty(&log["runs"][0]["results"]).unwrap();
    assert_expected("broken.sarif-results", &(results + "\n"));
    assert_eq!(run.code, Some(1));
}

#[test]
fn sarif_describes_every_rule() {
    let log: Value = serde_json::from_str(&run(&["check", "--format=sarif", "pools"]).stdout).unwrap();
    let described = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<_> = described.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ippool_webhook::kinds::rules().map(|rule| rule.id).collect::<Vec<_>>());
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], described[index]["id"]);
    }
}

#[test]
fn sarif_reports_what_was_not_checked() {
    let log: Value = serde_json::from_str(&run(&["check", "--format=sarif", "no such.yaml"]).stdout).unwrap();
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let text = invocation["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(text.starts_with("no such.yaml: cannot be read: "), "{text}");
    let place = &invocation["toolExecutionNotifications"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "no%20such.yaml");
}

#[test]
fn sarif_uris_are_percent_encoded() {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(manifests().join("host-bits.yaml"), directory.path().join("a b#ü.yaml")).unwrap();
    let run = program(&["check", "--format=sarif", "."]).in_dir(directory.path()).run();
    assert!(run.stdout.contains(r#""uri": "a%20b%23%C3%BC.yaml""#), "{}", run.stdout);
}

#[test]
fn json_without_findings_is_one_object() {
    let run = run(&["check", "--format=json", "pools/clean.yaml"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report, serde_json::json!({ "files": 1, "objects": 1, "findings": [] }));
}

#[test]
fn the_diff_keeps_comments() {
    let run = run(&["check", "--diff", "host-bits.yaml"]);
    assert_expected("host-bits.txt", &run.stdout);
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_diff_without_findings_has_exit_code_0() {
    let input = fs::read_to_string(manifests().join("pools/clean.yaml")).unwrap();
    let non_canonical = input.replace("fd00:10::/64", "FD00:10:0::/64");
    let run = program(&["check", "-", "--diff"]).stdin(non_canonical).run();
    assert!(run.stdout.contains("\n-  range: FD00:10:0::/64\n+  range: fd00:10::/64\n"), "{}", run.stdout);
    assert_eq!(run.code, Some(0));
}

#[test]
fn the_diff_can_be_set_by_the_environment() {
    let with = |value: &str| program(&["check", "host-bits.yaml"]).env("IPPOOL_WEBHOOK_DIFF", value).run();
    assert!(with("true").stdout.contains("+++ b/host-bits.yaml"));
    assert!(!with("false").stdout.contains("+++"));
}

#[test]
fn git_applies_the_diff_and_the_result_is_canonical() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("host-bits.yaml");
    fs::copy(manifests().join("host-bits.yaml"), &file).unwrap();
    let diff = program(&["check", "--diff", "."]).in_dir(directory.path()).run().stdout;
    let patch = directory.path().join("the.patch");
    fs::write(&patch, diff).unwrap();
    let git = Command::new("git").args(["apply", "-p1"]).arg(&patch).current_dir(directory.path()).status();
    assert!(git.expect("this test applies the diff with git, which is not installed").success());
    let again = program(&["check", "--diff", "--fail-on=warn", "."]).in_dir(directory.path()).run();
    assert_eq!(again.stdout, "checked 1 IPPool in 1 file: no findings\n");
    assert!(fs::read_to_string(&file).unwrap().contains("13: {id: 5f1c"));
}

#[test]
fn text_shared_by_two_objects_is_not_edited() {
    let run = run(&["check", "--diff", "aliased.yaml"]);
    assert_expected("aliased.txt", &run.stdout);
}

#[test]
fn a_policy_without_normalizing_gives_no_diff() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy.yaml");
    fs::write(&policy, "normalize: false\n").unwrap();
    let run = program(&["check", "--diff", "host-bits.yaml", "--policy"]).arg(&policy).run();
    assert!(run.stdout.contains("error[IPP104]"), "{}", run.stdout);
    assert!(!run.stdout.contains("+++"), "{}", run.stdout);
}
