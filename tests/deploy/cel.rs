//! Patterns of user names as CEL, the language of `matchConditions`.

use std::fmt;

use ippool_webhook::policy::Policy;
use proptest::prelude::*;

/// What a condition may ask of a user name.
enum Test {
    Is(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
}

impl fmt::Display for Test {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAME: &str = "request.userInfo.username";
        match self {
            Self::Is(text) => write!(out, "{NAME} == '{text}'"),
            Self::StartsWith(text) => write!(out, "{NAME}.startsWith('{text}')"),
            Self::EndsWith(text) => write!(out, "{NAME}.endsWith('{text}')"),
            Self::Contains(text) => write!(out, "{NAME}.contains('{text}')"),
        }
    }
}

impl Test {
    fn holds(&self, name: &str) -> bool {
        match self {
            Self::Is(text) => name == text,
            Self::StartsWith(text) => name.starts_with(text),
            Self::EndsWith(text) => name.ends_with(text),
            Self::Contains(text) => name.contains(text),
        }
    }
}

/// All of these hold for a name exactly when `pattern` matches it. Of what stands between the stars of a pattern
/// only one part may be looked for anywhere, and it must be unable to begin in the part before the first star or
/// to reach into the part after the last; patterns for which that is not so are refused, as CEL without
/// regular expressions cannot say them.
fn tests(pattern: &str) -> Vec<Test> {
    assert!(!pattern.contains(['\'', '\\', '?']), "{pattern}: cannot be written between quotes");
    let parts: Vec<_> = pattern.split('*').collect();
    let [first, between @ .., last] = parts.as_slice() else {
        return vec![Test::Is(pattern.to_owned())];
    };
    let between: Vec<_> = between.iter().filter(|part| !part.is_empty()).collect();
    assert!(between.len() <= 1, "{pattern}: two parts between stars have an order, which CEL cannot say");
    for part in &between {
        assert!(!overlap(first, part) && !overlap(part, last), "{pattern}: the parts could share letters");
    }
    assert!(!overlap(first, last), "{pattern}: the parts could share letters");
    let mut tests = Vec::new();
    tests.extend((!first.is_empty()).then(|| Test::StartsWith((*first).to_owned())));
    tests.extend(between.iter().map(|part| Test::Contains((**part).to_owned())));
    tests.extend((!last.is_empty()).then(|| Test::EndsWith((*last).to_owned())));
    tests
}

/// Whether `left` contains `right`, or `right` can begin inside `left` and end behind it.
fn overlap(left: &str, right: &str) -> bool {
    !right.is_empty()
        && (left.contains(right) || (1..right.len()).any(|length| left.ends_with(&right[..length])))
}

/// The condition that a user name matches one of these patterns.
pub fn any_of(patterns: &[String]) -> String {
    let one = |pattern: &String| {
        let tests: Vec<_> = tests(pattern).iter().map(ToString::to_string).collect();
        if tests.len() == 1 { tests.concat() } else { format!("({})", tests.join(" && ")) }
    };
    patterns.iter().map(one).collect::<Vec<_>>().join(" || ")
}

/// Pieces that user names like the trusted ones are made of, and pieces of those.
fn piece() -> impl Strategy<Value = String> {
    let whole =
        ["system:serviceaccount:kube-system:", "whereabouts", "openshift-multus:multus-ancillary-tools"];
    let part = (prop::sample::select(whole.to_vec()), any::<prop::sample::Index>(), any::<bool>());
    let part = part.prop_map(|(text, at, front)| {
        let (head, tail) = text.split_at(at.index(text.len()));
        (if front { head } else { tail }).to_owned()
    });
    prop_oneof![
        prop::sample::select(whole.to_vec()).prop_map(str::to_owned),
        Just("system:serviceaccount:".to_owned()),
        part,
        "[a-z:-]{0,3}",
    ]
}

proptest! {
    #[test]
    fn the_condition_of_a_pattern_holds_for_the_names_that_the_program_trusts(
        pieces in prop::collection::vec(piece(), 0..5),
    ) {
        let (name, policy) = (pieces.concat(), Policy::default());
        let held = policy.trusted_writers().any(|pattern| tests(&pattern).iter().all(|test| test.holds(&name)));
        prop_assert_eq!(held, policy.trusts(&name), "{}", name);
    }
}

#[test]
fn a_pattern_that_cel_cannot_say_exactly_is_refused() {
    for pattern in ["a*b*c*d", "whereabouts*abouts*", "aba*ba", "it's"] {
        assert!(std::panic::catch_unwind(|| tests(pattern)).is_err(), "{pattern}");
    }
}
