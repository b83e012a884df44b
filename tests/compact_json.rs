//! The compact form of an apiserver has a faster reader. One space in front makes it
//! another form: the answer has to be the same to the last byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::policy::Policy;
use serde_json::Value;
use testkit::review::{PERSON, causes, warnings};

/// The answer, which is the same in another form.
#[track_caller]
fn answered(endpoint: Endpoint, body: &str) -> Result<String, String> {
    let policy = Policy::default();
    let answered = |body: &str| respond(endpoint, body.as_bytes(), &policy);
    match (answered(body), answered(&format!(" {body}"))) {
        (Ok(compact), Ok(general)) => {
            assert_eq!(format!("{:?}", compact.record), format!("{:?}", general.record));
            assert_eq!(compact.body, general.body);
            Ok(String::from_utf8(compact.body).unwrap())
        }
        (Err(compact), Err(general)) => {
            assert_eq!(compact.reason, general.reason);
            Err(compact.message)
        }
        (compact, general) => panic!("{compact:?}\n{general:?}"),
    }
}

#[test]
fn every_recorded_review_has_one_answer_in_both_forms() {
    let mut reviews = 0;
    for file in std::fs::read_dir("tests/fixtures/reviews").unwrap() {
        let body = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
            answered(endpoint, &body).unwrap();
        }
        reviews += 1;
    }
    assert!(reviews > 70, "{reviews}");
}

#[test]
fn generated_and_hostile_reviews_have_one_answer_in_both_forms() {
    let generated = testkit::bodies::names().into_iter().filter(|name| !name.ends_with("5000"));
    let generated = generated.map(|name| testkit::bodies::case(&name)).map(|case| (case.name, case.body));
    let crafted =
        testkit::adversarial::adversarial(60_000).into_iter().map(|case| (case.name.to_owned(), case.body));
    for (name, body) in generated.chain(crafted) {
        let body = String::from_utf8(body).unwrap();
        for endpoint in [Endpoint::Mutate, Endpoint::Validate] {
            assert_eq!(answered(endpoint, &body).is_ok(), name != "the end is missing", "{name}");
        }
    }
}

/// A body in the form of the apiserver: an update by a person from `old` to `new` allocations.
fn update(new: &[String], old: &[String]) -> String {
    let object = |members: &[String]| {
        format!(
            r#"{{"metadata":{{"name":"10.0.0.0-8"}},"spec":{{"allocations":{{{}}},"range":"10.0.0.0/8"}}}}"#,
            members.join(",")
        )
    };
    let group = "whereabouts.cni.cncf.io";
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"1","kind":{{"group":"{group}","version":"v1alpha1","kind":"IPPool"}},"resource":{{"group":"{group}","version":"v1alpha1","resource":"ippools"}},"name":"10.0.0.0-8","operation":"UPDATE","userInfo":{{"username":"{PERSON}"}},"object":{},"oldObject":{},"dryRun":false}}}}"#,
        object(new),
        object(old)
    )
}

fn entry(key: &str, podref: &str) -> String {
    format!(r#""{key}":{{"id":"a","ifname":"eth0","podref":"{podref}"}}"#)
}

#[track_caller]
fn heard(body: &str) -> (Vec<String>, Vec<String>) {
    let answer: Value = serde_json::from_str(&answered(Endpoint::Validate, body).unwrap()).unwrap();
    (causes(&answer["response"]), warnings(&answer["response"]))
}

#[test]
fn a_change_between_two_objects_is_seen_at_any_position() {
    let stored: Vec<_> = (10..60).map(|key| entry(&key.to_string(), &format!("default/web-{key}"))).collect();
    for at in [0, 1, 25, 48, 49] {
        let key = 10 + at;
        let mut new = stored.clone();
        new[at] = entry(&key.to_string(), "default/other");
        let (causes, said) = heard(&update(&new, &stored));
        assert_eq!(causes, [""; 0]);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("spec.allocations[{key}].podref: ")), "{said:?}");

        new[at] = entry(&key.to_string(), "nonamespace");
        let (causes, _) = heard(&update(&new, &stored));
        assert_eq!(causes.len(), 1, "{causes:?}");
        let (causes, said) = heard(&update(&new, &new));
        assert!(causes.is_empty() && said.len() == 1 && said[0].contains("[IPP210"), "{said:?}");

        new.remove(at);
        assert_eq!(heard(&update(&new, &stored)), (vec![], vec![]));
        assert_eq!(heard(&update(&stored, &new)), (vec![], vec![]));
    }
}

#[test]
fn entries_past_the_bound_are_counted_and_not_kept_if_compact() {
    let entries: Vec<_> = (0..70_000).map(|key| entry(&key.to_string(), "")).collect();
    let (causes, said) = heard(&update(&entries, &entries));
    assert_eq!(causes, [""; 0]);
    assert!(said[0].contains("Too many: 70000: "), "{}", said[0]);
}

#[test]
fn of_duplicate_members_the_last_counts_in_both_forms() {
    let one = |key: &str| update(&[entry(key, "a/b")], &[entry("7", "a/b")]);
    let twice = [
        (r#""spec":{"#, r#""spec":{"allocations":{"7":{"id":"a","ifname":"eth0","podref":"a/b"}},"#),
        (r#""spec":{"#, r#""spec":{"range":"10.0.0.0/33"},"spec":{"#),
        (r#""metadata":{"#, r#""metadata":{"deletionTimestamp":"x"},"metadata":{"#),
        (r#""object":{"#, r#""object":{"spec":{"range":"10.0.0.0/8","allocations":{"7":{}}}},"object":{"#),
        (r#""oldObject":{"#, r#""oldObject":null,"oldObject":{"#),
        (r#""uid":"1""#, r#""uid":"1","uid":"2""#),
        (r#"{"id":"a""#, r#"{"id":"a","id":"b""#),
    ];
    for (once, twice) in twice {
        for body in [one("7"), one("8")] {
            for body in [body.replacen(once, twice, 1), body.replace(once, twice)] {
                assert!(body.contains(twice), "{twice}");
                answered(Endpoint::Validate, &body).unwrap();
                answered(Endpoint::Mutate, &body).unwrap();
            }
        }
    }
}

/// Entries that are the stored ones let the stored range be put back.
#[test]
fn whitespace_inside_an_unknown_field_does_not_change_an_entry() {
    let entry = |x: &str| format!(r#""7":{{"id":"a","podref":"a/b","ipamclaimref":{x},"x":{x}}}"#);
    let (compact, spaced) = (r#"{"list":[1,"two words"]}"#, r#"{ "list" : [ 1, "two words" ] }"#);
    let is_put_back = |new: &str, old: &str| {
        let body = update(&[entry(new)], &[entry(old)]).replacen("10.0.0.0/8", "10.0.0.1/8", 1);
        answered(Endpoint::Mutate, &body).unwrap().contains("patch")
    };
    for (new, old) in [(compact, spaced), (spaced, compact), (spaced, spaced)] {
        assert!(is_put_back(new, old), "{new} of {old}");
    }
    let (compact_escape, spaced_escape) =
        (r#"{"a b":[1,"\\\" c"]}"#, " { \"a b\" : [ 1,\t\"\\\\\\\" c\" ] } ");
    assert!(is_put_back(compact_escape, spaced_escape));
    assert!(!is_put_back(compact, &spaced.replace("two words", "twowords")));
    for (one, other) in [(r#""\" b""#, r#""\"b""#), (r#"["a ","b"]"#, r#"["a","b"]"#)] {
        assert!(!is_put_back(one, other), "{one}");
    }
}
