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
    pub(crate) fn passes(&mut self, text: &str) -> bool {
        let behind = self.ahead.strip_prefix(text);
        self.ahead = behind.unwrap_or(self.ahead);
        behind.is_some()
    }

    /// Whether `text` comes next.
    pub(super) fn is_before(&self, text: &str) -> bool {
        self.ahead.starts_with(text)
    }

    /// How much is still ahead.
    pub(super) fn bytes_ahead(&self) -> usize {
        self.ahead.len()
    }

    /// What was passed since the walk stood at `start`.
    pub(super) fn passed_since(&self, start: Self) -> &'a str {
        let length = start.ahead.len().saturating_sub(self.ahead.len());
        start.ahead.get(..length).unwrap_or_default()
    }

    /// Goes past a string that stands for what is between its quotes.
    pub(super) fn text(&mut self) -> Result<&'a str, Error> {
        let from = self.ahead.strip_prefix('"').ok_or_else(unusual)?;
        let quote = memchr::memchr(b'"', from.as_bytes()).ok_or_else(unusual)?;
        let text = &from[..quote];
        if !is_plain(text) {
            return Err(unusual());
        }
        self.ahead = &from[quote + 1..];
        Ok(text)
    }

    /// Goes past a key.
    pub(super) fn key(&mut self) -> Result<&'a str, Error> {
        let key = self.text()?;
        self.pass(":")?;
        Ok(key)
    }

    /// Goes past a key, with escapes or without; `managedFields` has both.
    pub(super) fn skip_key(&mut self) -> Result<(), Error> {
        match self.text() {
            Ok(_) => {}
            Err(_) if self.is_before("\"") => self.skip()?,
            Err(error) => return Err(error),
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
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        self.value(PhantomData::<IgnoredAny>).map(drop)
    }

    /// Enters an object.
    pub(crate) fn members(&mut self) -> Result<Members<'_, 'a>, Error> {
        self.pass("{")?;
        Ok(Members { walk: self, is_first: true })
    }
}

/// The members of an object, one after the other.
pub(crate) struct Members<'w, 'a> {
    /// Where the walk stands: before a key or its value.
    pub(crate) walk: &'w mut Walk<'a>,
    is_first: bool,
}

impl Members<'_, '_> {
    /// Goes on to the next key; false behind the last.
    pub(super) fn next(&mut self) -> Result<bool, Error> {
        if self.walk.passes("}") {
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.walk.pass(",")?;
        }
        Ok(true)
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
        self.walk.value(seed)
    }
}

/// Whether JSON means the text as it stands: no escape, and none of the control characters it forbids. Every
/// byte is looked at, so that the processor can look at many at once.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & (byte >= b' ') & (byte != b'\\'))
}

#[cold]
fn unusual() -> Error {
    Error::custom("not JSON as the apiserver writes it")
}
