//! What is promised to people who apply manifests while whereabouts works on the same pool, tried against a model
//! of the apiserver, of kubectl, Helm and whereabouts, with the webhook under test in between.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

#[path = "apply/address.rs"]
mod address;
#[path = "apply/clients.rs"]
mod clients;
mod common;
#[path = "apply/manifests.rs"]
mod manifests;
#[path = "apply/model.rs"]
mod model;
#[path = "apply/networks.rs"]
mod networks;
#[path = "apply/owners.rs"]
mod owners;
#[path = "apply/plugin.rs"]
mod plugin;
#[path = "apply/requests.rs"]
mod requests;
#[path = "apply/rows.rs"]
mod rows;
#[path = "apply/sequences.rs"]
mod sequences;
#[path = "apply/session.rs"]
mod session;
#[path = "apply/store.rs"]
mod store;
#[path = "apply/three_way.rs"]
mod three_way;
#[path = "apply/warned.rs"]
mod warned;
