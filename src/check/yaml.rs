//! YAML documents as trees, read as kubectl reads them and with a bound on everything.
//!
//! The events come from the parser under serde-saphyr. Its deserializer would resolve `010` and `on` by
//! YAML 1.2 and hide whether a key was quoted; kubectl goes by [`super::scalar`].
//!
//! Where this is stricter than kubectl: a key stands once, also as `8` and `"8"`, of which kubectl keeps
//! either; and NaN and infinity are no keys. Where it differs: `{a:}` is the key `a`, as YAML has it, while
//! kubectl reads `a:`. The whole list is `tests/yaml/exceptions.rs`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Tag};

use super::frame::Frame;
use super::node::{Node, Span, Value};
use super::scalar::{Scalar, resolve};
use super::split::Chunk;

/// Levels of lists and maps; an IPPool has four. serde_json stops at 128.
const MAX_DEPTH: usize = 100;

/// Values in one file; the largest file full of pools has half as many. Each takes about 150 bytes.
const MAX_VALUES: usize = 2_000_000;

/// What the aliases of one file may add up to when written out, in bytes: as much as the largest file.
const MAX_ALIASED_BYTES: usize = super::source::MAX_FILE_BYTES;

/// What is left to one file of the bounds on it as a whole.
#[derive(Debug)]
pub struct Budget {
    values: usize,
    aliased_bytes: usize,
}

impl Budget {
    /// Whether nothing more can be read.
    pub fn is_spent(&self) -> bool {
        self.values == 0
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { values: MAX_VALUES, aliased_bytes: MAX_ALIASED_BYTES }
    }
}

/// Why a document cannot be read, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// The documents of `chunk`, handed to `found` one by one; empty ones are left out.
///
/// # Errors
/// At the first thing that is no YAML or that kubectl would refuse; the documents before it were handed
/// over.
pub fn read(
    chunk: &Chunk<'_>,
    budget: &mut Budget,
    mut found: impl FnMut(Rc<Node>),
) -> Result<(), Unreadable> {
    if let Some(line) = chunk.foreign_separator() {
        let why = "kubectl takes no more than a comment on a line that begins with `---`".to_owned();
        return Err(Unreadable { line: chunk.line + line, why });
    }
    let mut reader = Reader { chunk, budget, open: Vec::new(), anchors: HashMap::new() };
    for event in Parser::new_from_str_with_options(&chunk.text, options(chunk)) {
        let (event, span) = event.map_err(|error| Unreadable {
            line: chunk.line + error.marker().line().max(1),
            why: error.info(),
        })?;
        let span = reader.span(&span);
        if let Some(document) = reader.take(event, span)? {
            found(document);
        }
    }
    Ok(())
}

fn options(chunk: &Chunk<'_>) -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    if chunk.is_json {
        // The bound is YAML's; JSON has none on the length of a key.
        options.simple_key_max_lookahead = chunk.text.len();
    }
    options
}

/// The collections that are open, and the anchors seen so far.
struct Reader<'c> {
    chunk: &'c Chunk<'c>,
    budget: &'c mut Budget,
    open: Vec<Frame>,
    anchors: HashMap<usize, Rc<Node>>,
}

impl Reader<'_> {
    /// Takes the next event; the document, when this completes one that is not empty.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Option<Rc<Node>>, Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(frame) = self.open.last_mut()
                    && is_merge(&text, style, tag.as_deref())
                    && frame.begin_merge()
                {
                    return Ok(None);
                }
                let value = scalar(&text, style, tag.as_deref()).map_err(|why| at(&span, why))?;
                return self.complete(Rc::new(Node::new(value, span)), anchor);
            }
            Event::Alias(anchor) => {
                let node = self.aliased(anchor, &span)?;
                if matches!(node.value, Value::List(_)) && self.open.last().is_some_and(Frame::is_merging) {
                    return Err(at(&span, "`<<` takes no alias of a list; write the list out".to_owned()));
                }
                return self.complete(node, 0);
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Frame::list(span, anchor))?,
            Event::MappingStart(_, anchor, _) => self.begin(Frame::map(span, anchor))?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(frame) = self.open.pop() {
                    let (node, anchor) = frame.finish(span.bytes.start);
                    return self.complete(Rc::new(node), anchor);
                }
            }
            Event::DocumentStart(..) => self.anchors.clear(),
            _ => {}
        }
        Ok(None)
    }

    fn begin(&mut self, frame: Frame) -> Result<(), Unreadable> {
        if self.open.len() >= MAX_DEPTH {
            return Err(at(frame.span(), too_deep()));
        }
        self.open.push(frame);
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn complete(&mut self, node: Rc<Node>, anchor: usize) -> Result<Option<Rc<Node>>, Unreadable> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        if self.open.len() + node.depth > MAX_DEPTH {
            return Err(at(&node.span, too_deep()));
        }
        let left = self.budget.values.checked_sub(1);
        self.budget.values = left.ok_or_else(|| {
            at(&node.span, format!("more than {MAX_VALUES} values in one file; check it in parts"))
        })?;
        let Some(frame) = self.open.last_mut() else {
            return Ok(Some(node).filter(|node| !matches!(node.value, Value::Null)));
        };
        frame.push(node)?;
        Ok(None)
    }

    /// The value an alias stands for. Sharing it costs nothing here, but it is written out as JSON later.
    fn aliased(&mut self, anchor: usize, span: &Span) -> Result<Rc<Node>, Unreadable> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(at(span, "this alias stands inside the value it refers to".to_owned()));
        };
        let left = self.budget.aliased_bytes.checked_sub(node.weight).ok_or_else(|| {
            let limit = MAX_ALIASED_BYTES >> 20;
            at(span, format!("the aliases up to here stand for more than {limit} MiB; write the values out"))
        })?;
        self.budget.aliased_bytes = left;
        Ok(Rc::clone(node))
    }

    /// A place of the chunk as a place of the file.
    fn span(&self, span: &serde_saphyr::granit_parser::Span) -> Span {
        let bytes = span.byte_range().unwrap_or_default();
        let first_line_starts_at = if span.start.line() == 1 { self.chunk.column } else { 0 };
        Span {
            line: self.chunk.line + span.start.line(),
            column: first_line_starts_at + span.start.col() + 1,
            bytes: self.chunk.offset + bytes.start..self.chunk.offset + bytes.end,
        }
    }
}

pub(super) fn at(span: &Span, why: String) -> Unreadable {
    Unreadable { line: span.line, why }
}

fn too_deep() -> String {
    format!("more than {MAX_DEPTH} levels of lists and maps; an IPPool has four")
}

/// Whether this is the merge key; quoted it is only with its tag.
fn is_merge(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> bool {
    text == "<<" && tag.map_or(style == ScalarStyle::Plain, |tag| yaml_type(tag).as_deref() == Some("merge"))
}

/// The name of a type of YAML itself, as in `!!int`.
fn yaml_type(tag: &Tag) -> Option<Cow<'_, str>> {
    tag.suffix_in_namespace("tag:yaml.org,2002:")
}

/// The value of a scalar; `Err` says why JSON has none for it.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let resolved = match tag.and_then(yaml_type).as_deref() {
        None if tag.is_some() || style != ScalarStyle::Plain => Scalar::Text,
        None => resolve(text),
        Some("str") => Scalar::Text,
        Some(name @ ("int" | "float" | "bool" | "null")) => tagged(text, name)?,
        Some(name) => return Err(format!("the tag !!{name} has no meaning in a Kubernetes object")),
    };
    Ok(match resolved {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Int(value) => Value::Number(value.into()),
        Scalar::Uint(value) => Value::Number(value.into()),
        Scalar::Float(value) => match serde_json::Number::from_f64(value) {
            Some(number) => Value::Number(number),
            None => {
                return Err(format!("{text} is a number that JSON cannot express; quote it if it is text"));
            }
        },
        Scalar::Text => Value::Text(text.to_owned()),
    })
}

/// A scalar whose tag says what it has to be.
#[expect(clippy::cast_precision_loss, reason = "!!float asks for it")]
fn tagged(text: &str, name: &str) -> Result<Scalar, String> {
    match (name, resolve(text)) {
        ("int", value @ (Scalar::Int(_) | Scalar::Uint(_)))
        | ("float", value @ Scalar::Float(_))
        | ("bool", value @ Scalar::Bool(_))
        | ("null", value @ Scalar::Null) => Ok(value),
        ("float", Scalar::Int(value)) => Ok(Scalar::Float(value as f64)),
        _ => Err(format!("{text:?} is no !!{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::split::split;

    #[test]
    fn the_values_of_all_documents_count_against_one_bound() {
        let chunks = split("[1, 2]\n---\na: [3, 4]\n");
        let mut budget = Budget { values: 7, aliased_bytes: 0 };
        let first = chunks.first().map(|chunk| read(chunk, &mut budget, drop));
        assert_eq!((first, budget.values), (Some(Ok(())), 4));
        // The key counts too; the map itself is one too many.
        let second = chunks.get(1).map(|chunk| read(chunk, &mut budget, drop));
        let why = "more than 2000000 values in one file; check it in parts".to_owned();
        assert_eq!(second, Some(Err(Unreadable { line: 3, why })));
        assert!(budget.is_spent());
    }
}
