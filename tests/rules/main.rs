//! The rules by family, on cases that a person can follow. The page of each rule has one more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocations;
mod delete;
mod name;
mod range;
mod update;
