//! The `matchConditions` of `deploy/` in a control plane: who and what is sent to the webhook, and that no condition
//! errs whatever is stored.

use ippool_webhook::policy::Policy;
use serde_json::{Value, json};

use super::numbers;
use super::plane::{Identity, Plane};
use super::pools::{self, JSON, JSON_PATCH, PoolApi};
use super::process::awaited;
use super::rendered::registration;

/// The webhooks of `deploy/`, each held to its conditions by itself.
const WEBHOOKS: [&str; 4] = ["normalize", "validate", "deletion", "observe"];

/// Users, and what each of them may be taken for.
const USERS: [&str; 11] = [
    "alice",
    "system:serviceaccount:kube-system:whereabouts",
    "system:serviceaccount:kube-system:harvester-whereabouts-controller",
    "system:serviceaccount:nvidia-network-operator:nvidia-whereabouts-sa",
    "system:serviceaccount:openshift-multus:multus-ancillary-tools",
    "system:serviceaccount:openshift-multus:multus-ancillary-tools-2",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:whereabouts:default",
    "system:serviceaccount:kube-system:multus-ancillary-tools",
    "system:serviceaccount:a:b:whereabouts",
    "x-system:serviceaccount:kube-system:whereabouts",
];

/// A webhook registered under failurePolicy Fail at a Service that is not there: a call shows as a failure, and an
/// error of a condition as another.
struct Registered<'a> {
    plane: &'a Plane,
    configuration: Value,
}

impl<'a> Registered<'a> {
    /// Registers `webhook` and waits until the apiserver calls it for what `calls` does.
    fn new(plane: &'a Plane, webhook: &str, calls: impl Fn() -> bool) -> Self {
        let mut configuration = registration(&[webhook]);
        configuration["webhooks"][0]["failurePolicy"] = json!("Fail");
        plane.kubectl_with(&["create", "-f", "-"], &configuration.to_string(), &[]).ok();
        awaited("the webhook to be called", || calls().then_some(()));
        Self { plane, configuration }
    }

    /// Takes it away and waits until the apiserver no longer calls it for what `calls` does.
    fn remove(self, calls: impl Fn() -> bool) {
        self.plane.kubectl_with(&["delete", "-f", "-"], &self.configuration.to_string(), &[]).ok();
        awaited("the webhook to be forgotten", || (!calls()).then_some(()));
    }
}

fn failed_call(webhook: &str) -> String {
    format!("failed calling webhook \"{webhook}.ippools.whereabouts.cni.cncf.io\"")
}

/// Whether the apiserver calls `webhook` when `user` does this to a pool with an allocation.
fn calls(plane: &Plane, webhook: &str, user: &str, operation: &str) -> bool {
    let pool = pools::pool("10.9.1.0/24", &["1"]).to_string();
    let mut arguments = match operation {
        "CREATE" => vec!["create", "-f", "-"],
        "UPDATE" => vec![
            "patch",
            "ippool",
            "10.9.0.0-24",
            "--type=merge",
            "-p",
            r#"{"spec":{"range":"10.9.0.0/25"}}"#,
        ],
        _ => vec!["delete", "ippool", "10.9.0.0-24"],
    };
    arguments.extend(["--dry-run=server", "--as", user, "--as-group", "system:masters"]);
    let ran = plane.kubectl_with(&arguments, &pool, &[]);
    assert!(
        ran.code == 0 || ran.stderr.contains(&failed_call(webhook)),
        "{user} {operation}: {}",
        ran.stderr
    );
    ran.code != 0
}

#[test]
fn the_apiserver_decides_who_is_sent_to_the_webhook_as_the_policy_does() {
    let (plane, policy) = (Plane::start("conditions"), Policy::default());
    plane.kubectl_with(&["create", "-f", "-"], &pools::pool("10.9.0.0/24", &["1"]).to_string(), &[]).ok();
    for webhook in WEBHOOKS {
        let user = if webhook == "observe" { USERS[1] } else { USERS[0] };
        let operation = if webhook == "deletion" { "DELETE" } else { "CREATE" };
        let certain = || calls(&plane, webhook, user, operation);
        let registered = Registered::new(&plane, webhook, certain);
        for user in USERS {
            for operation in ["CREATE", "UPDATE", "DELETE"] {
                let (trusted, delete) = (policy.trusts(user), operation == "DELETE");
                let wanted = match webhook {
                    "normalize" => operation == "CREATE" || !delete && !trusted,
                    "validate" => !delete && !trusted,
                    "observe" => !delete && trusted,
                    _ => delete,
                };
                assert_eq!(calls(&plane, webhook, user, operation), wanted, "{webhook} {user} {operation}");
            }
        }
        registered.remove(certain);
    }
}

/// What somebody may write as `spec`; null where there is none.
fn specs() -> Vec<Value> {
    let pool = |range: &str, offsets: &[&str]| pools::pool(range, offsets)["spec"].clone();
    vec![
        Value::Null,
        pool("10.9.0.0/24", &[]),
        pool("10.9.0.0/24", &["1"]),
        pool("10.9.0.0/25", &["1"]),
        json!([1]),
        json!("text"),
        json!(7),
        json!({}),
        json!({ "allocations": {} }),
        json!({ "range": 7, "allocations": {} }),
        json!({ "range": [1], "allocations": {} }),
        json!({ "range": "10.9.0.0/24", "allocations": [1] }),
        json!({ "range": "10.9.0.0/24", "allocations": "text" }),
    ]
}

/// How many of those the schema of whereabouts takes: the first ones.
const TAKEN: usize = 4;

/// What one webhook does with every write of every spec over every other.
struct Trial<'a> {
    api: PoolApi<'a>,
    webhook: &'static str,
    /// How many of the specs the schema takes.
    taken: usize,
    tried: usize,
}

impl Trial<'_> {
    fn body(name: &str, spec: &Value) -> Value {
        // The generation is one that nobody may choose.
        let metadata = json!({ "name": name, "labels": { "tried": "yes" }, "generation": 99 });
        let mut pool = json!({ "apiVersion": "whereabouts.cni.cncf.io/v1alpha1", "kind": "IPPool", "metadata": metadata });
        if !spec.is_null() {
            pool["spec"] = spec.clone();
        }
        pool
    }

    /// Whether the apiserver calls the webhook; an error of a condition is a 403.
    fn calls(&mut self, method: &str, rest: &str, content_type: &str, body: &Value) -> bool {
        self.tried += 1;
        // Options in a body would outrank those in the query.
        let body = if method == "DELETE" { String::new() } else { body.to_string() };
        let (code, answer) = self.api.send(method, &format!("{rest}?dryRun=All"), content_type, &body);
        let message = answer["message"].as_str().unwrap_or_default();
        let called = message.contains(&failed_call(self.webhook));
        // What is neither called nor taken is refused by the schema.
        assert!(
            called || matches!(code, 200 | 201 | 422),
            "{} {method} {rest} {body}: {answer}",
            self.webhook
        );
        called
    }

    fn creates(&mut self) {
        for (number, spec) in specs().iter().enumerate() {
            let wanted = match self.webhook {
                "normalize" => true,
                "deletion" => false,
                _ => number < self.taken,
            };
            let called = self.calls("POST", "", JSON, &Self::body("new", spec));
            assert_eq!(called, wanted, "{} CREATE {spec}", self.webhook);
        }
    }

    fn updates(&mut self) {
        let specs = specs();
        for (place, old) in specs.iter().enumerate().take(self.taken) {
            let name = format!("stored-{place}");
            for (number, new) in specs.iter().enumerate() {
                let wanted = match self.webhook {
                    "normalize" => new["range"] != Value::Null && new["range"] != old["range"],
                    "deletion" => false,
                    _ => number < self.taken && new != old,
                };
                let called = [self.puts(&name, new), self.patches(&name, old, new)];
                assert_eq!(called, [wanted; 2], "{} UPDATE {old} {new}", self.webhook);
            }
        }
    }

    fn puts(&mut self, name: &str, spec: &Value) -> bool {
        let (_, stored) = self.api.send("GET", &format!("/{name}"), JSON, "");
        let mut body = Self::body(name, spec);
        body["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
        self.calls("PUT", &format!("/{name}"), JSON, &body)
    }

    fn patches(&mut self, name: &str, old: &Value, new: &Value) -> bool {
        let mut patch = vec![json!({ "op": "add", "path": "/metadata/labels", "value": { "tried": "yes" } })];
        match (old.is_null(), new.is_null()) {
            (_, false) => patch.push(json!({ "op": "add", "path": "/spec", "value": new })),
            (false, true) => patch.push(json!({ "op": "remove", "path": "/spec" })),
            (true, true) => {}
        }
        self.calls("PATCH", &format!("/{name}"), JSON_PATCH, &json!(patch))
    }

    fn deletes(&mut self) {
        for (place, old) in specs().iter().enumerate().take(self.taken) {
            let wanted =
                self.webhook == "deletion" && old["allocations"].as_object().is_some_and(|it| !it.is_empty());
            let called = self.calls("DELETE", &format!("/stored-{place}"), JSON, &Value::Null);
            assert_eq!(called, wanted, "{} DELETE {old}", self.webhook);
        }
    }
}

/// Tries every webhook with every spec that is stored so far; how many requests that took.
fn try_all(plane: &Plane, token: &str, taken: usize) -> usize {
    let tried = WEBHOOKS.map(|webhook| {
        let identity = if webhook == "observe" { Identity::Token(token) } else { Identity::Admin };
        let trial =
            || Trial { api: PoolApi { plane, namespace: "kube-system", identity }, webhook, taken, tried: 0 };
        let certain = || match webhook {
            "deletion" => trial().calls("DELETE", "/stored-2", JSON, &Value::Null),
            _ => trial().calls("POST", "", JSON, &Trial::body("new", &specs()[1])),
        };
        let registered = Registered::new(plane, webhook, certain);
        let mut trial = trial();
        trial.creates();
        trial.updates();
        trial.deletes();
        registered.remove(certain);
        trial.tried
    });
    tried.iter().sum()
}

/// Takes every requirement out of the CRD, so that anything can be stored.
fn loosen(plane: &Plane) {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let path = "/spec/versions/0/schema/openAPIV3Schema";
    let patch = json!([{ "op": "replace", "path": path, "value": schema }]).to_string();
    plane.kubectl(&["patch", "crd", "ippools.whereabouts.cni.cncf.io", "--type=json", "-p", &patch]).ok();
}

/// Creates the pools `stored-…` of these specs.
fn store(api: &PoolApi<'_>, places: std::ops::Range<usize>) {
    for (place, spec) in specs().iter().enumerate().take(places.end).skip(places.start) {
        let body = Trial::body(&format!("stored-{place}"), spec).to_string();
        // The new schema comes into force a little later.
        awaited("the pool to be stored", || (api.send("POST", "", JSON, &body).0 == 201).then_some(()));
    }
}

#[test]
fn no_condition_errs_whatever_is_stored_or_written() {
    let plane = Plane::start("shapes");
    let token = plane.token("kube-system", "whereabouts");
    let admin = PoolApi { plane: &plane, namespace: "kube-system", identity: Identity::Admin };
    store(&admin, 0..TAKEN);
    let mut tried = try_all(&plane, &token, TAKEN);
    loosen(&plane);
    store(&admin, TAKEN..specs().len());
    tried += try_all(&plane, &token, specs().len());
    assert!(tried > 1_500, "{tried}");
    numbers::record("requests that the conditions were held to", tried);
}
