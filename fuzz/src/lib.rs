//! What the fuzz targets hold the core to; a target only hands its bytes over.
//!
//! The modules of `tests/apply` are a model of the apiserver, kubectl, Helm and whereabouts.

// The tests use more of these than the targets do.
#[allow(dead_code)]
#[path = "../../tests/apply/address.rs"]
mod address;
#[allow(dead_code)]
#[path = "../../tests/apply/clients.rs"]
mod clients;
#[allow(dead_code)]
#[path = "../../tests/apply/networks.rs"]
mod networks;
#[allow(dead_code)]
#[path = "../../tests/apply/owners.rs"]
mod owners;
#[allow(dead_code)]
#[path = "../../tests/apply/plugin.rs"]
mod plugin;
#[allow(dead_code)]
#[path = "../../tests/apply/session.rs"]
mod session;
#[allow(dead_code)]
#[path = "../../tests/apply/store.rs"]
mod store;
#[allow(dead_code)]
#[path = "../../tests/apply/three_way.rs"]
mod three_way;

mod answers;
pub mod apply;
mod go;
#[cfg(feature = "http")]
pub mod http;
mod json;
pub mod manifests;
pub mod pair;
pub mod range;
pub mod review;
pub mod update;
