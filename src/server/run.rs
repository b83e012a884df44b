//! From flags to a running server, and to its end.

mod admin;
mod server;
mod start;
mod webhook;

pub use server::{BindError, Config, Server};
pub use start::serve;
