//! Reads the documents of one chunk, with a bound on everything.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Tag};

use super::builder::CollectionBuilder;
use super::error::YamlError;
use super::node::{Node, Span, Value};
use super::scalar::{Scalar, resolve};
use super::split::Chunk;
use crate::check::source::MAX_FILE_BYTES;

/// Levels of lists and maps; an IPPool has four. serde_json stops at 128.
const MAX_DEPTH: usize = 100;

/// Values in one file; a file of the maximum size has half as many. Each takes about 150 bytes.
const MAX_VALUES: usize = 2_000_000;

/// The expanded size of all aliases in one file: that of the largest file.
const MAX_ALIASED_BYTES: usize = MAX_FILE_BYTES;

/// The remaining budget of one file.
#[derive(Debug)]
pub struct Budget {
    values: usize,
    aliased_bytes: usize,
}

impl Budget {
    /// Whether no more values can be read.
    pub fn is_spent(&self) -> bool {
        self.values == 0
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { values: MAX_VALUES, aliased_bytes: MAX_ALIASED_BYTES }
    }
}

/// Passes the documents of `chunk` that are not empty to `found`.
/// At the first syntax error, or the first value that kubectl would reject; the documents before it have been passed on.
pub fn read(
    chunk: &Chunk<'_>,
    budget: &mut Budget,
    mut found: impl FnMut(Rc<Node>),
) -> Result<(), YamlError> {
    if let Some(line) = chunk.invalid_separator() {
        let why = "kubectl takes no more than a comment on a line that begins with `---`".to_owned();
        return Err(YamlError { line: chunk.line + line, why });
    }
    let mut reader = Reader { chunk, budget, open: Vec::new(), anchors: HashMap::new() };
    for event in Parser::new_from_str_with_options(&chunk.text, options(chunk)) {
        let (event, span) = event.map_err(|error| YamlError {
            line: chunk.line + error.marker().line().max(1),
            why: error.info(),
        })?;
        let span = reader.span(&span);
        if let Some(document) = reader.handle(event, span)? {
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

/// The unfinished collections, and the anchors so far.
struct Reader<'c> {
    chunk: &'c Chunk<'c>,
    budget: &'c mut Budget,
    open: Vec<CollectionBuilder>,
    anchors: HashMap<usize, Rc<Node>>,
}

impl Reader<'_> {
    /// Handles the next event; returns the document, when this completes one that is not empty.
    fn handle(&mut self, event: Event<'_>, span: Span) -> Result<Option<Rc<Node>>, YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(builder) = self.open.last_mut()
                    && is_merge(&text, style, tag.as_deref())
                    && builder.begin_merge()
                {
                    return Ok(None);
                }
                let value = scalar(&text, style, tag.as_deref()).map_err(|why| YamlError::at(&span, why))?;
                return self.complete(Rc::new(Node::new(value, span)), anchor);
            }
            Event::Alias(anchor) => {
                let node = self.aliased(anchor, &span)?;
                if matches!(node.value, Value::List(_))
                    && self.open.last().is_some_and(CollectionBuilder::is_merging)
                {
                    return Err(YamlError::at(&span, "`<<` takes no alias of a list; write the list out"));
                }
                return self.complete(node, 0);
            }
            Event::SequenceStart(_, anchor, _) => self.open(CollectionBuilder::list(span, anchor))?,
            Event::MappingStart(_, anchor, _) => self.open(CollectionBuilder::map(span, anchor))?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(builder) = self.open.pop() {
                    let (node, anchor) = builder.finish(span.bytes.start);
                    return self.complete(Rc::new(node), anchor);
                }
            }
            Event::DocumentStart(..) => self.anchors.clear(),
            _ => {}
        }
        Ok(None)
    }

    fn open(&mut self, builder: CollectionBuilder) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError::at(builder.span(), too_deep()));
        }
        self.open.push(builder);
        Ok(())
    }

    /// Adds a finished value to its collection, or returns it as the document.
    fn complete(&mut self, node: Rc<Node>, anchor: usize) -> Result<Option<Rc<Node>>, YamlError> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        if self.open.len() + node.depth > MAX_DEPTH {
            return Err(YamlError::at(&node.span, too_deep()));
        }
        let left = self.budget.values.checked_sub(1);
        self.budget.values = left.ok_or_else(|| {
            YamlError::at(&node.span, format!("more than {MAX_VALUES} values in one file; check it in parts"))
        })?;
        let Some(builder) = self.open.last_mut() else {
            return Ok(Some(node).filter(|node| !matches!(node.value, Value::Null)));
        };
        builder.push(node)?;
        Ok(None)
    }

    /// The value of an alias. It is shared here, but expanded when the object is written as JSON.
    fn aliased(&mut self, anchor: usize, span: &Span) -> Result<Rc<Node>, YamlError> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(YamlError::at(span, "this alias is inside the value it refers to"));
        };
        let left = self.budget.aliased_bytes.checked_sub(node.expanded_bytes).ok_or_else(|| {
            let limit = MAX_ALIASED_BYTES >> 20;
            YamlError::at(
                span,
                format!("the aliases so far expand to more than {limit} MiB; write the values out"),
            )
        })?;
        self.budget.aliased_bytes = left;
        Ok(Rc::clone(node))
    }

    /// A span of the chunk as a span of the file.
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

fn too_deep() -> String {
    format!("more than {MAX_DEPTH} levels of lists and maps; an IPPool has four")
}

/// Whether this is the merge key; in quotes it is only with its tag.
fn is_merge(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> bool {
    text == "<<" && tag.map_or(style == ScalarStyle::Plain, |tag| yaml_type(tag).as_deref() == Some("merge"))
}

/// The name of a type of YAML, as in `!!int`.
fn yaml_type(tag: &Tag) -> Option<Cow<'_, str>> {
    tag.suffix_in_namespace("tag:yaml.org,2002:")
}

/// The value of a scalar, or why it has no form in JSON.
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

/// A scalar with the type that its tag requires.
#[expect(clippy::cast_precision_loss, reason = "!!float asks for it")]
fn tagged(text: &str, name: &str) -> Result<Scalar, String> {
    match (name, resolve(text)) {
        ("int", value @ (Scalar::Int(_) | Scalar::Uint(_)))
        | ("float", value @ Scalar::Float(_))
        | ("bool", value @ Scalar::Bool(_))
        | ("null", value @ Scalar::Null) => Ok(value),
        ("float", Scalar::Int(value)) => Ok(Scalar::Float(value as f64)),
        _ => Err(format!("{text:?} is not a valid !!{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::split;
    use super::*;

    #[test]
    fn all_documents_of_a_file_share_one_budget() {
        let chunks = split("[1, 2]\n---\na: [3, 4]\n");
        let mut budget = Budget { values: 7, aliased_bytes: 0 };
        let first = chunks.first().map(|chunk| read(chunk, &mut budget, drop));
        assert_eq!((first, budget.values), (Some(Ok(())), 4));
        // The key counts too; the map itself is one too many.
        let second = chunks.get(1).map(|chunk| read(chunk, &mut budget, drop));
        let why = "more than 2000000 values in one file; check it in parts".to_owned();
        assert_eq!(second, Some(Err(YamlError { line: 3, why })));
        assert!(budget.is_spent());
    }
}
