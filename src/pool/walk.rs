//! A walk over JSON text that knows where it stands, which serde does not tell. So what is expected, or was
//! seen before, is passed in one comparison; serde reads every other value.
//!
//! A walk passes only what is JSON, and reads it as serde would. But it takes no blanks between the tokens
//! and no escapes in the keys it reads: the apiserver writes none there. Its errors say no more than that it
//! came to some, or to what is not JSON at all.

use std::marker::PhantomData;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess};
use serde_json::{Deserializer, Error};

/// How deep the objects are nested that the apiserver sends beside the pool, and then some.
const USUAL_DEPTH: usize = 8;

/// The text that is still ahead.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a> {
    ahead: &'a str,
}

impl<'a> Walk<'a> {
    /// Stands before `text`.
    pub(crate) fn over(text: &'a str) -> Self {
        Self { ahead: text }
    }

    /// Nothing may be ahead any more.
    pub(crate) fn end(self) -> Result<(), Error> {
        if self.ahead.is_empty() { Ok(()) } else { Err(unusual()) }
    }

    /// Goes past `text`, which has to come next.
    pub(crate) fn pass(&mut self, text: &str) -> Result<(), Error> {
        if self.passes(text) { Ok(()) } else { Err(unusual()) }
    }

    /// Goes past `text`, if that comes next.
    #[inline(always)] // Nearly always a constant, which is then compared without a loop.
    pub(crate) fn passes(&mut self, text: &str) -> bool {
        let behind = self.ahead.strip_prefix(text);
        self.ahead = behind.unwrap_or(self.ahead);
        behind.is_some()
    }

    /// Whether `text` comes next.
    pub(super) fn is_before(&self, text: &str) -> bool {
        self.ahead.starts_with(text)
    }

    /// What is still ahead.
    pub(super) fn ahead(self) -> &'a str {
        self.ahead
    }

    /// Goes past so many bytes, which are known to be whole values; false where they are not all there.
    pub(super) fn advance(&mut self, bytes: usize) -> bool {
        let behind = self.ahead.get(bytes..);
        self.ahead = behind.unwrap_or(self.ahead);
        behind.is_some()
    }

    /// What was passed since the walk stood at `start`.
    pub(super) fn passed_since(&self, start: Self) -> &'a str {
        let length = start.ahead.len().saturating_sub(self.ahead.len());
        start.ahead.get(..length).unwrap_or_default()
    }

    /// Goes past a string that stands for what is between its quotes; `None` where it is no such.
    #[inline(always)] // Most strings are shorter than a call.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let from = self.ahead.strip_prefix('"')?;
        let (text, behind) = from.split_at_checked(plain_bytes(from.as_bytes()))?;
        self.ahead = behind.strip_prefix('"')?;
        Some(text)
    }

    /// The same for a string of so many bytes, which is quicker.
    pub(super) fn text_of<const LENGTH: usize>(&mut self) -> Option<&'a str> {
        let from = self.ahead.strip_prefix('"')?;
        let (text, behind) = from.split_at_checked(LENGTH)?;
        let bytes: &[u8; LENGTH] = text.as_bytes().first_chunk()?;
        // Every byte is looked at, so that the processor can look at many at once.
        if bytes.iter().fold(false, |special, byte| special | is_special(*byte)) {
            return None;
        }
        self.ahead = behind.strip_prefix('"')?;
        Some(text)
    }

    /// Goes past as many digits as come next.
    pub(super) fn skip_digits(&mut self) {
        let digits = self.ahead.bytes().take_while(u8::is_ascii_digit).count();
        self.advance(digits);
    }

    /// Goes past a key.
    pub(super) fn key(&mut self) -> Result<&'a str, Error> {
        let key = self.text().ok_or_else(unusual)?;
        self.pass(":")?;
        Ok(key)
    }

    /// Goes past a key, with escapes or without; `managedFields` has both.
    pub(super) fn skip_key(&mut self) -> Result<(), Error> {
        match self.text() {
            Some(_) => {}
            None if self.is_before("\"") => self.value(PhantomData::<IgnoredAny>).map(drop)?,
            None => return Err(unusual()),
        }
        self.pass(":")
    }

    /// Goes past any value.
    pub(super) fn value<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let mut deserializer = Deserializer::from_str(self.ahead);
        let value = seed.deserialize(&mut deserializer)?;
        let end = deserializer.into_iter::<IgnoredAny>().byte_offset();
        self.ahead = self.ahead.get(end..).ok_or_else(unusual)?;
        Ok(value)
    }

    /// Goes past any value without looking at it.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        self.skip_down_to(USUAL_DEPTH)
    }

    /// The same; from so many levels down it is left to serde, which knows where to stop.
    fn skip_down_to(&mut self, depth: usize) -> Result<(), Error> {
        match self.ahead.as_bytes() {
            [b'"', ..] if self.text().is_some() => Ok(()),
            [b'{', ..] if depth > 0 => {
                let mut members = self.members()?;
                while members.next()? {
                    members.walk.skip_key()?;
                    members.walk.skip_down_to(depth - 1)?;
                }
                Ok(())
            }
            [b'[', ..] if depth > 0 => {
                let mut elements = self.elements()?;
                while elements.next()? {
                    elements.walk.skip_down_to(depth - 1)?;
                }
                Ok(())
            }
            _ => self.value(PhantomData::<IgnoredAny>).map(drop),
        }
    }

    /// Enters an object.
    pub(crate) fn members(&mut self) -> Result<Members<'_, 'a>, Error> {
        self.pass("{")?;
        Ok(Members { walk: self, is_first: true, closing: b'}' })
    }

    /// Enters an array.
    pub(super) fn elements(&mut self) -> Result<Members<'_, 'a>, Error> {
        self.pass("[")?;
        Ok(Members { walk: self, is_first: true, closing: b']' })
    }
}

/// The members of an object, or the elements of an array, one after the other.
pub(crate) struct Members<'w, 'a> {
    /// Where the walk stands: before a key or its value.
    pub(crate) walk: &'w mut Walk<'a>,
    is_first: bool,
    closing: u8,
}

impl Members<'_, '_> {
    /// Goes on to the next one; false behind the last.
    pub(super) fn next(&mut self) -> Result<bool, Error> {
        match self.walk.ahead.as_bytes().first() {
            Some(closing) if *closing == self.closing => {
                self.walk.advance(1);
                Ok(false)
            }
            _ if std::mem::take(&mut self.is_first) => Ok(true),
            _ => self.walk.pass(",").map(|()| true),
        }
    }
}

impl<'a> MapAccess<'a> for Members<'_, 'a> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if !self.next()? {
            return Ok(None);
        }
        seed.deserialize(BorrowedStrDeserializer::new(self.walk.key()?)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.walk.text() {
            Some(text) => seed.deserialize(BorrowedStrDeserializer::new(text)),
            None => self.walk.value(seed),
        }
    }
}

/// How many bytes JSON means as they stand, counted from the first: up to a quote, a backslash or one of the
/// control characters it forbids.
fn plain_bytes(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return index * WORD + special.trailing_zeros() as usize / 8;
        }
    }
    words.len() * WORD + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

/// Whether a byte ends a string, or does not stand for itself within one.
fn is_special(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

const WORD: usize = size_of::<u64>();

/// The highest bit of each byte that is no plain one, eight at a time. What stands behind the first of them,
/// towards the higher bytes, may be marked without cause.
fn special_bytes(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    // Borrows the highest bit of what is below the limit; what had that bit set is no such byte.
    let below = |limit: u8, word: u64| word.wrapping_sub(EACH * u64::from(limit));
    let is = |byte: u8| below(1, word ^ (EACH * u64::from(byte)));
    (below(b' ', word) | is(b'"') | is(b'\\')) & !word & (EACH << 7)
}

#[cold]
fn unusual() -> Error {
    Error::custom("not JSON as the apiserver writes it")
}
