//! `audit` on dumps and on a stand-in for an apiserver: each rule across objects finds what it should, and is silent where
//! it should be.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../cli_support/mod.rs"]
mod cli_support;
mod cluster;
mod objects;

mod addresses;
mod attachment;
mod broken;
mod dumps;
mod formats;
mod large;
mod listen;
mod live;
mod node_slices;
mod overlap;
mod owner;
mod reservation;
mod second_look;
mod self_check;
mod unused;
