//! Reads the documents of a file, with a bound on everything.

use std::collections::HashMap;
use std::rc::Rc;

use serde_saphyr::granit_parser::{self, Event, Options, Parser, ScalarStyle, StrInput};

use super::map::MapBuilder;
use super::node::{Entry, Node, Span, Value, YamlError};
use super::scalar;
use super::split::{Chunk, split};
use crate::check::source::MAX_FILE_BYTES;

/// Levels of lists and maps; an IPPool has four. serde_json stops at 128.
const MAX_DEPTH: usize = 100;

/// Values in one file; a file of the maximum size has half as many. Each takes about 150 bytes.
const MAX_VALUES: usize = 2_000_000;

/// The expanded size of all aliases in one file: that of the largest file.
const MAX_ALIASED_BYTES: usize = MAX_FILE_BYTES;

/// The remaining budget of one file.
struct Budget {
    values: usize,
    aliased_bytes: usize,
}

/// Reads the file `text`: passes each document that is not empty to `found`, or why one cannot be read. The documents after
/// it are read as well.
pub fn read(text: &str, mut found: impl FnMut(Result<Rc<Node>, YamlError>)) {
    let mut budget = Budget { values: MAX_VALUES, aliased_bytes: MAX_ALIASED_BYTES };
    for chunk in split(text) {
        if let Err(error) = read_chunk(&chunk, &mut budget, |node| found(Ok(node))) {
            found(Err(error));
            // Every later document would fail in the same way.
            if budget.values == 0 {
                break;
            }
        }
    }
}

/// Passes the documents of `chunk` that are not empty to `found`, up to the first syntax error, or the first value that
/// kubectl would reject.
fn read_chunk(
    chunk: &Chunk<'_>,
    budget: &mut Budget,
    mut found: impl FnMut(Rc<Node>),
) -> Result<(), YamlError> {
    if let Some(line) = chunk.invalid_separator() {
        let why = "kubectl takes no more than a comment on a line that begins with `---`".to_owned();
        return Err(YamlError { line: chunk.line + line, why });
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    if chunk.is_json {
        // The bound is YAML's; JSON has none on the length of a key.
        options.simple_key_max_lookahead = chunk.text.len();
    }
    let events = Parser::new_from_str_with_options(&chunk.text, options);
    let mut reader = Reader { chunk, budget, events, position: 0, depth: 0, anchors: HashMap::new() };
    while let Some((event, span)) = reader.next()? {
        if let Event::DocumentStart(..) = event {
            reader.anchors.clear();
        }
        let document = reader.node(event, span)?;
        let is_null = |node: &Node| matches!(node.value, Value::Scalar(serde_json::Value::Null));
        document.filter(|node| !is_null(node)).into_iter().for_each(&mut found);
    }
    Ok(())
}

struct Reader<'c> {
    chunk: &'c Chunk<'c>,
    budget: &'c mut Budget,
    events: Parser<'c, StrInput<'c>>,
    /// The byte of the file where the last event began.
    position: usize,
    /// The unfinished lists and maps.
    depth: usize,
    anchors: HashMap<usize, Rc<Node>>,
}

impl<'c> Reader<'c> {
    fn next(&mut self) -> Result<Option<(Event<'c>, Span)>, YamlError> {
        let Some(event) = self.events.next() else { return Ok(None) };
        let (event, span) = event.map_err(|error| YamlError {
            line: self.chunk.line + error.marker().line().max(1),
            why: error.info(),
        })?;
        let span = self.span(&span);
        self.position = span.bytes.start;
        Ok(Some((event, span)))
    }

    /// The value that begins with this event; `None` if none does, as at the end of a list or map.
    fn node(&mut self, event: Event<'c>, mut span: Span) -> Result<Option<Rc<Node>>, YamlError> {
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar::value(&text, style, tag.as_deref()).map_err(|why| span.error(why))?;
                (Value::Scalar(value), anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, &span).map(Some),
            Event::SequenceStart(_, anchor, _) => (self.nested(&mut span, Self::list)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.nested(&mut span, Self::map)?, anchor),
            _ => return Ok(None),
        };
        self.count(&span)?;
        let node = Rc::new(Node::new(value, span));
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(Some(node))
    }

    fn next_node(&mut self) -> Result<Option<Rc<Node>>, YamlError> {
        let Some((event, span)) = self.next()? else { return Ok(None) };
        self.node(event, span)
    }

    /// Reads a list or map, and extends `span` to its end.
    fn nested(
        &mut self,
        span: &mut Span,
        read: fn(&mut Self) -> Result<Value, YamlError>,
    ) -> Result<Value, YamlError> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        span.bytes.end = self.position.max(span.bytes.start);
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, YamlError> {
        let mut nodes = Vec::new();
        while let Some(node) = self.next_node()? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn map(&mut self) -> Result<Value, YamlError> {
        let mut map = MapBuilder::default();
        while let Some((event, span)) = self.next()? {
            if is_merge(&event) {
                let Some(source) = self.merged()? else { break };
                map.merge(&source)?;
                continue;
            }
            let Some(node) = self.node(event, span)? else { break };
            let key = map.key(&node)?;
            let Some(value) = self.next_node()? else { break };
            map.set(Entry { key, key_span: node.span.clone(), value });
        }
        Ok(Value::Map(map.entries))
    }

    /// The value of `<<`.
    fn merged(&mut self) -> Result<Option<Rc<Node>>, YamlError> {
        let Some((event, span)) = self.next()? else { return Ok(None) };
        let alias = matches!(event, Event::Alias(_)).then(|| span.clone());
        let node = self.node(event, span)?;
        match (alias, node.as_deref()) {
            (Some(alias), Some(Node { value: Value::List(_), .. })) => {
                Err(alias.error("`<<` takes no alias of a list; write the list out"))
            }
            _ => Ok(node),
        }
    }

    /// The value of an alias. It is shared here, but expanded when the object is written as JSON.
    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Rc<Node>, YamlError> {
        let node = self.anchors.get(&anchor).map(Rc::clone);
        let node = node.ok_or_else(|| span.error("this alias is inside the value it refers to"))?;
        let left = self.budget.aliased_bytes.checked_sub(node.expanded_bytes);
        self.budget.aliased_bytes = left.ok_or_else(|| {
            let limit = MAX_ALIASED_BYTES >> 20;
            span.error(format!("the aliases so far expand to more than {limit} MiB; write the values out"))
        })?;
        if self.depth + node.depth > MAX_DEPTH {
            return Err(too_deep(&node.span));
        }
        self.count(&node.span)?;
        Ok(node)
    }

    fn count(&mut self, span: &Span) -> Result<(), YamlError> {
        let left = self.budget.values.checked_sub(1);
        self.budget.values = left.ok_or_else(|| {
            span.error(format!("more than {MAX_VALUES} values in one file; check it in parts"))
        })?;
        Ok(())
    }

    /// A span of the chunk as a span of the file.
    fn span(&self, span: &granit_parser::Span) -> Span {
        let bytes = span.byte_range().unwrap_or_default();
        let first_line_starts_at = if span.start.line() == 1 { self.chunk.column } else { 0 };
        Span {
            line: self.chunk.line + span.start.line(),
            column: first_line_starts_at + span.start.col() + 1,
            bytes: self.chunk.offset + bytes.start..self.chunk.offset + bytes.end,
        }
    }
}

fn too_deep(span: &Span) -> YamlError {
    span.error(format!("more than {MAX_DEPTH} levels of lists and maps; an IPPool has four"))
}

/// Whether this is the merge key; in quotes it is only with its tag.
fn is_merge(event: &Event<'_>) -> bool {
    let Event::Scalar(text, style, _, tag) = event else { return false };
    text == "<<"
        && match tag {
            Some(tag) => scalar::yaml_type(tag).as_deref() == Some("merge"),
            None => *style == ScalarStyle::Plain,
        }
}
