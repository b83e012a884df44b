//! Adversarial bodies, which take as much time or memory as a body of their size can. No apiserver sends them, since the
//! CRD denies most. Their cost has to grow linearly with their size.

/// A body, named for what it tries.
pub struct Adversarial {
    pub name: &'static str,
    pub body: Vec<u8>,
}

/// Bodies of about `bytes` each.
pub fn adversarial(bytes: usize) -> Vec<Adversarial> {
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
    let step = |name, new: &str, old: &str| Adversarial { name, body: update(&object(new), &object(old)) };
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
        Adversarial { name: "the end is missing", body: cut },
        Adversarial { name: "fields nobody knows", body: update(&spec(&bare), &spec(&bare)) },
        Adversarial {
            name: "allocations over and over",
            body: update(&spec(&over_and_over), &spec(&over_and_over)),
        },
        Adversarial {
            name: "another base under all entries",
            body: update(&object(&misplaced).replace("10.0.0.0/8", "10.0.0.9/8"), &object(&misplaced)),
        },
    ]
}

/// Members of a JSON object that are `bytes` long together.
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
