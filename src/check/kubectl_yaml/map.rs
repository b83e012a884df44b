//! A map while it is read: its keys are unique, and `<<` merges others into it.

use std::collections::HashMap;

use super::node::{Entry, Node, Value, YamlError};
use super::scalar;
use crate::text::Quoted;

#[derive(Default)]
pub struct MapBuilder {
    pub entries: Vec<Entry>,
    /// The index of every key among the entries.
    indices: HashMap<String, usize>,
    /// The lines of the keys of the map itself; those that a merge brought in may be set again.
    lines: HashMap<String, usize>,
}

impl MapBuilder {
    /// The text of a new key.
    pub fn key(&mut self, node: &Node) -> Result<String, YamlError> {
        let key = match &node.value {
            Value::Scalar(scalar) => scalar::key(scalar),
            _ => Err("a key is a list or map; kubectl takes only strings, numbers and booleans".to_owned()),
        };
        let key = key.map_err(|why| node.span.error(why))?;
        match self.lines.insert(key.clone(), node.span.line) {
            None => Ok(key),
            Some(line) => {
                let why = format!("the key {} is already on line {line} of the same map", Quoted(&key));
                Err(node.span.error(why))
            }
        }
    }

    /// Sets an entry, at its position if the map has the key.
    pub fn set(&mut self, entry: Entry) {
        let next = self.entries.len();
        match *self.indices.entry(entry.key.clone()).or_insert(next) {
            index if index == next => self.entries.push(entry),
            index => self.entries[index] = entry,
        }
    }

    /// Merges entries at the position of `<<`: they override the keys before it, even those of the map itself. That is
    /// how kubectl does it, and not what YAML specifies.
    pub fn merge(&mut self, source: &Node) -> Result<(), YamlError> {
        match &source.value {
            Value::Map(entries) => entries.iter().for_each(|entry| self.set(entry.clone())),
            // The earlier source wins: kubectl merges them from the last to the first.
            Value::List(nodes) if nodes.iter().all(|node| matches!(node.value, Value::Map(_))) => {
                nodes.iter().rev().flat_map(|node| node.entries()).for_each(|entry| self.set(entry.clone()));
            }
            _ => return Err(source.span.error("`<<` takes a map or a list of maps")),
        }
        Ok(())
    }
}
