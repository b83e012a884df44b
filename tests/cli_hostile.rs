//! `check` on broken and adversarial files.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli_support;

use std::fs;

use cli_support::{Run, manifests, program, run};

/// Checks a file of this content.
fn check(content: impl Into<Vec<u8>>) -> Run {
    program(&["check", "-"]).stdin(content).run()
}

/// Exit code 2, and this on standard error.
#[track_caller]
fn assert_rejected(content: impl Into<Vec<u8>>, why: &str) {
    let run = check(content);
    assert!(run.stderr.starts_with(&format!("error: <stdin>:{why}")), "{}", run.stderr);
    assert_eq!(run.code, Some(2));
}

/// Exit code 0 and no pool.
#[track_caller]
fn assert_empty(content: &str) {
    let run = check(content);
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("checked 0 IPPools in 1 file: no findings\n", "")
    );
    assert_eq!(run.code, Some(0));
}

fn clean_pool() -> String {
    fs::read_to_string(manifests().join("pools/clean.yaml")).unwrap()
}

#[test]
fn a_missing_file_is_reported_and_the_others_are_checked() {
    let run = run(&["check", "no-such.yaml", "pools/clean.yaml"]);
    assert!(run.stderr.starts_with("error: no-such.yaml: cannot be read: "), "{}", run.stderr);
    assert_eq!(run.stdout, "checked 1 IPPool in 1 file: no findings; 1 thing could not be done, see above\n");
    assert_eq!(run.code, Some(2));
}

#[test]
fn an_unparsable_document_is_reported_and_the_others_are_checked() {
    let broken = "a: [1, 2\n";
    let run = check(format!("{}---\n{broken}---\n{}", clean_pool(), clean_pool().replace("/64", "/129")));
    assert!(run.stderr.starts_with("error: <stdin>:14: cannot be parsed: "), "{}", run.stderr);
    assert!(run.stdout.starts_with("error[IPP102]: range-not-cidr\n  --> <stdin>:22:10 "), "{}", run.stdout);
    assert!(run.stdout.contains("checked 2 IPPools in 1 file: 1 error, "), "{}", run.stdout);
    assert_eq!(run.code, Some(2), "2 outranks 1");
}

#[test]
fn a_file_without_documents_is_empty() {
    assert_empty("");
    assert_empty("\u{feff}");
    assert_empty("# only\n\n# comments\n");
    assert_empty("---\n---\n...\n--- # and a comment\n");
    assert_empty("null\n");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_ignored() {
    let windows = format!("\u{feff}{}", clean_pool().replace("/64", "/129").replace('\n', "\r\n"));
    let run = check(windows);
    assert!(
        run.stdout.contains("\n7 |   range: fd00:10::/129\n  |          ^^^^^^^^^^^^^\n"),
        "{}",
        run.stdout
    );
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_directive_is_rejected_because_kubectl_splits_after_it() {
    let run = check(format!("%YAML 1.1\n---\n{}", clean_pool()));
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("<stdin>:2: cannot be parsed: "), "{}", run.stderr);
    assert!(run.stdout.starts_with("checked 1 IPPool in 1 file: no findings"), "{}", run.stdout);
}

#[test]
fn text_that_is_not_utf8_is_rejected_with_its_line() {
    assert_rejected(b"a: 1\nb: \xe4\n", "2: is not UTF-8 text (byte 8 of the file)");
    let run = check([0, 159, 146, 150]);
    assert_eq!(run.code, Some(2));
}

#[test]
fn control_characters_are_rejected() {
    assert_rejected("a: \0b\n", "1: cannot be parsed: ");
    assert_rejected("a: \x1b[2Jb\n", "1: cannot be parsed: ");
}

#[test]
fn a_tab_as_indentation_is_rejected() {
    assert_rejected("a:\n\tb: 1\n", "2: cannot be parsed: ");
}

#[test]
fn a_duplicate_key_is_rejected_with_both_lines() {
    assert_rejected("a: 1\nb: 2\na: 3\n", "3: cannot be parsed: the key \"a\" is already on line 1");
    assert_rejected("{\"a\": 1,\n \"a\": 2}\n", "2: cannot be parsed: the key \"a\" is already on line 1");
    assert_rejected("8: 1\n010: 2\n", "2: cannot be parsed: the key \"8\" is already on line 1");
}

#[test]
fn keys_that_kubectl_rejects_are_rejected() {
    assert_rejected("~: 1\n", "1: cannot be parsed: a key is null");
    assert_rejected("[a]: 1\n", "1: cannot be parsed: a key is a list or map");
    assert_rejected("18446744073709551615: 1\n", "1: cannot be parsed: kubectl takes no unquoted number");
}

#[test]
fn a_merge_of_an_aliased_list_is_rejected() {
    assert_rejected(
        "x: &x {a: 1}\nz: &z [*x]\nm: {<<: *z}\n",
        "3: cannot be parsed: `<<` takes no alias of a list",
    );
}

#[test]
fn a_separator_with_content_is_rejected() {
    for line in ["--- {a: 1}", "----", "---a"] {
        let why = "2: cannot be parsed: kubectl takes no more than a comment";
        assert_rejected(format!("a: 1\n{line}\n"), why);
    }
    assert_eq!(check("a: 1\n--- # c\nb: 1\n").code, Some(0));
}

#[test]
fn a_tag_without_a_type_in_json_is_rejected() {
    for tag in ["binary", "timestamp", "set"] {
        let why = format!("1: cannot be parsed: the tag !!{tag} has no meaning");
        assert_rejected(format!("a: !!{tag} 2001-12-14\n"), &why);
    }
}

#[test]
fn an_alias_bomb_is_rejected_before_it_is_expanded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    assert_rejected(bomb, "7: cannot be parsed: the aliases so far expand to more than 64 MiB");
}

#[test]
fn all_documents_of_a_file_share_the_bound_on_aliases() {
    let text = "x".repeat(1 << 20);
    let document = format!("a: &a {text}\nb: [{}]\n---\n", vec!["*a"; 20].join(", "));
    assert_rejected(
        document.repeat(4),
        "11: cannot be parsed: the aliases so far expand to more than 64 MiB",
    );
}

#[test]
fn all_documents_of_a_file_share_the_bound_on_values() {
    let document = format!("[{}]\n---\n", "1,".repeat(900_000));
    let run = check(document.repeat(4));
    let why = "error: <stdin>:5: cannot be parsed: more than 2000000 values in one file; check it in parts\n";
    assert_eq!(run.stderr, why, "the fourth document would fail in the same way");
    assert_eq!(run.code, Some(2));
}

#[test]
fn nested_aliases_are_bounded_like_nested_values() {
    let mut nest = "a0: &a0 [x]\n".to_owned();
    for level in 1..5000 {
        nest += &format!("a{level}: &a{level} [[[[*a{}]]]]\n", level - 1);
    }
    assert_rejected(nest, "25: cannot be parsed: more than 100 levels of lists and maps");
    assert_rejected("a: &a [*a]\n", "1: cannot be parsed: this alias is inside the value it refers to");
}

#[test]
fn deep_nesting_is_rejected() {
    assert_rejected("[".repeat(100_000), "1: cannot be parsed: ");
    assert_rejected("{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000), "1: cannot be parsed: ");
    let block: String = (0..300).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    assert_rejected(block, "101: cannot be parsed: more than 100 levels");
    assert_rejected("- ".repeat(50_000), "1: cannot be parsed: ");
}

#[test]
fn a_huge_key_is_shortened_in_the_output() {
    let key = "9".repeat(500_000);
    let pool = format!(
        r#"{{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","kind":"IPPool","metadata":{{"name":"10.0.0.0-24"}},"spec":{{"range":"10.0.0.0/24","allocations":{{"{key}":{{"id":"a","podref":"a/b"}}}}}}}}"#
    );
    let run = check(pool);
    assert!(run.stdout.starts_with("error[IPP207]: offset-unreadable\n"), "{}", run.stdout);
    assert!(run.stdout.len() < 2_000, "{} bytes", run.stdout.len());
    assert_eq!(run.code, Some(1));
}

#[test]
fn text_of_a_manifest_cannot_control_the_terminal() {
    let pool = clean_pool().replace("fd00:10::/64", "\"fd00\\e[2J\\n::error::\\u202e\"");
    for format in ["text", "github"] {
        let run = program(&["check", "-", "--format", format]).stdin(pool.clone()).run();
        assert!(run.stdout.contains("IPP102"), "{}", run.stdout);
        assert!(!run.stdout.contains(['\x1b', '\u{202e}']), "{}", run.stdout);
        assert!(!run.stdout.contains("\n::error::"), "{}", run.stdout);
    }
}

#[test]
fn a_file_above_the_size_limit_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let file = fs::File::create(directory.path().join("large.yaml")).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    let run = program(&["check", "large.yaml"]).in_dir(directory.path()).run();
    assert_eq!(run.stderr, "error: large.yaml: is larger than 64 MiB; check it in parts\n");
    assert_eq!(run.code, Some(2));
}

#[test]
fn documents_that_are_not_objects_are_skipped() {
    let run = check("just text\n---\n[1, 2]\n---\n{}\n---\nkind: List\nitems: nothing\n");
    assert_eq!(run.stdout, "checked 0 IPPools in 1 file (4 objects of other kinds skipped): no findings\n");
    assert_eq!(run.code, Some(0));
}

#[test]
fn a_pool_without_a_spec_is_reported_at_its_kind() {
    let run = check("apiVersion: whereabouts.cni.cncf.io/v1alpha1\nkind: IPPool\n");
    assert!(
        run.stdout.starts_with("error[IPP101]: range-missing\n --> <stdin>:2:7 (<no name>)\n"),
        "{}",
        run.stdout
    );
    assert_eq!(run.code, Some(1));
}
