//! What only a real control plane shows: kube-apiserver, etcd, kubectl and the CNI plugin of whereabouts, with
//! the webhook registered as `deploy/` registers it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod attachments;
mod http;
mod numbers;
mod plane;
mod plugin;
mod pools;
mod process;
mod rendered;
mod service;
mod tools;
mod webhook;
mod writer;

mod api;
mod audit;
mod calls;
mod certs;
mod cni;
mod conditions;
mod crd_table;
mod deploy;
mod down;
mod everyday;
mod faults;
mod helm;
mod installed;
mod legacy;
mod manifest;
mod manifests;
mod monitoring;
mod schema;
mod slices;
mod tour;

use std::sync::OnceLock;

use plane::Plane;
use webhook::{Hook, Webhook};

/// A control plane with the webhook registered as the base of `deploy/` does, for all tests that leave it so.
/// Statics are not dropped; the leashes end them with the process.
fn guarded() -> &'static (Plane, Webhook) {
    static GUARDED: OnceLock<(Plane, Webhook)> = OnceLock::new();
    GUARDED.get_or_init(|| {
        let plane = Plane::start("guarded");
        let webhook = Webhook::serve(&plane, &[]);
        webhook.register(&plane, &[Hook::Normalize, Hook::Validate]);
        (plane, webhook)
    })
}
