//! `check`: which files are read, where findings are, and the exit codes.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli_support;

use std::fs;

use cli_support::{assert_expected, manifests, program, run};

#[test]
fn text_output_is_laid_out_like_a_compilers() {
    let run = run(&["check", "pools/broken.yaml"]);
    assert_expected("broken.txt", &run.stdout);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
}

#[test]
fn json_output_has_the_line_of_every_finding() {
    let run = run(&["check", "--format=json", "pools/broken.yaml"]);
    assert_expected("broken.json", &run.stdout);
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_clean_file_has_no_findings() {
    let run = run(&["check", "pools/clean.yaml"]);
    assert_eq!(run.stdout, "checked 1 IPPool in 1 file: no findings\n");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn directories_are_searched_in_order_without_hidden_entries() {
    let run = run(&["check", "--format=json", "pools"]);
    let mut files: Vec<_> = run.findings().iter().map(|it| it["file"].as_str().unwrap().to_owned()).collect();
    files.dedup();
    let expected = ["pools/broken.yaml", "pools/nested/deeper/list.json", "pools/nested/pools.yml"];
    assert_eq!(files, expected);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
}

#[test]
fn without_a_path_the_current_directory_is_checked() {
    let here = program(&["check", "--format=json"]).in_dir(&manifests().join("pools/nested")).run();
    assert_eq!(
        here.places(),
        ["deeper/list.json:11 IPP102", "pools.yml:8 IPP214", "pools.yml:10 IPP201"],
        "{}",
        here.stderr
    );
}

#[test]
fn a_file_named_twice_is_checked_once() {
    let run = run(&["check", "pools/clean.yaml", "pools/clean.yaml"]);
    assert_eq!(run.stdout, "checked 1 IPPool in 1 file: no findings\n");
}

#[test]
fn items_of_a_list_are_counted_as_objects() {
    let run = run(&["check", "pools/nested"]);
    let summary = run.stdout.lines().last().unwrap();
    assert_eq!(
        summary,
        "checked 3 IPPools in 2 files (1 object of another kind skipped): 2 errors, 1 warning"
    );
}

#[test]
fn standard_input_is_checked_like_a_file() {
    let input = fs::read(manifests().join("pools/nested/deeper/list.json")).unwrap();
    let run = program(&["check", "-", "--format=json"]).stdin(input).run();
    assert_eq!(run.places(), ["<stdin>:11 IPP102"]);
    assert_eq!(run.code, Some(1));
}

#[test]
fn documents_and_lines_are_numbered_across_the_whole_file() {
    let run = run(&["check", "--format=json", "pools/broken.yaml"]);
    let third = run.findings().into_iter().find(|it| it["rule"] == "IPP102").unwrap();
    assert_eq!((&third["document"], &third["line"]), (&3.into(), &26.into()));
    assert_eq!(third["object"], serde_json::json!({ "namespace": "kube-system", "name": "10.1.0.0-16" }));
}

#[test]
fn consecutive_json_values_are_read() {
    let pool = |prefix: u8| {
        format!(
            r#"{{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","kind":"IPPool","metadata":{{"name":"10.0.0.0-{prefix}"}},"spec":{{"range":"10.0.0.0/{prefix}","allocations":{{}}}}}}"#
        )
    };
    let stream = format!("{}{}\n{}\n", pool(33), pool(24), pool(34));
    let run = program(&["check", "-", "--format=json"]).stdin(stream).run();
    assert_eq!(run.places(), ["<stdin>:1 IPP102", "<stdin>:2 IPP102"]);
}

#[test]
fn an_unquoted_key_is_checked_as_the_number_that_kubectl_reads() {
    let manifest = "apiVersion: whereabouts.cni.cncf.io/v1alpha1\nkind: IPPool\n\
        metadata: {name: 10.0.0.0-24}\n\
        spec:\n  range: 10.0.0.0/24\n  allocations:\n\
        \x20   0x1FF: {id: a, podref: a/b}\n    0400: {id: b, podref: a/c}\n    '0400': {id: c, podref: a/d}\n";
    let run = program(&["check", "-", "--format=json"]).stdin(manifest).run();
    let paths: Vec<_> = run.findings().iter().map(|it| format!("{} {}", it["rule"], it["path"])).collect();
    assert_eq!(
        paths,
        [
            "\"IPP206\" \"spec.allocations[256]\"",
            "\"IPP203\" \"spec.allocations[0400]\"",
            "\"IPP206\" \"spec.allocations[0400]\"",
            "\"IPP206\" \"spec.allocations[511]\"",
        ]
    );
}

/// Written by `sigs.k8s.io/yaml` 1.6: a scalar, what it is as a value, and what it is as a key (null where kubectl
/// rejects the document).
const SCALARS: &str = include_str!("fixtures/manifests/kubectl-scalars.jsonl");

#[test]
fn every_recorded_scalar_is_resolved_as_kubectl_does() {
    for line in SCALARS.lines() {
        let recorded: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |of: &str| recorded[of].as_str();
        let scalar = text("scalar").unwrap();
        // As a key, each is reported by its text; NaN and infinity are rejected here.
        let input = format!("{POOL}spec:\n  range: 10.0.0.0/24\n  allocations:\n    ? {scalar}\n    : 0\n");
        let run = program(&["check", "-", "--format=json"]).stdin(input).run();
        match text("key").filter(|_| text("value").is_some()) {
            None => assert_eq!(run.code, Some(2), "{line}"),
            Some(key) => {
                let entry = format!("spec.allocations[{key}]");
                let paths = run.findings();
                let path = paths[0]["path"].as_str().unwrap();
                assert!(path.starts_with(&entry), "{line}: {path}");
            }
        }
        // As a value, it is reported by its type unless it is a string.
        let Some(value) = text("value") else { continue };
        let reported = match serde_json::from_str(value).unwrap() {
            serde_json::Value::Null => Some("Required value: "),
            serde_json::Value::Bool(_) => Some(r#"Invalid value: \"boolean\": "#),
            serde_json::Value::Number(_) => Some(r#"Invalid value: \"number\": "#),
            _ => None,
        };
        let messages = messages(&format!("spec:\n  range: {scalar}\n  allocations: {{}}\n"));
        assert_eq!(messages.contains("[IPP101]"), reported.is_some(), "{line}: {messages}");
        assert!(messages.contains(reported.unwrap_or_default()), "{line}: {messages}");
    }
}

const POOL: &str = "apiVersion: whereabouts.cni.cncf.io/v1alpha1\nkind: IPPool\n";

/// What is said about a pool with this spec, without errors.
fn messages(spec: &str) -> String {
    let run = program(&["check", "-", "--format=json"]).stdin(format!("{POOL}{spec}")).run();
    assert_eq!(run.stderr, "");
    run.findings().iter().map(|it| it["message"].to_string()).collect()
}

#[test]
fn a_merge_overrides_the_keys_before_it_and_not_those_after_it() {
    let bases = "x: &x {range: of x}\ny: &y {range: of y}\n";
    for (spec, range) in [
        ("{range: own, <<: *x}", "of x"),
        ("{<<: *x, range: own}", "own"),
        ("{<<: *x, <<: *y}", "of y"),
        ("{<<: [*x, *y]}", "of x"),
        ("{!!merge <<: *y}", "of y"),
        ("{range: own, \"<<\": *x}", "own"),
    ] {
        let messages = messages(&format!("{bases}spec: {spec}\n"));
        assert!(messages.contains(&format!(r#"value: \"{range}\": "#)), "{spec}: {messages}");
    }
}

#[test]
fn a_block_scalar_at_the_end_of_the_file_gets_a_line_end() {
    for (scalar, range) in [("|", r"of x\\n"), ("|-", "of x")] {
        let messages = messages(&format!("spec:\n  range: {scalar}\n    of x"));
        assert!(messages.contains(&format!(r#"value: \"{range}\": "#)), "{messages}");
    }
}

#[test]
fn warnings_are_failures_only_with_fail_on_warn() {
    let manifest = fs::read_to_string(manifests().join("pools/clean.yaml")).unwrap().replace("net1", "net/1");
    let code = |fail_on: &str| {
        let run = program(&["check", "-", "--fail-on", fail_on]).stdin(manifest.clone()).run();
        assert!(run.stdout.starts_with("warning[IPP214]: ifname-malformed\n"), "{}", run.stdout);
        run.code
    };
    assert_eq!((code("deny"), code("warn"), code("never")), (Some(0), Some(1), Some(0)));
}

#[test]
fn host_bits_that_would_be_normalized_are_failures_as_the_help_says() {
    let pool = fs::read_to_string(manifests().join("pools/clean.yaml")).unwrap();
    let (before, _) = pool.split_once("  allocations:").unwrap();
    let host_bits = format!("{}  allocations: {{}}\n", before.replace("fd00:10::/64", "fd00:10::1/64"));
    let run = program(&["check", "-", "--format=json"]).stdin(host_bits).run();
    assert_eq!((run.code, run.findings()[0]["rule"].as_str()), (Some(1), Some("IPP104")));
    let help = program(&["check", "--help"]).run().stdout;
    let deny = "deny:  What the webhook denies, and host bits in the range of a pool without entries, which it normalizes";
    assert!(
        help.split_whitespace().collect::<Vec<_>>().join(" ").contains(&deny.replace("  ", " ")),
        "{help}"
    );
}

#[test]
fn with_fail_on_never_the_exit_code_is_zero() {
    assert_eq!(run(&["check", "--fail-on=never", "pools/broken.yaml"]).code, Some(0));
}

#[test]
fn the_policy_changes_the_severity_of_rules() {
    let run = run(&["check", "--policy=policy.yaml", "--format=json", "pools/broken.yaml"]);
    let severities: Vec<_> =
        run.findings().iter().map(|it| format!("{} {}", it["rule"], it["severity"])).collect();
    assert!(severities.contains(&r#""IPP206" "warn""#.to_owned()), "{severities:?}");
    assert!(!severities.iter().any(|it| it.contains("IPP210")), "{severities:?}");
}

#[test]
fn a_policy_with_an_unknown_rule_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("p.yaml"), "rules:\n  IPP999: warn\n").unwrap();
    let run = program(&["check", "--policy=p.yaml"]).in_dir(directory.path()).run();
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("error: p.yaml is not a policy: "), "{}", run.stderr);
    assert!(run.stderr.contains("no rule is called \"IPP999\""), "{}", run.stderr);
}

#[test]
fn every_flag_can_be_set_by_the_environment() {
    let from_environment = program(&["check", "pools/broken.yaml"])
        .env("IPPOOL_WEBHOOK_CHECK_FORMAT", "json")
        .env("IPPOOL_WEBHOOK_FAIL_ON", "never")
        .env("IPPOOL_WEBHOOK_POLICY", "policy.yaml")
        .run();
    let flags = ["check", "pools/broken.yaml", "--format=json", "--fail-on=never", "--policy=policy.yaml"];
    let from_flags = run(&flags);
    assert_eq!((from_environment.code, &from_environment.stdout), (Some(0), &from_flags.stdout));
}

#[test]
fn colors_are_only_for_terminals() {
    let plain = run(&["check", "pools/broken.yaml"]);
    assert!(!plain.stdout.contains('\x1b'));
    let forced = program(&["check", "pools/broken.yaml"]).env("CLICOLOR_FORCE", "1").run();
    assert!(forced.stdout.contains("\x1b["), "{}", forced.stdout);
    let uncolored = anstream::adapter::strip_str(&forced.stdout).to_string();
    assert_eq!(uncolored, plain.stdout);
}

#[test]
fn wrong_usage_has_exit_code_2() {
    assert_eq!(run(&["check", "--format=xml"]).code, Some(2));
    assert_eq!(run(&["chekc"]).code, Some(2));
    let run = run(&["check", "--diff", "--format=json", "pools"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("--format text"), "{}", run.stderr);
}

#[test]
fn pools_of_another_version_are_skipped_with_a_note() {
    let object = |version: &str| format!("apiVersion: {version}\nkind: IPPool\nspec: {{}}\n---\n");
    let input =
        ["whereabouts.cni.cncf.io/v1", "crd.projectcalico.org/v1", "projectcalico.org/v3"].map(object);
    let run = program(&["check", "-"]).stdin(input.concat()).run();
    assert_eq!(run.stdout, "checked 0 IPPools in 1 file (3 objects of other kinds skipped): no findings\n");
    assert_eq!(
        run.stderr,
        "note: <stdin>:1: skipped: IPPool of whereabouts.cni.cncf.io/v1, which does not exist; \
         it is whereabouts.cni.cncf.io/v1alpha1\n"
    );
    assert_eq!(run.code, Some(0));
}

#[test]
fn a_pool_without_a_version_is_skipped_with_a_note() {
    let run = program(&["check", "-"]).stdin("# a fragment\nkind: IPPool\n").run();
    assert_eq!(
        run.stderr,
        "note: <stdin>:2: skipped: kind IPPool without apiVersion; \
         whereabouts' is whereabouts.cni.cncf.io/v1alpha1\n"
    );
    assert_eq!(run.code, Some(0));
}

#[test]
fn a_directory_without_manifests_gets_a_note() {
    let directory = tempfile::tempdir().unwrap();
    let run = program(&["check", "."]).in_dir(directory.path()).run();
    assert_eq!(run.stderr, "note: .: has no .yaml, .yml or .json file\n");
    assert_eq!(run.code, Some(0));
}

/// A chart, manifests beside it, and a file that is not YAML.
fn chart() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let pool = fs::read_to_string(manifests().join("pools/clean.yaml")).unwrap();
    for (file, text) in [
        ("chart/Chart.yaml", "name: a\n"),
        ("chart/templates/pool.yaml", "{{ if .Values.pool }}\n"),
        ("rendered/templates/pool.yaml", &pool),
        ("rendered/old/broken.yaml", "{{\n"),
    ] {
        let file = directory.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    directory
}

#[test]
fn the_templates_of_a_helm_chart_are_skipped_with_a_note() {
    let directory = chart();
    let run = program(&["check", ".", "--exclude=old"]).in_dir(directory.path()).run();
    assert_eq!(
        run.stderr,
        "note: chart/templates: skipped: templates of a Helm chart; check the output of `helm template` instead\n"
    );
    let summary = "checked 1 IPPool in 2 files (1 object of another kind skipped): no findings\n";
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), summary));
    let named = program(&["check", "chart/templates/pool.yaml"]).in_dir(directory.path()).run();
    assert_eq!(named.code, Some(2), "a file named on the command line is always read");
}

#[test]
fn excluded_names_and_paths_are_skipped() {
    let directory = chart();
    let code = |glob: &str| program(&["check", "--exclude", glob]).in_dir(directory.path()).run().code;
    for glob in ["old", "broken.*", "rendered", "rendered/old", "**/old/*.yaml", "no,rendered/old/*"] {
        assert_eq!(code(glob), Some(0), "{glob}");
    }
    for glob in ["ol", "rendered/*.yaml", "*/broken.yaml", "["] {
        assert_eq!(code(glob), Some(2), "{glob}");
    }
    let by_environment = program(&["check"]).env("IPPOOL_WEBHOOK_EXCLUDE", "a,old").in_dir(directory.path());
    assert_eq!(by_environment.run().code, Some(0));
}

#[test]
fn an_error_of_the_system_is_printed_once() {
    let missing: [&[&str]; 3] = [
        &["check", "/no/such.yaml"],
        &["check", "--policy=/no/such.yaml"],
        &["certs", "show", "--kubeconfig=/no/such.yaml"],
    ];
    for arguments in missing {
        let run = run(arguments);
        assert_eq!(run.stderr.matches("(os error 2)").count(), 1, "{}", run.stderr);
        assert!(run.stderr.contains("/no/such.yaml"), "{}", run.stderr);
        assert_eq!(run.code, Some(2));
    }
}

#[test]
fn an_unreadable_token_of_the_kubeconfig_is_reported_once() {
    let directory = tempfile::tempdir().unwrap();
    let config = r#"{"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "current-context": "c",
        "users": [{"name": "u", "user": {"tokenFile": "/no/token"}}]}"#;
    let file = directory.path().join("config");
    fs::write(&file, config).unwrap();
    let run = program(&["certs", "ensure", "--kubeconfig"]).arg(&file).run();
    assert_eq!(run.stderr.matches("(os error 2)").count(), 1, "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn symbolic_links_within_directories_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(directory.path(), directory.path().join("loop")).unwrap();
    std::os::unix::fs::symlink(manifests().join("pools/broken.yaml"), directory.path().join("link.yaml"))
        .unwrap();
    let walked = program(&["check", "."]).in_dir(directory.path()).run();
    assert_eq!(
        (walked.code, walked.stdout.as_str()),
        (Some(0), "checked 0 IPPools in 0 files: no findings\n")
    );
    let named = program(&["check", "link.yaml"]).in_dir(directory.path()).run();
    assert_eq!(named.code, Some(1));
}

#[test]
fn the_output_of_two_runs_is_the_same() {
    let first = run(&["check", "--fail-on=never", "."]);
    let second = run(&["check", "--fail-on=never", "."]);
    assert_eq!(first.stdout, second.stdout);
}
