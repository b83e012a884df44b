//! Patterns of user names as CEL, the language of `matchConditions`, and the evaluation of conditions.

use cel::{Context, Program};
use ippool_webhook::policy::{Policy, condition};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The condition that a user name matches one of these patterns.
pub fn any_of(patterns: &[String]) -> String {
    let condition =
        |pattern: &String| condition(pattern).unwrap_or_else(|| panic!("{pattern}: write the CEL by hand"));
    patterns.iter().map(condition).collect::<Vec<_>>().join(" || ")
}

/// Whether `expression` holds for `request`, which has what a condition may read: `request`, `object` and
/// `oldObject`.
pub fn holds(expression: &str, request: &Value) -> Result<bool, String> {
    let program = Program::compile(expression).map_err(|error| error.to_string())?;
    let mut context = Context::default();
    for name in ["request", "object", "oldObject"] {
        context.add_variable(name, &request[name]).map_err(|error| error.to_string())?;
    }
    match program.execute(&context) {
        Ok(cel::Value::Bool(holds)) => Ok(holds),
        Ok(other) => Err(format!("{other:?} is not a bool")),
        Err(error) => Err(error.to_string()),
    }
}

fn is_trusted(patterns: &[String], username: &str) -> bool {
    let request = json!({ "request": { "userInfo": { "username": username } } });
    holds(&any_of(patterns), &request).unwrap()
}

/// Parts of user names that are similar to the trusted ones.
fn piece() -> impl Strategy<Value = String> {
    let whole = [
        "system:serviceaccount:kube-system:",
        "whereabouts",
        "openshift-multus:multus-ancillary-tools",
        "system:serviceaccount:nvidia.network+operator:",
    ];
    let part = (prop::sample::select(whole.to_vec()), any::<prop::sample::Index>(), any::<bool>());
    let part = part.prop_map(|(text, at, front)| {
        let (head, tail) = text.split_at(at.index(text.len()));
        (if front { head } else { tail }).to_owned()
    });
    prop_oneof![
        prop::sample::select(whole.to_vec()).prop_map(str::to_owned),
        Just("system:serviceaccount:".to_owned()),
        part,
        "[a-z:.+-]{0,3}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..5).prop_map(|pieces| pieces.concat())
}

fn pattern() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![2 => Just("*".to_owned()), 3 => piece()];
    prop::collection::vec(pieces, 1..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_condition_of_the_default_patterns_agrees_with_the_policy(name in name()) {
        let policy = Policy::default();
        let patterns: Vec<_> = policy.trusted_writers().collect();
        prop_assert_eq!(is_trusted(&patterns, &name), policy.trusts(&name), "{}", name);
    }

    #[test]
    fn the_condition_of_any_pattern_agrees_with_the_policy(
        pattern in pattern(), name in name(), filling in name(),
    ) {
        let policy = serde_json::from_value::<Policy>(json!({ "trustedWriters": [pattern] }));
        prop_assume!(policy.is_ok());
        let (policy, patterns) = (policy.unwrap(), [pattern.clone()]);
        // A name made of the pattern matches more often than any other.
        for name in [name, pattern.replace('*', &filling), pattern.replace('*', "a"), pattern.replace('*', "")] {
            prop_assert_eq!(is_trusted(&patterns, &name), policy.trusts(&name), "{} {}", pattern, name);
        }
    }
}

#[test]
fn a_pattern_that_needs_escapes_is_rejected() {
    for pattern in ["it's*", "a\\*", "a?", "[a]*", "a^*"] {
        assert!(std::panic::catch_unwind(|| any_of(&[pattern.to_owned()])).is_err(), "{pattern}");
    }
}

#[test]
fn whereabouts_is_trusted_by_account_name_not_by_namespace() {
    let policy = Policy::default();
    let patterns: Vec<_> = policy.trusted_writers().collect();
    for (account, wanted) in [
        ("kube-system:whereabouts", true),
        ("nvidia-network-operator:nvidia-whereabouts-sa", true),
        ("openshift-multus:multus-ancillary-tools", true),
        ("whereabouts:default", false),
        ("kube-system:multus-ancillary-tools", false),
    ] {
        let name = format!("system:serviceaccount:{account}");
        assert_eq!((policy.trusts(&name), is_trusted(&patterns, &name)), (wanted, wanted), "{name}");
    }
}
