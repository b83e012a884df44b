//! A cursor over compact JSON: no whitespace between tokens, no escapes in keys. That is how an apiserver writes it, and
//! the cursor knows its position, which serde does not tell. So what is expected, or was read before, is skipped in
//! one comparison. `None` means that the text is in another form, or not JSON; then serde reads it from the start.

use std::marker::PhantomData;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess};
use serde_json::{Deserializer, Error};

/// How deep objects are skipped here; deeper ones are left to serde, which has its own bound.
const MAX_DEPTH: usize = 8;

/// The text that is left.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// At the start of `text`.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// What is left.
    pub(crate) fn rest(self) -> &'a str {
        self.rest
    }

    /// What was read since the cursor was at `start`.
    pub(crate) fn since(self, start: Self) -> &'a str {
        let length = start.rest.len().saturating_sub(self.rest.len());
        start.rest.get(..length).unwrap_or_default()
    }

    /// Skips `bytes`, which are known to be whole values.
    pub(crate) fn advance(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    /// Skips `text`, if that comes next.
    #[inline(always)] // Nearly always a constant, which is then compared without a loop.
    pub(crate) fn eat(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// Reads a string without escapes.
    #[inline(always)] // Most strings are shorter than a call.
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        let text = self.rest.strip_prefix('"')?;
        let (text, rest) = text.split_at_checked(plain_bytes(text.as_bytes()))?;
        self.rest = rest.strip_prefix('"')?;
        Some(text)
    }

    /// Reads such a string of `LENGTH` bytes, which is quicker.
    pub(crate) fn string_of<const LENGTH: usize>(&mut self) -> Option<&'a str> {
        let (text, rest) = self.rest.strip_prefix('"')?.split_at_checked(LENGTH)?;
        let bytes: &[u8; LENGTH] = text.as_bytes().first_chunk()?;
        // Every byte is looked at, so that the processor can look at many at once.
        if bytes.iter().fold(false, |special, byte| special | is_special(*byte)) {
            return None;
        }
        self.rest = rest.strip_prefix('"')?;
        Some(text)
    }

    /// Skips the digits that come next.
    pub(crate) fn skip_digits(&mut self) {
        self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
    }

    /// Reads a key and its colon.
    pub(crate) fn key(&mut self) -> Option<&'a str> {
        let key = self.string()?;
        self.eat(":")?;
        Some(key)
    }

    /// Skips a key and its colon, with escapes or without: `managedFields` has both.
    pub(crate) fn skip_key(&mut self) -> Option<()> {
        if self.string().is_none() {
            self.rest.starts_with('"').then_some(())?;
            self.value(PhantomData::<IgnoredAny>)?;
        }
        self.eat(":")
    }

    /// Has serde read the value that comes next.
    pub(crate) fn value<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Option<S::Value> {
        let mut deserializer = Deserializer::from_str(self.rest);
        let value = seed.deserialize(&mut deserializer).ok()?;
        let end = deserializer.into_iter::<IgnoredAny>().byte_offset();
        self.advance(end)?;
        Some(value)
    }

    /// Skips the value that comes next.
    pub(crate) fn skip(&mut self) -> Option<()> {
        self.skip_nested(MAX_DEPTH)
    }

    fn skip_nested(&mut self, depth: usize) -> Option<()> {
        match self.rest.as_bytes() {
            [b'"', ..] if self.string().is_some() => Some(()),
            [b'{', ..] if depth > 0 => {
                let mut members = self.members()?;
                while members.next()? {
                    members.cursor.skip_key()?;
                    members.cursor.skip_nested(depth - 1)?;
                }
                Some(())
            }
            [b'[', ..] if depth > 0 => {
                let mut elements = self.elements()?;
                while elements.next()? {
                    elements.cursor.skip_nested(depth - 1)?;
                }
                Some(())
            }
            _ => self.value(PhantomData::<IgnoredAny>).map(drop),
        }
    }

    /// Enters an object.
    pub(crate) fn members(&mut self) -> Option<Members<'_, 'a>> {
        self.eat("{")?;
        Some(Members { cursor: self, is_first: true, closing: b'}' })
    }

    /// Enters an array.
    pub(crate) fn elements(&mut self) -> Option<Members<'_, 'a>> {
        self.eat("[")?;
        Some(Members { cursor: self, is_first: true, closing: b']' })
    }
}

/// The members of an object, or the elements of an array, one after the other.
pub struct Members<'c, 'a> {
    /// Before a key, or before its value.
    pub(crate) cursor: &'c mut Cursor<'a>,
    is_first: bool,
    closing: u8,
}

impl<'a> Members<'_, 'a> {
    /// Goes on to the next one; false after the last.
    pub(crate) fn next(&mut self) -> Option<bool> {
        if self.cursor.rest.as_bytes().first() == Some(&self.closing) {
            self.cursor.advance(1)?;
            return Some(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.cursor.eat(",")?;
        }
        Some(true)
    }

    /// Goes on to the next member, and reads its key; `Some(None)` after the last.
    pub(crate) fn next_key(&mut self) -> Option<Option<&'a str>> {
        if self.next()? { self.cursor.key().map(Some) } else { Some(None) }
    }
}

/// So that serde's readers of members read their values from here as well; the key was read with
/// `next_key`.
impl<'a> MapAccess<'a> for Members<'_, 'a> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'a>>(&mut self, _: S) -> Result<Option<S::Value>, Error> {
        Err(not_compact())
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.cursor.string() {
            Some(text) => seed.deserialize(BorrowedStrDeserializer::new(text)),
            None => self.cursor.value(seed).ok_or_else(not_compact),
        }
    }
}

/// serde knows errors only; who reads compact JSON drops this one.
#[cold]
fn not_compact() -> Error {
    Error::custom("not compact JSON")
}

/// The number of bytes before the first that ends a string or is not itself within one: a quote, a backslash, a control
/// character.
pub(crate) fn plain_bytes(bytes: &[u8]) -> usize {
    bytes_before(bytes, special_bytes, is_special)
}

/// The number of bytes before the first quote or bracket.
#[cfg(feature = "serve")]
pub(crate) fn bytes_before_token(bytes: &[u8]) -> usize {
    bytes_before(bytes, token_bytes, |byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))
}

/// The number of bytes before the first that `is_it`; `marked` has its highest bit set for it, eight at a time.
#[inline]
fn bytes_before(bytes: &[u8], marked: impl Fn(u64) -> u64, is_it: impl Fn(u8) -> bool) -> usize {
    let (words, tail) = bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let marked = marked(u64::from_le_bytes(*word));
        if marked != 0 {
            return index * WORD + marked.trailing_zeros() as usize / 8;
        }
    }
    words.len() * WORD + tail.iter().take_while(|byte| !is_it(**byte)).count()
}

fn is_special(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

const WORD: usize = size_of::<u64>();
const EACH: u64 = u64::MAX / 0xff;

/// The highest bit of each special byte, eight at a time. Bytes after the first may be marked wrongly, since the
/// subtraction borrows upward.
fn special_bytes(word: u64) -> u64 {
    (below(b' ', word) | below(1, word ^ each(b'"')) | below(1, word ^ each(b'\\'))) & !word & (EACH << 7)
}

/// The same for quotes and brackets.
#[cfg(feature = "serve")]
fn token_bytes(word: u64) -> u64 {
    // One bit tells `{` from `[`, and `}` from `]`; no other byte differs from them only in it.
    let brackets = word | each(0x20);
    let is_bracket = below(1, brackets ^ each(b'{')) | below(1, brackets ^ each(b'}'));
    (is_bracket | below(1, word ^ each(b'"'))) & !word & (EACH << 7)
}

/// Borrows the highest bit of each byte below the limit; one that has it set already is not special.
fn below(limit: u8, word: u64) -> u64 {
    word.wrapping_sub(each(limit))
}

/// This byte eight times.
const fn each(byte: u8) -> u64 {
    EACH * byte as u64
}

#[cfg(all(test, feature = "serve"))]
mod tests {
    use super::*;

    #[test]
    fn the_first_quote_or_bracket_is_found_wherever_it_is() {
        for token in *b"\"{}[]" {
            for before in 0..20 {
                let mut text = vec![b' '; 20];
                text[before] = token;
                assert_eq!(bytes_before_token(&text), before, "{token}");
            }
        }
        for other in (0..=u8::MAX).filter(|byte| !b"\"{}[]".contains(byte)) {
            assert_eq!(bytes_before_token(&[other; 17]), 17, "{other}");
        }
    }
}
