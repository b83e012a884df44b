//! Connections: how they are accepted, what each one is doing, and which one is closed for a new one.

mod accept;
mod activity;
mod http;
mod stream;
mod table;

pub use accept::accept;
pub use activity::Activity;
pub use http::{GuardedBytes, has_one_host, serve};
pub use table::ConnectionTable;
