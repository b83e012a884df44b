//! What is promised to people who apply manifests while whereabouts works on the same pool, tried against a model
//! of the apiserver, of kubectl, Helm and whereabouts, with the webhook under test in between.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod address;
mod clients;
mod manifests;
mod model;
mod networks;
mod owners;
mod plugin;
mod requests;
mod rows;
mod sequences;
mod session;
mod store;
mod three_way;
mod warned;
