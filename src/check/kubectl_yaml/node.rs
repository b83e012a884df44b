//! A document as a tree of JSON values with their spans.

use std::ops::Range;
use std::rc::Rc;

use serde::ser::{Serialize, Serializer};

#[derive(Debug)]
pub struct Node {
    pub value: Value,
    pub span: Span,
    /// The levels of lists and maps, including itself.
    pub depth: usize,
    /// Its approximate size as JSON with every alias expanded.
    pub expanded_bytes: usize,
}

#[derive(Debug)]
pub enum Value {
    /// Anything but a list or map.
    Scalar(serde_json::Value),
    List(Vec<Rc<Node>>),
    /// In the order of the file.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key as kubectl converts it: the unquoted `010` is `8`.
    pub key: String,
    pub key_span: Span,
    /// Its value; shared between an anchor and its aliases.
    pub value: Rc<Node>,
}

/// A range of the file.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// The line of its start, from 1.
    pub line: usize,
    /// The column of its start, from 1, in characters.
    pub column: usize,
    /// Its bytes in the file.
    pub bytes: Range<usize>,
}

/// Why a document cannot be read, and where.
#[derive(Debug)]
pub struct YamlError {
    pub line: usize,
    pub why: String,
}

impl Span {
    pub fn error(&self, why: impl Into<String>) -> YamlError {
        YamlError { line: self.line, why: why.into() }
    }
}

/// The size of the punctuation around a value.
const PUNCTUATION_BYTES: usize = 8;

impl Node {
    pub fn new(value: Value, span: Span) -> Self {
        let (depth, bytes) = match &value {
            Value::Scalar(scalar) => (0, scalar.as_str().map_or(0, str::len)),
            Value::List(nodes) => total(nodes.iter().map(|node| (&**node, 0))),
            Value::Map(entries) => total(entries.iter().map(|entry| (&*entry.value, entry.key.len()))),
        };
        Self { value, span, depth, expanded_bytes: bytes.saturating_add(PUNCTUATION_BYTES) }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub fn text_at(&self, key: &str) -> Option<&str> {
        match &self.entry(key)?.value.value {
            Value::Scalar(scalar) => scalar.as_str(),
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

/// Depth and size of a collection of these children, each with the size of its key.
fn total<'n>(children: impl Iterator<Item = (&'n Node, usize)>) -> (usize, usize) {
    let (depth, bytes) = children.fold((0, 0_usize), |(depth, bytes), (node, key)| {
        (node.depth.max(depth), bytes.saturating_add(node.expanded_bytes).saturating_add(key))
    });
    (depth + 1, bytes)
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Scalar(scalar) => scalar.serialize(serializer),
            Value::List(nodes) => serializer.collect_seq(nodes.iter().map(|node| &**node)),
            Value::Map(entries) => serializer.collect_map(entries.iter().map(|it| (&it.key, &*it.value))),
        }
    }
}
