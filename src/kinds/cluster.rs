//! What is known of a cluster: the objects that an audit reads, each reduced to what the rules across objects need.

mod names;

pub use names::{Name, Names};
