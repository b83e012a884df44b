//! From the path of a finding to its line.

use std::collections::HashMap;

use super::node::{Entry, Node, Span, Value};
use crate::finding::FieldPath;

/// Where the fields of one object stand, by the paths that findings use.
pub struct Places<'n> {
    by_path: HashMap<String, &'n Span>,
    whole: &'n Span,
}

impl<'n> Places<'n> {
    /// The places of an IPPool.
    pub fn of(object: &'n Node) -> Self {
        let whole = object.entry("kind").map_or(&object.span, |kind| &kind.value.span);
        let mut places = Self { by_path: HashMap::new(), whole };
        for part in object.entries() {
            places.by_path.insert(part.key.clone(), &part.key_span);
            for field in part.value.entries() {
                places.by_path.insert(format!("{}.{}", part.key, field.key), best(field));
            }
        }
        let allocations = object.entry("spec").and_then(|spec| spec.value.entry("allocations"));
        for entry in allocations.map(|allocations| allocations.value.entries()).unwrap_or_default() {
            // Findings print a key shortened and escaped; so must this.
            let path = FieldPath::entry("spec.allocations", &entry.key, None).to_string();
            for field in entry.value.entries() {
                places.by_path.insert(format!("{path}.{}", field.key), best(field));
            }
            places.by_path.insert(path, &entry.key_span);
        }
        places
    }

    /// Where `path` stands; for a field that is missing, where it would have to be.
    pub fn find(&self, path: &str) -> &'n Span {
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

/// The part of an entry worth pointing at: a value that fits on a line, else the key.
fn best(entry: &Entry) -> &Span {
    match entry.value.value {
        Value::Null | Value::List(_) | Value::Map(_) => &entry.key_span,
        Value::Bool(_) | Value::Number(_) | Value::Text(_) => &entry.value.span,
    }
}

/// A line of the file with the stretch a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters of the line are meant; at least 1.
    pub width: usize,
    /// The line without control characters, and cut on both sides where it is long.
    pub text: String,
    /// Where in `text` the stretch begins, in characters.
    pub indent: usize,
}

/// Characters of a line shown before, within and after the stretch. JSON often is one line of megabytes.
const SHOWN_CHARS: usize = 60;

/// As many bytes as these characters can take.
const SHOWN_BYTES: usize = SHOWN_CHARS * 4;

impl Snippet {
    /// Cuts the line of `span` out of the file.
    pub fn of(file: &str, span: &Span) -> Self {
        let start = file.floor_char_boundary(span.bytes.start);
        let end = file.floor_char_boundary(span.bytes.end.max(start));
        let before = line_end_of(part(file, start.saturating_sub(SHOWN_BYTES), start));
        let meant = first_line(part(file, start, end.min(start + SHOWN_BYTES)));
        let after = first_line(part(file, start + meant.len(), start + meant.len() + SHOWN_BYTES));
        let (before, meant, after) = (last_chars(before), first_chars(meant), first_chars(after));
        Self {
            line: span.line,
            column: span.column,
            width: meant.chars().count().max(1),
            indent: before.chars().count(),
            text: crate::text::printable(&format!("{before}{meant}{after}")),
        }
    }
}

fn part(file: &str, from: usize, to: usize) -> &str {
    let from = file.floor_char_boundary(from.min(file.len()));
    file.get(from..file.floor_char_boundary(to.min(file.len()))).unwrap_or_default()
}

fn first_line(text: &str) -> &str {
    text.split(['\n', '\r']).next().unwrap_or_default()
}

fn line_end_of(text: &str) -> &str {
    text.rsplit(['\n', '\r']).next().unwrap_or_default()
}

fn first_chars(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn last_chars(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(SHOWN_CHARS);
    let mark = if skipped > 0 { "…" } else { "" };
    mark.chars().chain(text.chars().skip(skipped)).collect()
}
