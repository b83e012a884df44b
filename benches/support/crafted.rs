//! Bodies made to take as much time or memory as a body of their size can. No apiserver sends them; the CRD
//! would refuse most. What they cost has to grow with their size and no faster.
#![allow(dead_code, reason = "each bench and test uses a part of it")]

/// A body and what it tries.
pub struct Crafted {
    pub name: &'static str,
    pub body: Vec<u8>,
}

/// Bodies of about so many bytes each.
pub fn crafted(bytes: usize) -> Vec<Crafted> {
    let half = bytes / 2;
    let bare = members(half, |n| format!(r#""{n}":0"#));
    let empty = members(half, |n| format!(r#""{n}":{{}}"#));
    let owned_by_one = members(half, |n| format!(r#""{n}":{{"id":"","ifname":"a","podref":"a/b"}}"#));
    let misspelled = members(half, |n| format!(r#""+{n}":{{"id":"","podref":""}}"#));
    let misplaced = members(half, |n| format!(r#""-{n}":{{"id":"","podref":"a","ifname":"/"}}"#));
    let escaped = members(half, |n| format!(r#""{n}":{{"id":"\u0061","podref":"\u0061/b"}}"#));
    let named = |id: &str| members(half, |n| format!(r#""{n}":{{"id":"{id}","podref":"a/b{n}"}}"#));
    let backwards = members(half, |n| format!(r#""{}":{{"id":"a","podref":"a/b"}}"#, 999_999 - n));
    let over_and_over = members(half, |n| format!(r#""allocations":{{"{n}":{{}}}}"#));
    let long = "9".repeat(half);
    let deep = format!(r#""1":{}{}"#, "[".repeat(half / 2), "]".repeat(half / 2));
    let step = |name, new: &str, old: &str| Crafted { name, body: update(&object(new), &object(old)) };
    let mut cut = update(&object(&named("a")), &object(&named("a")));
    cut.pop();
    vec![
        step("bare entries", &bare, &bare),
        step("bare entries brought in", &format!("{bare},{bare}"), ""),
        step("empty entries", &empty, &empty),
        step("one owner of all", &owned_by_one, &owned_by_one),
        step("misspelled offsets", &misspelled, &misspelled),
        step("three defects in each entry", &misplaced, &misplaced),
        step("escapes in every entry", &escaped, &escaped),
        step("no entry as it was", &named("a"), &named("b")),
        step("entries backwards", &backwards, &named("a")),
        step("one long key", &format!(r#""{long}":{{}}"#), &format!(r#""{long}0":{{}}"#)),
        step("a long key before what it is compared with", &format!(r#""{long}":{{}}"#), &bare),
        step("deep nesting", &deep, &deep),
        Crafted { name: "the end is missing", body: cut },
        Crafted { name: "fields nobody knows", body: update(&spec(&bare), &spec(&bare)) },
        Crafted {
            name: "allocations over and over",
            body: update(&spec(&over_and_over), &spec(&over_and_over)),
        },
        Crafted {
            name: "another base under all entries",
            body: update(&object(&misplaced).replace("10.0.0.0/8", "10.0.0.9/8"), &object(&misplaced)),
        },
    ]
}

/// Members of a JSON object, that take so many bytes together.
fn members(bytes: usize, member: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 64);
    for number in 0.. {
        text += &member(number);
        if text.len() >= bytes {
            break;
        }
        text.push(',');
    }
    text
}

fn object(allocations: &str) -> String {
    spec(&format!(r#""allocations":{{{allocations}}},"range":"10.0.0.0/8""#))
}

fn spec(members: &str) -> String {
    format!(r#"{{"metadata":{{"name":"10.0.0.0-8"}},"spec":{{{members}}}}}"#)
}

fn update(new: &str, old: &str) -> Vec<u8> {
    let group = "whereabouts.cni.cncf.io";
    let text = format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"1","kind":{{"group":"{group}","version":"v1alpha1","kind":"IPPool"}},"resource":{{"group":"{group}","version":"v1alpha1","resource":"ippools"}},"name":"10.0.0.0-8","operation":"UPDATE","userInfo":{{"username":"admin"}},"object":{new},"oldObject":{old},"dryRun":false}}}}"#
    );
    text.into_bytes()
}
