//! A body as the apiserver writes it is read by a reader of its own. Whatever it reads, the reader for any
//! form reads too, and the same.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::usual::read as as_usual;
use super::{Envelope, in_any_form};

const HEAD: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","operation":"UPDATE","userInfo":{"username":"admin"},"#;

/// Everything that was read, as text.
fn written(envelope: Result<Envelope<'_>, super::Malformed>) -> String {
    match envelope {
        Ok(Envelope { question, new, old }) => format!("{question:?}\n{new:?}\n{old:?}"),
        Err(malformed) => format!("{malformed:?}"),
    }
}

/// Whether the body was read as usual; if so, it is read in the same way whatever its form.
#[track_caller]
fn is_read_alike(body: &str) -> bool {
    let Ok(asked) = as_usual(body) else { return false };
    let usual = Envelope::of(asked.map(|object| object.pool));
    let plain = in_any_form(body).and_then(Envelope::of);
    assert_eq!(written(usual), written(plain), "{body}");
    true
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
fn any_step() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
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

/// A stretch of a body, and what takes its place.
fn any_damage() -> impl Strategy<Value = (Index, usize, String)> {
    let pieces = vec![
        "",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        " ",
        "\n",
        "\t",
        "\u{1}",
        "null",
        "7",
        "1e999",
        "é",
        "\\u0041",
        "{}",
        "\"v:\\\"x\\\"\":{},",
        "\"id\":",
        ",\"ifname\":",
        ",\"podref\":\"x\"",
        "\"x\":1,",
        "\"allocations\":{},",
        "\"spec\":{},",
        "\"metadata\":{\"name\":\"y\"},",
        "\"managedFields\":[],",
        "\"object\":null,",
        "\"object\":{},",
        "\"uid\":\"2\",",
    ];
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
    fn any_step_is_read_alike((new, old) in any_step()) {
        is_read_alike(&update(&object(&new), &object(&old)));
        is_read_alike(&update(&object(&old), &object(&new)));
        is_read_alike(&update("null", &object(&new)));
        is_read_alike(&update(&object(&new), "null"));
    }

    #[test]
    fn any_damage_is_seen_alike((new, old) in any_step(), damage in prop::collection::vec(any_damage(), 1..3)) {
        is_read_alike(&damaged(&update(&object(&new), &object(&old)), damage));
    }
}

/// A member as whereabouts writes it.
fn member(key: u32) -> String {
    format!(r#""{key}":{{"id":"{key:064x}","ifname":"eth0","podref":"default/web-{key}"}}"#)
}

#[test]
fn what_the_apiserver_writes_is_read_as_usual() {
    let members: Vec<_> = (10..40).map(member).collect();
    let (all, less) = (object(&members), object(&members[1..]));
    for (new, old) in [(&all, &less), (&less, &all), (&all, &all)] {
        assert!(is_read_alike(&update(new, old)));
        assert!(is_read_alike(&(update(new, old) + "\n")), "Go ends what it encodes with a newline");
    }
    assert!(is_read_alike(&update("null", &all)) && is_read_alike(&update(&all, "null")));
}

#[test]
fn what_the_apiserver_sent_is_read_as_usual() {
    let recorded = [
        include_str!("../../../tests/fixtures/reviews/create-generate-name.json"),
        include_str!("../../../tests/fixtures/reviews/delete-with-finalizer.json"),
        include_str!("../../../tests/fixtures/reviews/large-100.json"),
        include_str!("../../../tests/fixtures/reviews/server-side-apply-create.json"),
        include_str!("../../../tests/fixtures/reviews/update-while-deleting.json"),
        include_str!("../../../tests/fixtures/reviews/whereabouts-node-slice.json"),
        include_str!("../../../tests/fixtures/reviews/whereabouts-third-allocation.json"),
    ];
    for body in recorded {
        assert!(is_read_alike(body), "{body}");
    }
}

#[test]
fn what_is_no_json_is_never_read_as_usual() {
    let fine = update(&object(&[member(1), member(2)]), &object(&[member(1)]));
    assert!(is_read_alike(&fine));
    let slips = [
        (r#""ifname":"eth0""#, r#""ifname":"#),
        (r#""eth0""#, "\"eth\n0\""),
        (r#""podref":"default"#, "\"podref\":\"de\u{1}fault"),
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
    for (right, wrong) in slips {
        for broken in [fine.replacen(right, wrong, 1), fine.replace(right, wrong)] {
            assert_ne!(broken, fine, "{right}");
            assert!(!is_read_alike(&broken), "{broken}");
            assert!(in_any_form(&broken).is_err(), "{broken}");
        }
    }
}

#[test]
fn an_entry_is_not_taken_for_one_that_only_begins_like_it() {
    let number = |text: &str| object(&[format!("\"1\":{text}"), member(2)]);
    for (new, old) in
        [("7", "77"), ("7", "7.5"), ("7", "7e2"), ("{}", "{\"id\":\"a\"}"), ("\"a\"", "\"a\\\"\"")]
    {
        is_read_alike(&update(&number(new), &number(old)));
        is_read_alike(&update(&number(old), &number(new)));
    }
}
