//! The line of a file that a finding is about.

use std::ops::Range;

use crate::text::printable;

/// A line of a file and the characters of it that a finding is about.
#[derive(Debug)]
pub struct Excerpt {
    pub line: usize,
    pub column: usize,
    /// The number of characters to mark; at least 1.
    pub width: usize,
    /// The line without control characters, truncated on both sides where it is long.
    pub text: String,
    /// The characters of `text` before the mark.
    pub indent: usize,
}

/// Characters of the line shown before, within and after the mark. JSON may be one line of megabytes.
const MAX_CHARS: usize = 60;

impl Excerpt {
    /// The line of the file that contains `bytes`, which begin at this line and column.
    pub fn new(file: &str, line: usize, column: usize, bytes: &Range<usize>) -> Self {
        let (before, rest) = file.split_at(file.floor_char_boundary(bytes.start));
        let (marked, after) = rest.split_at(rest.floor_char_boundary(bytes.len()));
        let before: String = truncated(before.chars().rev()).chars().rev().collect();
        let ends_line = marked.contains(is_line_end);
        let marked = truncated(marked.chars());
        let after = if ends_line { String::new() } else { truncated(after.chars()) };
        Self {
            line,
            column,
            width: marked.chars().count().max(1),
            indent: before.chars().count(),
            text: printable(&format!("{before}{marked}{after}")),
        }
    }
}

/// These characters up to the end of the line, and up to the maximum.
fn truncated(chars: impl Iterator<Item = char>) -> String {
    let mut line = chars.take_while(|c| !is_line_end(*c));
    let mut shown: String = line.by_ref().take(MAX_CHARS).collect();
    if line.next().is_some() {
        shown.push('…');
    }
    shown
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}
