//! The compact form of an apiserver has a reader of its own. Whatever that reads, the general one reads as well, and the same.
#![allow(clippy::panic, reason = "a test fails by panicking")]

use ippool_webhook::admission::decode::{Decoded, decode};
use ippool_webhook::kinds::ippool::{IpPool, MAX_ALLOCATIONS};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const HEAD: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","operation":"UPDATE","userInfo":{"username":"admin"},"#;

/// Decodes a body, and once more with a space in front, which makes it another form. Returns whether it is a review.
#[track_caller]
fn has_one_meaning(body: &str) -> bool {
    let spaced = format!(" {body}");
    match (decode::<IpPool>(body), decode::<IpPool>(&spaced)) {
        (Ok(compact), Ok(general)) => {
            assert_eq!(written(&compact), written(&general), "{body}");
            true
        }
        (Err(compact), Err(general)) => {
            assert_eq!(compact.reason, general.reason, "{body}");
            false
        }
        (compact, general) => panic!("{compact:?}\n{general:?}\n{body}"),
    }
}

/// Everything that was decoded, as text.
fn written(decoded: &Decoded<'_, IpPool>) -> String {
    let Decoded { request, object, old_object } = decoded;
    format!("{request:?}\n{object:?}\n{old_object:?}")
}

/// An update between two objects.
fn update(new: &str, old: &str) -> String {
    format!(r#"{HEAD}"object":{new},"oldObject":{old},"dryRun":false}}}}"#)
}

/// An object with these members in `spec.allocations`.
fn object(members: &[String]) -> String {
    let managed: Vec<_> = members.iter().map(|member| managed(member)).collect();
    format!(
        r#"{{"kind":"IPPool","metadata":{{"generation":{},"managedFields":[{{"fieldsType":"FieldsV1","fieldsV1":{{"f:spec":{{".":{{}},"f:allocations":{{".":{{}},{}}}}}}},"manager":"x"}}],"name":"10.0.0.0-24"}},"spec":{{"allocations":{{{}}},"range":"10.0.0.0/24"}}}}"#,
        members.len(),
        managed.join(","),
        members.join(",")
    )
}

fn managed(member: &str) -> String {
    let ifname = if member.contains("ifname") { r#""f:ifname":{},"# } else { "" };
    format!(r#""f:{}":{{".":{{}},"f:id":{{}},{ifname}"f:podref":{{}}}}"#, member.len())
}

/// Members of `spec.allocations`: as whereabouts writes them, and every other way JSON has.
fn any_member() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        8 => (0..40u32).prop_map(|key| key.to_string()),
        1 => select(vec!["01", "-0", "one", "", "é", "\\u0031", "99999999999999999999"]).prop_map(str::to_owned),
    ];
    let entry = prop_oneof![
        8 => (0..3u8).prop_map(|n| format!(r#"{{"id":"{n}","ifname":"eth{n}","podref":"default/a-{n}"}}"#)),
        3 => (0..3u8).prop_map(|n| format!(r#"{{"id":"{n}","podref":"default/a-{n}"}}"#)),
        3 => select(vec![
            r#"{"id":"a","ifname":"é","podref":""}"#,
            r#"{"id":"a","podref":"b/c","ifname":"eth0"}"#,
            r#"{"podref":"b/c","id":"a"}"#,
            r#"{"id":"a","ifname":null,"podref":"b/c"}"#,
            r#"{"id":"a","ifname":"eth0","podref":"b/c","x":{"y":[1.50,"}"]}}"#,
            r#"{"id":"a","id":"b","podref":"b/c"}"#,
            r#"{"id":"\u0061","ifname":"eth0","podref":"b\/c"}"#,
            r#"{"id":"\"},","ifname":"eth0","podref":"b/c"}"#,
            r#"{ "id":"a", "podref":"b/c" }"#,
            "{}", "null", "7", "7.5", "true", "[1,{\"a\":[]}]", "\"text\"", "1e999", "\"\\ud800\"",
        ]).prop_map(str::to_owned),
    ];
    (key, entry).prop_map(|(key, entry)| format!("\"{key}\":{entry}"))
}

/// A list of members in the order the apiserver sends them, mostly, and what became of it.
fn any_update() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let edit = (any::<Index>(), 0..4u8, any_member());
    let edits = prop::collection::vec(edit, 0..4);
    (prop::collection::vec(any_member(), 0..12), any::<bool>(), edits).prop_map(|(mut old, sorted, edits)| {
        if sorted {
            old.sort();
            old.dedup_by(|a, b| a.split(':').next() == b.split(':').next());
        }
        let mut new = old.clone();
        for (index, kind, member) in edits {
            let at = index.index(new.len() + 1);
            match kind {
                0 => new.insert(at, member),
                _ if at == new.len() => {}
                1 => drop(new.remove(at)),
                2 => new[at] = member,
                _ => new.swap(0, at),
            }
        }
        (new, old)
    })
}

/// A piece of a body, and what replaces it.
fn any_damage() -> impl Strategy<Value = (Index, usize, String)> {
    let tokens = r#"{ } [ ] , : " \ null 7 1e999 é \u0041 {} "v:\"x\"":{}, "id": ,"ifname": ,"podref":"x" "x":1, "object":{}, "#;
    let members = r#""allocations":{}, "spec":{}, "metadata":{"name":"y"}, "managedFields":[], "object":null, "uid":"2","#;
    let pieces: Vec<_> =
        tokens.split(' ').chain(members.split(' ')).chain([" ", "\n", "\t", "\u{1}"]).collect();
    (any::<Index>(), 0..12usize, select(pieces).prop_map(str::to_owned))
}

fn damaged(body: &str, damage: Vec<(Index, usize, String)>) -> String {
    damage.into_iter().fold(body.to_owned(), |body, (index, length, piece)| {
        let bounds: Vec<_> = (0..=body.len()).filter(|at| body.is_char_boundary(*at)).collect();
        let start = index.index(bounds.len());
        let end = (start + length).min(bounds.len() - 1);
        format!("{}{piece}{}", &body[..bounds[start]], &body[bounds[end]..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_update_has_one_meaning_in_both_readers((new, old) in any_update()) {
        has_one_meaning(&update(&object(&new), &object(&old)));
        has_one_meaning(&update(&object(&old), &object(&new)));
        has_one_meaning(&update("null", &object(&new)));
        has_one_meaning(&update(&object(&new), "null"));
    }

    #[test]
    fn any_damaged_body_has_one_meaning_in_both_readers((new, old) in any_update(), damage in prop::collection::vec(any_damage(), 1..3)) {
        has_one_meaning(&damaged(&update(&object(&new), &object(&old)), damage));
    }
}

/// A member as whereabouts writes it.
fn member(key: u32) -> String {
    format!(r#""{key}":{{"id":"{key:064x}","ifname":"eth0","podref":"default/web-{key}"}}"#)
}

#[test]
fn what_is_not_json_is_not_a_review_in_either_reader() {
    let fine = update(&object(&[member(1), member(2)]), &object(&[member(1)]));
    assert!(has_one_meaning(&fine) && !has_one_meaning(&update("", "null")));
    let mistakes = [
        (r#""ifname":"eth0""#, r#""ifname":"#),
        (r#""eth0""#, "\"eth\n0\""),
        (r#""podref":"default"#, "\"podref\":\"de\u{1}fault"),
        (r#""id":"00"#, "\"id\":\"\u{1}0"),
        (r#"},"2""#, r#"}"2""#),
        (r#"},"2""#, r#"},,"2""#),
        (r#"{"1""#, r#"{,"1""#),
        ("},\"range\"", ",},\"range\""),
        (r#""f:id":{}"#, r#""f:id":{"#),
        ("]", "]]"),
        ("\"f:spec\"", "7"),
        ("false}}", "false}},"),
        ("false}}", "false}}}"),
        ("false}}", "false}} null"),
    ];
    for (right, wrong) in mistakes {
        for broken in [fine.replacen(right, wrong, 1), fine.replace(right, wrong)] {
            assert_ne!(broken, fine, "{right}");
            assert!(!has_one_meaning(&broken), "{broken}");
        }
    }
}

#[test]
fn an_entry_is_not_read_as_one_that_begins_like_it() {
    let number = |text: &str| object(&[format!("\"1\":{text}"), member(2)]);
    for (new, old) in
        [("7", "77"), ("7", "7.5"), ("7", "7e2"), ("{}", "{\"id\":\"a\"}"), ("\"a\"", "\"a\\\"\"")]
    {
        has_one_meaning(&update(&number(new), &number(old)));
        has_one_meaning(&update(&number(old), &number(new)));
    }
}

#[test]
fn an_object_that_lacks_a_value_has_no_meaning_in_either_reader() {
    for object in [
        r#"{"metadata":,"kind":"IPPool"}"#,
        r#"{"metadata":{"managedFields":,"name":"a"}}"#,
        r#"{"metadata":{"managedFields":[,]}}"#,
        r#"{"metadata":{"managedFields":[{,}]}}"#,
        r#"{"metadata":{"managedFields":[{"a":,"b":{}}]}}"#,
        r#"{"spec":,"kind":"IPPool"}"#,
        r#"{"spec":{"allocations":,"range":"10.0.0.0/24"}}"#,
        r#"{"spec":{"allocations":{,}}}"#,
    ] {
        assert!(!has_one_meaning(&update(object, "null")), "{object}");
        assert!(!has_one_meaning(&update("null", object)), "{object}");
    }
}

#[test]
fn deep_nesting_overflows_no_stack_wherever_it_is_skipped() {
    let deep = |open: &str, close: &str| open.repeat(200_000) + "{}" + &close.repeat(200_000);
    for deep in [deep("{\"a\":", "}"), deep("[", "]")] {
        for object in [
            format!(r#"{{"metadata":{{"managedFields":[{deep}],"name":"a"}}}}"#),
            format!(r#"{{"metadata":{{"labels":{deep},"name":"a"}}}}"#),
        ] {
            // Whether serde takes it is not the point.
            let _ = decode::<IpPool>(&update(&object, "null"));
        }
    }
}

#[test]
fn two_bytes_that_change_alike_are_a_change() {
    let members: Vec<_> = (10..40).map(member).collect();
    for at in 0..members.len() {
        let mut changed = members.clone();
        changed[at] = changed[at].replace("web", "wda");
        assert!(has_one_meaning(&update(&object(&members), &object(&changed))), "{at}");
    }
}

#[test]
fn entries_that_follow_a_change_are_found_at_their_place() {
    // With one of these lengths, the text between two objects is as long as some entries.
    for length in 0..200 {
        let member = |key: u32, pod: &str| {
            format!(r#""{key}":{{"id":"{}","ifname":"eth0","podref":"default/{pod}"}}"#, "a".repeat(length))
        };
        let members: Vec<_> = (10..20).map(|key| member(key, "web")).collect();
        let mut changed = members.clone();
        changed[1] = member(11, "wda");
        let plain = |members: &[String]| {
            format!(r#"{{"spec":{{"allocations":{{{}}},"range":"10.0.0.0/24"}}}}"#, members.join(","))
        };
        assert!(has_one_meaning(&update(&plain(&members), &plain(&changed))), "{length}");
    }
}

#[test]
fn strings_at_the_end_of_a_body_are_read_to_their_own_end() {
    let body = |name: &str, namespace: &str| {
        format!(r#"{HEAD}"object":null,"name":"{name}","namespace":"{namespace}"}}}}"#)
    };
    for lengths in 0..400 {
        assert!(has_one_meaning(&body(&"a".repeat(lengths / 20), &"b".repeat(lengths % 20))));
    }
    for (end, is_json) in
        [(" c", true), ("\\\"", true), ("\\\\", true), ("\"", false), ("\\", false), ("\u{1}", false)]
    {
        assert_eq!(has_one_meaning(&body("a", end)), is_json, "{end}");
    }
}

#[test]
fn an_id_of_a_container_holds_no_control_character_in_either_reader() {
    let entry = |id: &str| format!(r#"{{"spec":{{"allocations":{{"1":{{"id":"{id}","podref":"a/b"}}}}}}}}"#);
    let id = "a".repeat(64);
    for wrong in ["\n", "\u{1}", "\u{1f}"] {
        for id in [format!("{wrong}{}", &id[1..]), format!("{}{wrong}", &id[1..])] {
            assert!(!has_one_meaning(&update(&entry(&id), "null")), "{id:?}");
        }
    }
    for right in [" ", "\u{7f}", "!", "#"] {
        assert!(has_one_meaning(&update(&entry(&format!("{right}{}", &id[1..])), "null")), "{right:?}");
    }
}

#[test]
fn no_more_entries_are_read_where_both_objects_share_them() {
    let keys = (10_000..).take(MAX_ALLOCATIONS + 1);
    let members: Vec<_> = keys.map(|key| format!(r#""{key}":{{"id":"a","podref":"b/c"}}"#)).collect();
    let body = update(&object(&members[1..]), &object(&members));
    let Ok(decoded) = decode::<IpPool>(&body) else { panic!("it is a review") };
    let [new, old] = [decoded.object, decoded.old_object].map(|it| it.unwrap_or_default().spec);
    assert_eq!((new.allocations.len(), new.truncated), (MAX_ALLOCATIONS, 0));
    assert_eq!((old.allocations.len(), old.truncated), (MAX_ALLOCATIONS, 1));
}
