//! The requests that are allowed while the webhook is down, derived from the registration and written into
//! `docs/gitops-and-restore.md` by `UPDATE_EXPECTED=1 cargo test --test deploy`. `cluster/down.rs` checks them against a
//! control plane.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::registration::{conditions, webhook};
use super::{cel, file};

/// The webhooks of `deploy/base`, in the order in which the apiserver calls them.
const BASE: [&str; 3] = ["normalize", "validate", "deletion"];

const PAGE: &str = "../docs/gitops-and-restore.md";
const START: &str =
    "<!-- down: written by `UPDATE_EXPECTED=1 cargo test --test deploy`, compared by a test -->\n";
const END: &str = "<!-- /down -->\n";

const WHEREABOUTS: &str = "system:serviceaccount:kube-system:whereabouts";
const NAMESPACE_CONTROLLER: &str = "system:serviceaccount:kube-system:namespace-controller";

/// A request that people or programs send.
struct Write {
    who: &'static str,
    what: &'static str,
    username: &'static str,
    old: Value,
    new: Value,
}

/// The outcome of a request while no replica responds.
struct Outcome {
    passes: bool,
    called: Vec<&'static str>,
    /// The maximum duration of all calls, in seconds, where connections are dropped instead of refused.
    wait: u64,
}

fn pool(range: &str, offsets: &[&str]) -> Value {
    let entry = |offset: &&str| {
        (offset.to_string(), json!({ "id": "0a", "podref": "default/web-0", "ifname": "net1" }))
    };
    let allocations: serde_json::Map<_, _> = offsets.iter().map(entry).collect();
    let metadata = json!({ "name": "10.0.9.0-24", "generation": 1, "finalizers": ["example.com/held"] });
    json!({ "metadata": metadata, "spec": { "range": range, "allocations": allocations } })
}

/// The pool with this value in its metadata.
fn with_metadata(mut pool: Value, key: &str, value: Value) -> Value {
    pool["metadata"][key] = value;
    pool
}

fn writes() -> Vec<Write> {
    let pods = || pool("10.0.9.0/24", &["1", "2"]);
    let empty = || pool("10.0.9.0/24", &[]);
    let none = || Value::Null;
    let by = |who, username| move |what, old: Value, new: Value| Write { who, what, username, old, new };
    let (cni, person) = (by("whereabouts", WHEREABOUTS), by("a person, GitOps, another controller", "alice"));
    let (anyone, controller) = (by("anyone", "alice"), by("the namespace controller", NAMESPACE_CONTROLLER));
    vec![
        cni("allocates or releases an address", pods(), pool("10.0.9.0/24", &["1"])),
        cni("creates a pool", none(), empty()),
        person("creates a pool, or applies the manifest of a new one", none(), empty()),
        person("applies a manifest that changes nothing", pods(), pods()),
        person("changes `spec.range`", empty(), pool("10.0.9.0/25", &[])),
        person(
            "adds or changes an entry of `spec.allocations`",
            pods(),
            pool("10.0.9.0/24", &["1", "2", "3"]),
        ),
        person("removes a leaked entry of `spec.allocations`", pods(), pool("10.0.9.0/24", &["1"])),
        anyone(
            "adds or removes a label or an annotation",
            pods(),
            with_metadata(pods(), "labels", json!({ "a": "b" })),
        ),
        anyone("removes a finalizer", pods(), with_metadata(pods(), "finalizers", json!([]))),
        anyone("deletes an empty pool", empty(), none()),
        anyone("deletes a pool in use", pods(), none()),
        controller("deletes each pool in use of a namespace that is deleted", pods(), none()),
    ]
}

impl Write {
    fn operation(&self) -> &'static str {
        match (self.old.is_null(), self.new.is_null()) {
            (true, _) => "CREATE",
            (_, true) => "DELETE",
            _ => "UPDATE",
        }
    }

    /// The variables of conditions. Like the apiserver before the validating phase, this increments `generation` when the
    /// spec changes.
    fn request(&self) -> Value {
        let mut object = self.new.clone();
        if self.operation() == "UPDATE" && object["spec"] != self.old["spec"] {
            object["metadata"]["generation"] = json!(2);
        }
        let request = json!({ "operation": self.operation(), "userInfo": { "username": self.username } });
        json!({ "request": request, "object": object, "oldObject": self.old })
    }

    /// Whether the apiserver calls `webhook`; an error is one of a condition.
    fn calls(&self, webhook: &Value) -> Result<bool, String> {
        let operations = webhook["rules"][0]["operations"].as_array().unwrap();
        if !operations.contains(&json!(self.operation())) {
            return Ok(false);
        }
        let request = self.request();
        conditions(webhook).iter().try_fold(true, |all, it| Ok(all && cel::holds(it, &request)?))
    }

    fn outcome(&self) -> Outcome {
        let mut outcome = Outcome { passes: true, called: Vec::new(), wait: 0 };
        for name in BASE {
            let webhook = webhook(name);
            if self.calls(&webhook).unwrap_or_else(|error| panic!("{name}: {}: {error}", self.what)) {
                outcome.called.push(name);
                outcome.wait += webhook["timeoutSeconds"].as_u64().unwrap();
                outcome.passes &= webhook["failurePolicy"] == "Ignore";
            }
        }
        outcome
    }

    fn row(&self) -> String {
        let outcome = self.outcome();
        let passes = if outcome.passes { "goes through" } else { "**is refused**" };
        let called: Vec<_> = outcome.called.iter().map(|name| format!("`{name}`")).collect();
        let called = if called.is_empty() { "not called".to_owned() } else { called.join(", ") };
        let wait =
            if outcome.wait == 0 { "at once".to_owned() } else { format!("at most {} s", outcome.wait) };
        format!("| {} | {} | {passes} | {called} | {wait} |\n", self.who, self.what)
    }
}

fn table() -> String {
    let mut table =
        "| who | what they do | while the webhook is down | webhooks that are called | the response comes |\n"
            .to_owned();
    table.push_str("|---|---|---|---|---|\n");
    writes().iter().for_each(|it| write!(table, "{}", it.row()).unwrap());
    table
}

#[test]
fn the_table_of_requests_while_it_is_down_follows_from_the_registration() {
    let (path, table) = (file(PAGE), table());
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(START).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_EXPECTED").is_some() && written != table {
        return std::fs::write(path, format!("{before}{START}{table}{END}{after}")).unwrap();
    }
    assert_eq!(written, table, "run again with UPDATE_EXPECTED=1");
}

#[test]
fn requests_that_are_never_denied_do_not_depend_on_the_webhook() {
    let passes: Vec<_> = writes().iter().map(|it| (it.who, it.what, it.outcome().passes)).collect();
    let refused: Vec<_> =
        passes.iter().filter(|(.., passes)| !passes).map(|(who, what, _)| (*who, *what)).collect();
    let person = "a person, GitOps, another controller";
    let wanted = [
        "creates a pool, or applies the manifest of a new one",
        "changes `spec.range`",
        "adds or changes an entry of `spec.allocations`",
        "removes a leaked entry of `spec.allocations`",
    ];
    assert_eq!(refused, wanted.map(|what| (person, what)));
}

#[test]
fn no_condition_fails_on_any_stored_pool() {
    let specs = [
        json!({}),
        json!({ "spec": null }),
        json!({ "spec": [1] }),
        json!({ "spec": "text" }),
        json!({ "spec": 7 }),
        json!({ "spec": {} }),
        json!({ "spec": { "range": 7 } }),
        json!({ "spec": { "range": null, "allocations": null } }),
        json!({ "spec": { "range": "10.0.9.0/24", "allocations": [1] } }),
        json!({ "spec": { "range": "10.0.9.0/24", "allocations": "text" } }),
        pool("10.0.9.0/24", &["1"]),
    ];
    let stored = specs.map(|mut it| {
        it["metadata"] = json!({ "generation": 1 });
        it
    });
    for (old, new) in stored.iter().flat_map(|old| stored.iter().map(move |new| (old, new))) {
        for (old, new) in [(old, new), (&Value::Null, new), (old, &Value::Null)] {
            let write = Write { who: "", what: "", username: "alice", old: old.clone(), new: new.clone() };
            for name in super::registration::WEBHOOKS {
                assert!(
                    write.calls(&webhook(name)).is_ok(),
                    "{name} {old} {new}: {:?}",
                    write.calls(&webhook(name))
                );
            }
        }
    }
}
