//! Splits a file into its documents.
//!
//! Like kubectl, this splits a YAML stream at its `---` lines before parsing, so a broken document does not hide the others,
//! and reads consecutive JSON values.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// A part of a file that is parsed by itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk<'t> {
    /// Its text, with the same offsets as in the file.
    pub text: Cow<'t, str>,
    /// The lines of the file before it.
    pub line: usize,
    /// The characters before it on its first line.
    pub column: usize,
    /// The bytes of the file before it.
    pub offset: usize,
    /// Whether it is JSON, which has no bound on the length of a key.
    pub is_json: bool,
}

impl Chunk<'_> {
    /// The first line, from 1, that begins with `---` and is not a separator; kubectl rejects it anywhere in a document.
    pub fn invalid_separator(&self) -> Option<usize> {
        let is_invalid = |line: &str| {
            let rest = line.strip_prefix("---").unwrap_or_default().trim();
            !rest.is_empty() && !rest.starts_with('#')
        };
        let line = self.text.lines().position(is_invalid).filter(|_| !self.is_json)?;
        Some(line + 1)
    }
}

/// Splits a file into the parts that are parsed by themselves.
pub fn split(text: &str) -> Vec<Chunk<'_>> {
    json_values(text).unwrap_or_else(|| yaml_documents(text))
}

/// Consecutive JSON values; `None` where the text is anything else.
fn json_values(text: &str) -> Option<Vec<Chunk<'_>>> {
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
        return None;
    }
    let body = text.trim_start_matches('\u{feff}');
    let mut splitter = Splitter::new(text.len() - body.len());
    let mut values = serde_json::Deserializer::from_str(body).into_iter::<IgnoredAny>();
    let mut chunks = Vec::new();
    while let Some(value) = values.next() {
        value.ok()?;
        let end = text.len() - body.len() + values.byte_offset();
        let mut chunk = splitter.up_to(end, text);
        // JSON allows tabs between tokens and forbids them inside strings, so none of these is content;
        // YAML forbids them where it indents.
        chunk.text = Cow::Owned(chunk.text.replace('\t', " "));
        chunk.is_json = true;
        chunks.push(chunk);
    }
    Some(chunks)
}

/// YAML documents, split before each separator.
fn yaml_documents(text: &str) -> Vec<Chunk<'_>> {
    let body = text.trim_start_matches('\u{feff}');
    let mut splitter = Splitter::new(text.len() - body.len());
    let mut chunks = Vec::new();
    let mut at = text.len() - body.len();
    let mut has_content = false;
    for line in body.split_inclusive('\n') {
        if is_separator(line) && has_content {
            chunks.push(splitter.up_to(at, text));
            has_content = false;
        }
        has_content |= is_separator(line) || !is_comment_or_blank(line);
        at += line.len();
    }
    chunks.push(splitter.up_to(text.len(), text));
    chunks
}

/// `---` with nothing but whitespace or a comment after it, where kubectl splits.
fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| {
        let rest_is_blank = rest.trim().is_empty();
        rest_is_blank || (rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#'))
    })
}

fn is_comment_or_blank(line: &str) -> bool {
    let line = line.trim_end();
    line.is_empty() || line.starts_with('#')
}

/// Splits chunks off the front, counting lines.
struct Splitter {
    offset: usize,
    line: usize,
    column: usize,
}

impl Splitter {
    fn new(offset: usize) -> Self {
        Self { offset, line: 0, column: 0 }
    }

    fn up_to<'t>(&mut self, end: usize, text: &'t str) -> Chunk<'t> {
        let part = text.get(self.offset..end).unwrap_or_default();
        let Self { offset, line, column } = *self;
        let chunk = Chunk { text: Cow::Borrowed(part), line, column, offset, is_json: false };
        self.line += part.bytes().filter(|byte| *byte == b'\n').count();
        self.column = match part.rsplit_once('\n') {
            Some((_, last_line)) => last_line.chars().count(),
            None => column + part.chars().count(),
        };
        self.offset = end;
        chunk
    }
}
