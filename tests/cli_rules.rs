//! `rules` and `completions`.
#![cfg(feature = "serve")]

mod cli_support;

use cli_support::{assert_expected, run};
use ippool_webhook::kinds;
use serde_json::Value;

#[test]
fn the_table_lists_every_rule_once() {
    let run = run(&["rules"]);
    assert_expected("rules.txt", &run.stdout);
    let ids: Vec<_> = run.stdout.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(ids, kinds::rules().map(|rule| rule.id).collect::<Vec<_>>());
    assert_eq!(run.code, Some(0));
}

#[test]
fn the_table_in_markdown_is_that_of_the_readme() {
    assert_expected("rules.md", &run(&["rules", "--format=markdown"]).stdout);
}

#[test]
fn the_table_as_json_has_every_field() {
    let rules: Value = serde_json::from_str(&run(&["rules", "--format=json"]).stdout).unwrap();
    assert_eq!(rules.as_array().unwrap().len(), kinds::rules().len());
    let rule = rules.as_array().unwrap().iter().find(|rule| rule["id"] == "IPP104").unwrap();
    assert_eq!(rule["name"], "range-host-bits");
    assert_eq!(rule["on"], serde_json::json!(["CREATE", "UPDATE"]));
    assert_eq!((&rule["severity"], &rule["normalized"]), (&"deny".into(), &true.into()));
}

#[test]
fn a_rule_is_found_by_id_and_by_name_in_any_case() {
    let by_id = run(&["rules", "IPP206"]);
    assert!(by_id.stdout.contains("offset-out-of-range"), "{}", by_id.stdout);
    assert_eq!(run(&["rules", "ipp206"]).stdout, by_id.stdout);
    assert_eq!(run(&["rules", "offset-out-of-range"]).stdout, by_id.stdout);
}

#[test]
fn every_rule_prints_its_page_in_every_format() {
    for rule in kinds::rules() {
        let page = rule.page.trim_end();
        assert_eq!(run(&["rules", rule.id]).stdout.trim_end(), page);
        assert_eq!(run(&["rules", rule.id, "--format=markdown"]).stdout.trim_end(), page);
        let json: Value = serde_json::from_str(&run(&["rules", rule.id, "--format=json"]).stdout).unwrap();
        assert_eq!((&json["id"], &json["page"]), (&rule.id.into(), &rule.page.into()));
    }
}

#[test]
fn a_misspelled_rule_gets_a_suggestion() {
    let name = run(&["rules", "offset-out-range"]);
    assert_eq!(
        name.stderr,
        "error: no rule is called \"offset-out-range\"; did you mean offset-out-of-range?\n"
    );
    assert_eq!((name.code, name.stdout.as_str()), (Some(2), ""));
    let id = run(&["rules", "ipp2006"]);
    assert!(id.stderr.contains("did you mean IPP20"), "{}", id.stderr);
    let nonsense = run(&["rules", "zzz"]);
    assert_eq!(nonsense.stderr, "error: no rule is called \"zzz\"; `ippool-webhook rules` lists them\n");
}

#[test]
fn completions_are_generated_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = run(&["completions", shell]);
        assert!(run.stdout.contains("ippool-webhook") && run.stdout.contains("fail-on"), "{shell}");
        assert_eq!(run.code, Some(0));
    }
}

/// The subcommands with flags.
const SUBCOMMANDS: [&[&str]; 6] =
    [&["serve"], &["check"], &["audit"], &["rules"], &["certs", "ensure"], &["certs", "show"]];

#[test]
fn every_flag_has_an_environment_variable_of_the_same_name() {
    for subcommand in SUBCOMMANDS {
        let help = run(&[subcommand, &["--help"]].concat()).stdout;
        let flags: Vec<_> = help.split("\n      --").skip(1).collect();
        assert!(!flags.is_empty(), "{help}");
        for flag in flags {
            let name = flag.split([' ', '\n']).next().unwrap();
            // Each subcommand has its own formats, and to an audit these say something else than to the others.
            let is_of_audit = subcommand[0] == "audit" && ["interval", "listen", "namespace"].contains(&name);
            let is_own = name == "format" || is_of_audit;
            let name = if is_own { format!("{}-{name}", subcommand[0]) } else { name.to_owned() };
            let expected = format!("IPPOOL_WEBHOOK_{}", name.replace('-', "_").to_uppercase());
            assert!(flag.contains(&format!("[env: {expected}=]")), "{subcommand:?} --{flag}");
        }
    }
}

#[test]
fn help_and_version_have_exit_code_0() {
    assert_eq!(run(&["--help"]).code, Some(0));
    assert_eq!(run(&["check", "--help"]).code, Some(0));
    assert_eq!(run(&["--version"]).stdout, concat!("ippool-webhook ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(run(&[]).code, Some(2), "a missing subcommand is wrong usage");
}
