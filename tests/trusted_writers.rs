//! The patterns of the trusted writers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ippool_webhook::policy::UserPattern;

fn matches(pattern: &str, username: &str) -> bool {
    UserPattern::parse(pattern).unwrap().matches(username)
}

#[test]
fn a_star_matches_any_text_without_a_colon() {
    let pattern = "system:serviceaccount:*:*whereabouts*";
    for name in ["kube-system:whereabouts", "nvidia-network-operator:whereabouts-sa", "a:my-whereabouts"] {
        assert!(matches(pattern, &format!("system:serviceaccount:{name}")), "{name}");
    }
    for name in ["whereabouts:default", "a:where-abouts", ":whereabouts", "a:whereabouts:b", "whereabouts"] {
        assert!(!matches(pattern, &format!("system:serviceaccount:{name}")), "{name}");
    }
    assert!(!matches(pattern, "x-system:serviceaccount:kube-system:whereabouts"));
}

#[test]
fn texts_between_stars_are_found_in_their_order() {
    for name in ["abc", "xaybzc", "aabbcc", "abcbc"] {
        assert!(matches("*a*b*c", name), "{name}");
    }
    for name in ["acb", "abcd", "bc", ""] {
        assert!(!matches("*a*b*c", name), "{name}");
    }
    // No text is counted twice.
    assert!(!matches("aba*ba", "aba") && matches("aba*ba", "ababa"));
    assert!(!matches("*ab*b", "ab") && matches("*ab*b", "abb"));
}

#[test]
fn a_pattern_that_would_trust_everyone_is_rejected() {
    for (pattern, whom) in [
        ("", "everyone"),
        ("*", "everyone"),
        ("**", "everyone"),
        ("*:*", "everyone"),
        ("*:*:*:*", "everyone"),
        ("system:serviceaccount:*:*", "every service account"),
        ("system:*:**:*", "every service account"),
        ("*:serviceaccount:*:*", "every service account"),
        ("s*:s*:*:*", "every service account"),
        ("system:*", "requests without a user"),
        ("system:anonymous", "requests without a user"),
    ] {
        let wanted = format!(
            "trustedWriters: {pattern:?} would trust {whom}; name a service account, or its namespace"
        );
        assert_eq!(UserPattern::parse(pattern), Err(wanted));
    }
    for pattern in ["alice", "system:serviceaccount:ipam:*", "system:serviceaccount:*:ipam", "system:node:*"]
    {
        assert_eq!(UserPattern::parse(pattern).map(|it| it.to_string()), Ok(pattern.to_owned()));
    }
}
