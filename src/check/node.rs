//! A manifest as a tree of JSON values that remember where they stand in the file.

use std::ops::Range;
use std::rc::Rc;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// One value.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
    /// How many levels of lists and maps it holds, itself included.
    pub depth: usize,
    /// How large it is with every alias written out, in bytes, roughly as JSON.
    pub weight: usize,
}

/// JSON's types.
#[derive(Debug)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` and `false`.
    Bool(bool),
    /// A number JSON can express.
    Number(serde_json::Number),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Rc<Node>>),
    /// An object, in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key as kubectl converts it: the unquoted `010` is `8`.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value; shared where the file says so with an alias.
    pub value: Rc<Node>,
}

/// A stretch of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The line it begins on, from 1.
    pub line: usize,
    /// The column it begins at, from 1, in characters.
    pub column: usize,
    /// Its bytes in the file.
    pub bytes: Range<usize>,
}

/// What a value weighs besides its text: the punctuation around it.
const PUNCTUATION_BYTES: usize = 8;

impl Node {
    /// A value at `span`, with the depth and weight that follow from it.
    pub fn new(value: Value, span: Span) -> Self {
        let (depth, weight) = match &value {
            Value::Text(text) => (0, text.len()),
            Value::List(nodes) => add_up(nodes.iter().map(|node| (&**node, 0))),
            Value::Map(entries) => add_up(entries.iter().map(|entry| (&*entry.value, entry.key.len()))),
            Value::Null | Value::Bool(_) | Value::Number(_) => (0, 0),
        };
        Self { value, span, depth, weight: weight.saturating_add(PUNCTUATION_BYTES) }
    }

    /// The entry at `key` of a map.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The string at `key` of a map.
    pub fn text_at(&self, key: &str) -> Option<&str> {
        match &self.entry(key)?.value.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }
}

/// Depth and weight of a collection of these.
fn add_up<'n>(children: impl Iterator<Item = (&'n Node, usize)>) -> (usize, usize) {
    let (depth, weight) = children.fold((0, 0_usize), |(depth, weight), (node, key)| {
        (node.depth.max(depth), weight.saturating_add(node.weight).saturating_add(key))
    });
    (depth + 1, weight)
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(number) => number.serialize(serializer),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(nodes) => serializer.collect_seq(nodes.iter().map(|node| &**node)),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&entry.key, &*entry.value)?;
                }
                map.end()
            }
        }
    }
}
