//! The five guarantees and normalizing, on cases that a person can follow. `properties.rs` has the same over generated
//! pools.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod all_findings;
mod ratchet;
mod status_code;
mod trusted_writers;
mod writes_no_entry;
