//! Reviews: from the header of a request to its response.

mod body;
mod deadline;
mod handler;
mod log;
mod memory;
mod rejection;
mod routes;

pub use handler::{Evaluate, Handler};
pub use memory::Peer;
pub use rejection::Rejection;
pub use routes::{rejecting, webhook};
