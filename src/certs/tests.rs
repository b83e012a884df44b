//! `ensure` against a cluster in memory, where every write is held against the law.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod interrupted;
mod refused;
mod renewed;
mod runner;
mod world;
