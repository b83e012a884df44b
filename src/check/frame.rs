//! A list or map while it is being read.

use std::collections::HashMap;
use std::rc::Rc;

use super::node::{Entry, Node, Span, Value};
use super::scalar::float_key;
use super::yaml::{Unreadable, at};

/// A list or map that is not finished.
pub struct Frame {
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
    /// The place of every key so far.
    places: HashMap<String, Place>,
    /// The key whose value comes next.
    key: Option<Key>,
}

enum Key {
    Merge,
    Named(String, Span, usize),
}

/// Where a key is.
struct Place {
    /// Among the entries; one past them while its value is read.
    index: usize,
    /// Its line, where the map itself has it.
    line: Option<usize>,
}

impl Frame {
    /// An empty list that begins at `span`.
    pub fn list(span: Span, anchor: usize) -> Self {
        Self { span, anchor, content: Content::List(Vec::new()) }
    }

    /// An empty map that begins at `span`.
    pub fn map(span: Span, anchor: usize) -> Self {
        Self { span, anchor, content: Content::Map(Map::default()) }
    }

    /// Where it begins.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Takes a plain `<<` as the merge key, if a key is expected here.
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

    /// Takes the next element, key or value.
    pub fn push(&mut self, node: Rc<Node>) -> Result<(), Unreadable> {
        match &mut self.content {
            Content::List(nodes) => {
                nodes.push(node);
                Ok(())
            }
            Content::Map(map) => map.push(node),
        }
    }

    /// The finished value, which ends at byte `end`, and the anchor it is known by (0 for none).
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
    fn push(&mut self, node: Rc<Node>) -> Result<(), Unreadable> {
        match self.key.take() {
            None => self.begin(&node),
            Some(Key::Merge) => self.merge(&node),
            Some(Key::Named(key, key_span, index)) => {
                self.set(index, Entry { key, key_span, value: node });
                Ok(())
            }
        }
    }

    fn begin(&mut self, node: &Node) -> Result<(), Unreadable> {
        let key = key_text(&node.value).map_err(|why| at(&node.span, why))?;
        let place = self.place(&key);
        if let Some(line) = place.line.replace(node.span.line) {
            let shown = crate::text::Quoted(&key);
            return Err(at(
                &node.span,
                format!("the key {shown} already stands on line {line} of the same map"),
            ));
        }
        self.key = Some(Key::Named(key, node.span.clone(), place.index));
        Ok(())
    }

    fn merge(&mut self, node: &Node) -> Result<(), Unreadable> {
        match &node.value {
            Value::Map(entries) => self.take_over(entries),
            // The earlier source wins: kubectl goes through them from the last.
            Value::List(nodes) if nodes.iter().all(|node| matches!(node.value, Value::Map(_))) => {
                nodes.iter().rev().for_each(|node| self.take_over(node.entries()));
            }
            _ => return Err(at(&node.span, "`<<` takes a map or a list of maps".to_owned())),
        }
        Ok(())
    }

    /// The entries that `<<` brings in, at the place of `<<`: they win over a key before it, also one of the map
    /// itself. YAML has that otherwise, kubectl does it.
    fn take_over(&mut self, entries: &[Entry]) {
        for entry in entries {
            let index = self.place(&entry.key).index;
            self.set(index, entry.clone());
        }
    }

    fn place(&mut self, key: &str) -> &mut Place {
        let free = Place { index: self.entries.len(), line: None };
        self.places.entry(key.to_owned()).or_insert(free)
    }

    fn set(&mut self, index: usize, entry: Entry) {
        match self.entries.get_mut(index) {
            Some(place) => *place = entry,
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
            Err("a list or map stands where a key should; kubectl takes only strings".to_owned())
        }
    }
}
