//! YAML and JSON, read as kubectl reads them, into trees that know where each value is in the file.
//!
//! The events come from the parser of serde-saphyr. Its deserializer would resolve `010` and `on` as YAML 1.2 does and hide
//! whether a key was quoted; kubectl resolves scalars as [`scalar`] describes.
//!
//! Where this is stricter than kubectl: a key must be unique in its map, also as `8` and `"8"`, of which kubectl keeps
//! either; and NaN and infinity are not keys. Where it differs: `{a:}` is the key `a`, as in YAML, while kubectl reads `a:`.
//! The complete list is in `tests/yaml/exceptions.rs`.

mod map;
mod node;
mod reader;
mod scalar;
mod split;

pub use self::node::{Entry, Node, Span, Value, YamlError};
pub use self::reader::read;
pub use self::split::is_separator;

/// The documents of a file as JSON up to the first that cannot be read, and why it cannot: what the tests compare with
/// kubectl's own reader.
#[cfg(feature = "cluster")]
pub fn documents(text: &str) -> (Vec<String>, Option<String>) {
    let (mut documents, mut first_error) = (Vec::new(), None);
    read(text, |document| match document {
        _ if first_error.is_some() => {}
        Ok(node) => documents.extend(serde_json::to_string(&*node).ok()),
        Err(error) => first_error = Some(error.why),
    });
    (documents, first_error)
}
