//! Reviews to measure with: recorded ones, and generated ones in the form that the apiserver sends. Its JSON has sorted
//! keys and no whitespace, `managedFields` repeats the name of every field, and `object` comes before `oldObject`.

use ippool_webhook::admission::Endpoint;

use crate::recorded;

/// The kinds of request that are generated.
const GENERATED: [&str; 10] = [
    "add",
    "add-by-a-person",
    "add-beside-a-reservation",
    "remove",
    "label",
    "create",
    "delete",
    "patch",
    "deny",
    "long-key",
];

/// How many allocations the recorded and the generated reviews hold.
const RECORDED: [usize; 4] = [3, 100, 1_000, 5_000];
const SIZES: [usize; 2] = [500, 5_000];

/// One request to measure.
pub struct Case {
    /// The kind of request, and how many allocations the pool holds: `add-500`.
    pub name: String,
    /// The endpoint it is sent to.
    pub endpoint: Endpoint,
    /// The AdmissionReview.
    pub body: Vec<u8>,
}

/// The names of all cases.
pub fn names() -> Vec<String> {
    let recorded = RECORDED.iter().map(|size| format!("recorded-{size}"));
    let generated = GENERATED.iter().flat_map(|kind| SIZES.map(|size| format!("{kind}-{size}")));
    recorded.chain(generated).collect()
}

/// The case of this name.
pub fn case(name: &str) -> Case {
    let (kind, size) = name.rsplit_once('-').unwrap_or_else(|| panic!("{name} names no size"));
    let size = size.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
    let body = if kind == "recorded" { recorded(size) } else { generated(kind, size) };
    let endpoint = if kind == "patch" { Endpoint::Mutate } else { Endpoint::Validate };
    Case { name: name.to_owned(), endpoint, body }
}

/// A request of this kind for a pool of `size` allocations.
fn generated(kind: &str, size: usize) -> Vec<u8> {
    let pool = Pool { range: "10.0.0.0/16", podref: "prod/payments-api", last: size };
    let more = Pool { last: size + 1, ..pool };
    let (before, after) = (pool.object(1), more.object(2));
    match kind {
        "add" => review("UPDATE", PLUGIN, &after, &before),
        "add-by-a-person" => review("UPDATE", PERSON, &after, &before),
        "add-beside-a-reservation" => review("UPDATE", PLUGIN, &reserved(&after), &reserved(&before)),
        "remove" => review("UPDATE", PLUGIN, &before, &after),
        "label" => review("UPDATE", PERSON, &pool.object(2), &before),
        "create" => review("CREATE", PERSON, &before, "null"),
        "delete" => review("DELETE", PERSON, "null", &before),
        // A range that is not canonical, which the patch repairs.
        "patch" => review("CREATE", PERSON, &Pool { range: "10.0.0.0/016", ..pool }.object(1), "null"),
        // No namespace in any podref.
        "deny" => review("CREATE", PERSON, &Pool { podref: "payments-api", ..pool }.object(1), "null"),
        // No shared entries, and a key that must not be compared with each entry.
        "long-key" => {
            let others = Pool { podref: "prod/another-api", ..pool }.object(1);
            let key = format!(r#""allocations":{{"{}":{{}},"#, " ".repeat(size * 50));
            review("UPDATE", PLUGIN, &others.replacen(r#""allocations":{"#, &key, 1), &before)
        }
        other => panic!("no kind of request is called {other}"),
    }
}

/// A person, as kubectl authenticates them.
const PERSON: &str = "admin";
/// The CNI plugin in the stock installation: a trusted writer.
const PLUGIN: &str = "system:serviceaccount:kube-system:whereabouts";

/// A generated pool.
#[derive(Clone, Copy)]
struct Pool {
    range: &'static str,
    /// The names of all pods before their number.
    podref: &'static str,
    /// The last offset; the first is 1.
    last: usize,
}

impl Pool {
    /// As the apiserver writes it, in its `generation`.
    fn object(&self, generation: u32) -> String {
        let mut keys: Vec<_> = (1..=self.last).map(|key| key.to_string()).collect();
        keys.sort();
        let managed = keys.iter().map(|key| managed(key)).collect::<Vec<_>>().join(",");
        let entries = keys.iter().map(|key| self.entry(key)).collect::<Vec<_>>().join(",");
        let range = self.range;
        format!(
            r#"{{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","kind":"IPPool","metadata":{{"creationTimestamp":"2026-11-22T16:11:40Z","generation":{generation},"managedFields":[{{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","fieldsType":"FieldsV1","fieldsV1":{{"f:spec":{{".":{{}},"f:allocations":{{".":{{}},{managed}}},"f:range":{{}}}}}},"manager":"whereabouts","operation":"Update","time":"2026-11-22T16:11:4{generation}Z"}}],"name":"10.0.0.0-16","namespace":"kube-system","resourceVersion":"310","uid":"20004a2d-17cf-46e8-8524-23fd1fd34fca"}},"spec":{{"allocations":{{{entries}}},"range":"{range}"}}}}"#
        )
    }

    fn entry(&self, key: &str) -> String {
        let number: u64 = key.parse().unwrap_or_default();
        // The ids differ from the first digit on, as real ones do.
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let podref = self.podref;
        format!(
            r#""{key}":{{"id":"{id:016x}{id:016x}{id:016x}{id:016x}","ifname":"eth0","podref":"{podref}-{number:05}-{:05x}"}}"#,
            id >> 44
        )
    }
}

/// The same pool with its first address reserved by hand, which causes a warning.
fn reserved(object: &str) -> String {
    object.replacen("\"podref\":\"prod/payments-api-00001", "\"podref\":\"\",\"was\":\"", 1)
}

fn managed(key: &str) -> String {
    format!(r#""f:{key}":{{".":{{}},"f:id":{{}},"f:ifname":{{}},"f:podref":{{}}}}"#)
}

fn review(operation: &str, username: &str, object: &str, old: &str) -> Vec<u8> {
    let kind = r#"{"group":"whereabouts.cni.cncf.io","version":"v1alpha1","kind":"IPPool"}"#;
    let resource = r#"{"group":"whereabouts.cni.cncf.io","version":"v1alpha1","resource":"ippools"}"#;
    let text = format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"76b4283a-0e02-415e-b6b6-4f767172b7a8","kind":{kind},"resource":{resource},"requestKind":{kind},"requestResource":{resource},"name":"10.0.0.0-16","namespace":"kube-system","operation":"{operation}","userInfo":{{"username":"{username}","groups":["system:authenticated"]}},"object":{object},"oldObject":{old},"dryRun":false,"options":{{"kind":"UpdateOptions","apiVersion":"meta.k8s.io/v1"}}}}}}"#
    );
    text.into_bytes()
}
