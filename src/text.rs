//! Text from outside, made safe to repeat: without control characters and without the invisible ones that change how a
//! line reads, and cut where it is long.

use std::fmt::{self, Write as _};

/// The longest excerpt of a key or a value that a message repeats, in characters.
const MAX_EXCERPT_CHARS: usize = 64;

/// What ends a text that was cut.
const ELLIPSIS: char = '…';

/// An excerpt in quotes, escaped as Rust and Go escape it.
#[derive(Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Shortened(self.0))
    }
}

/// The same without the quotes.
#[derive(Debug)]
pub struct Shortened<'a>(pub &'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Counted as it is written: an escape is several characters.
        let mut left = MAX_EXCERPT_CHARS;
        for c in self.0.chars() {
            let needs_escape = is_unprintable(c) || matches!(c, '"' | '\\');
            let width = if needs_escape { c.escape_default().len() } else { 1 };
            let Some(rest) = left.checked_sub(width) else { return f.write_char(ELLIPSIS) };
            left = rest;
            if needs_escape { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}

/// The beginning of `text`, at most `max` bytes as it is written, with unprintable characters escaped.
pub fn shortened(text: &str, max: usize) -> String {
    let (mut short, mut fits) = (String::with_capacity(text.len().min(max)), 0);
    for c in text.chars() {
        if is_unprintable(c) {
            short.extend(c.escape_default());
        } else {
            short.push(c);
        }
        if short.len() <= max.saturating_sub(ELLIPSIS.len_utf8()) {
            fits = short.len();
        }
        if short.len() > max {
            short.truncate(fits);
            short.push(ELLIPSIS);
            break;
        }
    }
    short
}

/// `text` in at most `max` characters, but never fewer than 32: two thirds are its beginning, the rest its end.
pub fn without_middle(text: &str, max: usize) -> String {
    const LEAST: usize = 32;
    let (length, max) = (text.chars().count(), max.max(LEAST));
    if length <= max {
        return text.to_owned();
    }
    let start: String = text.chars().take(max * 2 / 3).collect();
    let end = text.chars().skip(length + start.chars().count() + 1 - max);
    start + &ELLIPSIS.to_string() + &end.collect::<String>()
}

/// `text` for a terminal, where columns count: one character for each one that is not printable.
pub fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if is_unprintable(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// Control characters, and the invisible ones that change how a line reads.
fn is_unprintable(c: char) -> bool {
    let is_invisible = matches!(
        c,
        '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}'
    );
    is_invisible || c.is_control()
}
