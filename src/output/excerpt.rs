//! The line of a file that a finding is about.

use std::ops::Range;

use crate::text::printable;

/// A line of a file and the characters of it that a finding is about.
#[derive(Debug)]
pub struct Excerpt {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The number of characters to mark; at least 1.
    pub width: usize,
    /// The line without control characters, truncated on both sides where it is long.
    pub text: String,
    /// The characters of `text` before the mark.
    pub indent: usize,
}

/// Characters of the line shown before, within and after the mark. JSON may be one line of megabytes.
const SHOWN_CHARS: usize = 60;

/// The size of these characters at most.
const SHOWN_BYTES: usize = SHOWN_CHARS * 4;

impl Excerpt {
    /// The line of the file that contains `bytes`, which begin at this line and column.
    pub fn new(file: &str, line: usize, column: usize, bytes: &Range<usize>) -> Self {
        let start = file.floor_char_boundary(bytes.start);
        let end = file.floor_char_boundary(bytes.end.max(start));
        let before = last_line(part(file, start.saturating_sub(SHOWN_BYTES), start));
        let marked = first_line(part(file, start, end.min(start + SHOWN_BYTES)));
        let after = first_line(part(file, start + marked.len(), start + marked.len() + SHOWN_BYTES));
        let (before, marked, after) = (last_chars(before), first_chars(marked), first_chars(after));
        Self {
            line,
            column,
            width: marked.chars().count().max(1),
            indent: before.chars().count(),
            text: printable(&format!("{before}{marked}{after}")),
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

fn last_line(text: &str) -> &str {
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
