//! How often the apiserver calls the webhook for one request, counted by the webhook.

use serde_json::{Value, json};

use super::plane::{Identity, Plane};
use super::pools::{JSON, PoolApi, pool};
use super::webhook::{Hook, Webhook};

const NAME: &str = "10.30.0.0-24";

/// What is done, the request, and the calls it makes of `mutate` and of `validate`.
type Step<'a> = (&'a str, &'a dyn Fn() -> u16, [usize; 2]);

fn entry() -> Value {
    json!({ "id": "c2", "ifname": "net1", "podref": "default/web-2" })
}

/// The reviews of each endpoint so far: `mutate`, then `validate`.
fn reviews(webhook: &Webhook) -> [usize; 2] {
    ["mutate", "validate"].map(|endpoint| webhook.reviews(&[&format!("endpoint=\"{endpoint}\"")]))
}

#[test]
fn a_patch_of_an_entry_is_one_call_and_one_of_metadata_none() {
    let plane = Plane::start("calls");
    let webhook = Webhook::serve(&plane, &[]);
    webhook.register(&plane, &Hook::ALL);
    let token = plane.token("kube-system", "whereabouts");
    let by = |identity| PoolApi { plane: &plane, namespace: "kube-system", identity };
    let (person, plugin) = (by(Identity::Admin), by(Identity::Token(&token)));
    let patch = |op: &str, path: &str, value: Value| {
        person.patch(NAME, &json!([{ "op": op, "path": path, "value": value }])).0
    };
    let entries = "/spec/allocations";
    let steps: [Step<'_>; 11] = [
        ("a person creates the pool", &|| person.create(&pool("10.30.0.0/24", &["1"])).0, [1, 1]),
        ("an entry is added", &|| patch("add", &format!("{entries}/2"), entry()), [0, 1]),
        ("an entry is removed", &|| patch("remove", &format!("{entries}/2"), Value::Null), [0, 1]),
        ("a label is added", &|| patch("add", "/metadata/labels", json!({ "a": "b" })), [0, 0]),
        (
            "a finalizer is added",
            &|| patch("add", "/metadata/finalizers", json!(["example.com/held"])),
            [0, 0],
        ),
        ("a finalizer is removed", &|| patch("remove", "/metadata/finalizers", Value::Null), [0, 0]),
        ("nothing changes", &|| patch("test", "/spec/range", json!("10.30.0.0/24")), [0, 0]),
        (
            "the text of the range changes",
            &|| patch("replace", "/spec/range", json!(" 10.30.0.0/24")),
            [1, 0],
        ),
        (
            "whereabouts adds an entry",
            &|| {
                plugin
                    .patch(NAME, &json!([{ "op": "add", "path": "/spec/allocations/2", "value": entry() }]))
                    .0
            },
            [0, 1],
        ),
        ("a pool in use is deleted", &|| person.send("DELETE", &format!("/{NAME}"), JSON, "").0, [0, 1]),
        ("an empty pool is created by whereabouts", &|| plugin.create(&pool("10.30.0.0/24", &[])).0, [1, 1]),
    ];
    for (what, step, wanted) in steps {
        let before = reviews(&webhook);
        let code = step();
        assert!(matches!(code, 200 | 201), "{what}: {code}");
        let after = reviews(&webhook);
        assert_eq!([after[0] - before[0], after[1] - before[1]], wanted, "{what}");
    }
    assert_eq!(person.send("DELETE", &format!("/{NAME}"), JSON, "").0, 200);
    assert_eq!(webhook.reviews(&["operation=\"DELETE\""]), 1, "the second pool was empty");
}
