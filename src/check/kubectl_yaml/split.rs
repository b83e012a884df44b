//! Splits a file into its documents.
//!
//! Like kubectl, this splits a YAML stream at its `---` lines before parsing, so a broken document does not hide the others,
//! and reads consecutive JSON values.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// A part of a file that is parsed by itself.
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
    let body = text.trim_start_matches('\u{feff}');
    let values = json_values(body);
    let is_json = values.is_some();
    let (mut line, mut column, mut start) = (0, 0, 0);
    let chunk = |end| {
        let part = body.get(start..end).unwrap_or_default();
        // JSON allows tabs between tokens and forbids them inside strings, so none of these is content;
        // YAML forbids them where it indents.
        let spaced = if is_json { Cow::Owned(part.replace('\t', " ")) } else { Cow::Borrowed(part) };
        let chunk = Chunk { text: spaced, line, column, offset: text.len() - body.len() + start, is_json };
        line += part.bytes().filter(|byte| *byte == b'\n').count();
        column = match part.rsplit_once('\n') {
            Some((_, last_line)) => last_line.chars().count(),
            None => column + part.chars().count(),
        };
        start = end;
        chunk
    };
    values.unwrap_or_else(|| yaml_documents(body)).into_iter().map(chunk).collect()
}

/// The ends of consecutive JSON values; `None` where the text is anything else.
fn json_values(text: &str) -> Option<Vec<usize>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut ends = Vec::new();
    while let Some(value) = values.next() {
        value.ok()?;
        ends.push(values.byte_offset());
    }
    Some(ends)
}

/// The ends of YAML documents: each is before a separator.
fn yaml_documents(text: &str) -> Vec<usize> {
    let (mut ends, mut at, mut has_content) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        if is_separator(line) && has_content {
            ends.push(at);
            has_content = false;
        }
        has_content |= is_separator(line) || !is_comment_or_blank(line);
        at += line.len();
    }
    ends.push(text.len());
    ends
}

/// `---` with nothing but whitespace or a comment after it, where kubectl splits.
pub fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| {
        let rest_is_blank = rest.trim().is_empty();
        rest_is_blank || (rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#'))
    })
}

fn is_comment_or_blank(line: &str) -> bool {
    let line = line.trim_end();
    line.is_empty() || line.starts_with('#')
}
