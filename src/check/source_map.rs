//! Where in the file each field of an object is.

use std::collections::HashMap;

use super::kubectl_yaml::{Entry, Node, Span, Value};
use crate::finding::FieldPath;

/// The spans of the fields of one object, by the paths that findings use.
pub struct SourceMap<'n> {
    by_path: HashMap<String, &'n Span>,
    whole: &'n Span,
}

impl<'n> SourceMap<'n> {
    pub fn of(object: &'n Node) -> Self {
        let whole = object.entry("kind").map_or(&object.span, |kind| &kind.value.span);
        let mut map = Self { by_path: HashMap::new(), whole };
        for part in object.entries() {
            map.by_path.insert(part.key.clone(), &part.key_span);
            for field in part.value.entries() {
                map.by_path.insert(format!("{}.{}", part.key, field.key), marked(field));
            }
        }
        let allocations = object.entry("spec").and_then(|spec| spec.value.entry("allocations"));
        for entry in allocations.map(|allocations| allocations.value.entries()).unwrap_or_default() {
            // The key is shortened and escaped as in the path of a finding.
            let path = FieldPath::entry("spec.allocations", entry.key.as_str(), None).to_string();
            for field in entry.value.entries() {
                map.by_path.insert(format!("{path}.{}", field.key), marked(field));
            }
            map.by_path.insert(path, &entry.key_span);
        }
        map
    }

    /// The span of the field at `path`; that of its parent where the field is missing.
    pub fn span(&self, path: &str) -> &'n Span {
        let mut path = path;
        loop {
            if let Some(span) = self.by_path.get(path) {
                return span;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = path.get(..end).unwrap_or_default(),
                None => return self.whole,
            }
        }
    }
}

/// The part of an entry to mark: a value that fits on a line, else the key.
fn marked(entry: &Entry) -> &Span {
    match &entry.value.value {
        Value::Scalar(scalar) if !scalar.is_null() => &entry.value.span,
        _ => &entry.key_span,
    }
}
