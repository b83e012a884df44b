//! Builds a list or map from the events of its elements.

use std::collections::HashMap;
use std::rc::Rc;

use super::error::YamlError;
use super::node::{Entry, Node, Span, Value};
use super::scalar::float_key;
use crate::text::Quoted;

/// An unfinished list or map.
pub struct CollectionBuilder {
    span: Span,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Rc<Node>>),
    Map(Map),
}

#[derive(Default)]
struct Map {
    entries: Vec<Entry>,
    /// The slot of every key so far.
    slots: HashMap<String, Slot>,
    /// The key whose value comes next.
    key: Option<Key>,
}

enum Key {
    Merge,
    Named(String, Span, usize),
}

/// The slot of a key.
struct Slot {
    /// Its index among the entries; one past them while its value is read.
    index: usize,
    /// Its line, unless only a merge brought it in.
    line: Option<usize>,
}

impl CollectionBuilder {
    pub fn list(span: Span, anchor: usize) -> Self {
        Self { span, anchor, content: Content::List(Vec::new()) }
    }

    pub fn map(span: Span, anchor: usize) -> Self {
        Self { span, anchor, content: Content::Map(Map::default()) }
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Starts a merge, if a key is expected here.
    pub fn begin_merge(&mut self) -> bool {
        match &mut self.content {
            Content::Map(map) if map.key.is_none() => {
                map.key = Some(Key::Merge);
                true
            }
            _ => false,
        }
    }

    /// Whether the value of a merge key comes next.
    pub fn is_merging(&self) -> bool {
        matches!(&self.content, Content::Map(Map { key: Some(Key::Merge), .. }))
    }

    /// Adds the next element, key or value.
    pub fn push(&mut self, node: Rc<Node>) -> Result<(), YamlError> {
        match &mut self.content {
            Content::List(nodes) => {
                nodes.push(node);
                Ok(())
            }
            Content::Map(map) => map.push(node),
        }
    }

    /// The finished value, which ends at byte `end`, and the number of its anchor (0 for none).
    pub fn finish(mut self, end: usize) -> (Node, usize) {
        self.span.bytes.end = end.max(self.span.bytes.start);
        let value = match self.content {
            Content::List(nodes) => Value::List(nodes),
            Content::Map(map) => Value::Map(map.entries),
        };
        (Node::new(value, self.span), self.anchor)
    }
}

impl Map {
    fn push(&mut self, node: Rc<Node>) -> Result<(), YamlError> {
        match self.key.take() {
            None => self.start_entry(&node),
            Some(Key::Merge) => self.merge(&node),
            Some(Key::Named(key, key_span, index)) => {
                self.set(index, Entry { key, key_span, value: node });
                Ok(())
            }
        }
    }

    fn start_entry(&mut self, node: &Node) -> Result<(), YamlError> {
        let key = key_text(&node.value).map_err(|why| YamlError::at(&node.span, why))?;
        let slot = self.slot(&key);
        if let Some(line) = slot.line.replace(node.span.line) {
            let why = format!("the key {} is already on line {line} of the same map", Quoted(&key));
            return Err(YamlError::at(&node.span, why));
        }
        self.key = Some(Key::Named(key, node.span.clone(), slot.index));
        Ok(())
    }

    fn merge(&mut self, node: &Node) -> Result<(), YamlError> {
        match &node.value {
            Value::Map(entries) => self.merge_entries(entries),
            // The earlier source wins: kubectl merges them from the last to the first.
            Value::List(nodes) if nodes.iter().all(|node| matches!(node.value, Value::Map(_))) => {
                nodes.iter().rev().for_each(|node| self.merge_entries(node.entries()));
            }
            _ => return Err(YamlError::at(&node.span, "`<<` takes a map or a list of maps")),
        }
        Ok(())
    }

    /// Merges entries at the position of `<<`: they override the keys before it, even those of the map itself. That is
    /// how kubectl does it, and not what YAML specifies.
    fn merge_entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            let index = self.slot(&entry.key).index;
            self.set(index, entry.clone());
        }
    }

    fn slot(&mut self, key: &str) -> &mut Slot {
        let free = Slot { index: self.entries.len(), line: None };
        self.slots.entry(key.to_owned()).or_insert(free)
    }

    fn set(&mut self, index: usize, entry: Entry) {
        match self.entries.get_mut(index) {
            Some(slot) => *slot = entry,
            None => self.entries.push(entry),
        }
    }
}

/// A key as `sigs.k8s.io/yaml` turns it into a string.
fn key_text(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) if number.is_i64() => Ok(number.to_string()),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() => Ok(float_key(value)),
            _ => Err(format!("kubectl takes no unquoted number past 63 bits as a key; write \"{number}\"")),
        },
        Value::Null => Err("a key is null; kubectl takes only strings, numbers and booleans".to_owned()),
        Value::List(_) | Value::Map(_) => {
            Err("a key is a list or map; kubectl takes only strings, numbers and booleans".to_owned())
        }
    }
}
