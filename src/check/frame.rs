//! A list or map while it is being read.

use std::collections::{HashMap, HashSet};
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
    /// The line of every key so far.
    lines: HashMap<String, usize>,
    /// The key whose value comes next.
    key: Option<Key>,
    /// What `<<` brings in, in the order of the file.
    merged: Vec<Rc<Node>>,
}

enum Key {
    Merge,
    Named(String, Span),
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
            Content::Map(map) => Value::Map(map.finish()),
        };
        (Node::new(value, self.span), self.anchor)
    }
}

impl Map {
    fn push(&mut self, node: Rc<Node>) -> Result<(), Unreadable> {
        match self.key.take() {
            None => self.begin(&node),
            Some(Key::Merge) => self.merge(&node),
            Some(Key::Named(key, key_span)) => {
                self.entries.push(Entry { key, key_span, value: node });
                Ok(())
            }
        }
    }

    fn begin(&mut self, node: &Node) -> Result<(), Unreadable> {
        let key = key_text(&node.value).map_err(|why| at(&node.span, why))?;
        if let Some(line) = self.lines.insert(key.clone(), node.span.line) {
            let shown = crate::path::Quoted(&key);
            return Err(at(
                &node.span,
                format!("the key {shown} already stands on line {line} of the same map"),
            ));
        }
        self.key = Some(Key::Named(key, node.span.clone()));
        Ok(())
    }

    fn merge(&mut self, node: &Rc<Node>) -> Result<(), Unreadable> {
        match &node.value {
            Value::Map(_) => self.merged.push(Rc::clone(node)),
            Value::List(nodes) if nodes.iter().all(|node| matches!(node.value, Value::Map(_))) => {
                self.merged.extend(nodes.iter().cloned());
            }
            _ => return Err(at(&node.span, "`<<` takes a map or a list of maps".to_owned())),
        }
        Ok(())
    }

    /// The entries, with those of `<<` behind them: a key of the map itself wins, then the earlier source.
    fn finish(self) -> Vec<Entry> {
        let mut entries = self.entries;
        let mut known: HashSet<String> = self.lines.into_keys().collect();
        for entry in self.merged.iter().flat_map(|node| node.entries()) {
            if known.insert(entry.key.clone()) {
                entries.push(entry.clone());
            }
        }
        entries
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
