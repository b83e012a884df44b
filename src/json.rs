//! JSON in two readings with one meaning: a [`Cursor`] over the compact text that an apiserver sends, and serde for any
//! other. Of two members with one name the last counts, as it does in the apiserver.

mod cursor;
mod field;
mod members;

pub use cursor::{Cursor, Members};
#[cfg(feature = "serve")]
pub(crate) use cursor::{bytes_before_token, plain_bytes};
pub use field::{Digest, Field, JsonType, Shape};
pub(crate) use members::{Elements, Fill, Target, Text, skip};
