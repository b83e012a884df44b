//! `ensure` against a simulated cluster, which checks the invariant after every write.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod interrupted;
mod renewed;
mod simulation;
