//! What people do with pools every day, as kubectl sessions: apply again, move, repair, delete, with the CNI plugin
//! working in between. What a session prints is in `everyday/sessions`; `UPDATE_EXPECTED=1` writes it anew.
//!
//! How many calls a request makes is counted in `calls.rs`; most of what goes through while the webhook is down is in
//! `down.rs`.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::plane::Plane;
use super::plugin::Plugin;
use super::webhook::{Hook, Webhook};

mod apply;
mod down;
mod entries;
mod helm;
mod range;
mod repair;
mod session;
mod warn;
mod writers;

/// A control plane with the webhook registered as the base of `deploy/` does, and whereabouts.
struct Cluster {
    plane: Plane,
    plugin: Plugin,
    /// `None` where it was in force and has gone.
    webhook: Option<Webhook>,
    port: u16,
}

/// A pool from before the webhook: its name, its range, and the keys of its entries.
type Before<'a> = (&'a str, &'a str, &'a [&'a str]);

/// One for all sessions in which findings are enforced. Each has pools of its own.
fn enforcing() -> &'static Cluster {
    static ENFORCING: OnceLock<Cluster> = OnceLock::new();
    ENFORCING.get_or_init(|| Cluster::start("everyday", &[], &repair::BEFORE))
}

impl Cluster {
    /// Starts one that holds `pools` and serves with `arguments`.
    fn start(name: &str, arguments: &[&str], pools: &[Before<'_>]) -> Self {
        let plane = Plane::start(name);
        for pool in pools {
            plane.kubectl_with(&["create", "-f", "-"], &made_before(pool).to_string(), &[]).ok();
        }
        let plugin = Plugin::new(&plane);
        let webhook = Webhook::serve(&plane, arguments);
        webhook.register(&plane, &[Hook::Normalize, Hook::Validate]);
        let port = webhook.address().port();
        Self { plane, plugin, webhook: Some(webhook), port }
    }
}

/// Each entry belongs to a pod that is named after its key.
fn made_before((name, range, keys): &Before<'_>) -> Value {
    let entry = |key: &&str| {
        let pod = format!("old-{key}");
        ((*key).to_owned(), json!({ "id": pod, "podref": format!("default/{pod}") }))
    };
    json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": name },
        "spec": { "range": range, "allocations": keys.iter().map(entry).collect::<serde_json::Map<_, _>>() },
    })
}

/// A manifest as a person writes it; each entry is its key, and what the address is reserved for.
fn manifest(name: &str, range: &str, entries: &[(&str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: whereabouts.cni.cncf.io/v1alpha1\nkind: IPPool\nmetadata:\n  name: {name}\nspec:\n  range: {range}\n"
    );
    text.push_str(if entries.is_empty() { "  allocations: {}\n" } else { "  allocations:\n" });
    for (key, owner) in entries {
        text.push_str(&format!("    \"{key}\": {{id: reserved, podref: infra/{owner}}}\n"));
    }
    text
}
