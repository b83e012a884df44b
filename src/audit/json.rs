//! Splits JSON into objects while it arrives, so that a list of any length takes the memory of its largest item.
//!
//! This only finds where objects begin and end. Whether an object is JSON is checked where it is parsed.

#[cfg(test)]
mod tests;

use memchr::memchr_iter;

use crate::json::{bytes_before_token, plain_bytes};
use crate::kinds::ippool::cluster::{Head, TypeMeta};

/// The longest object, in bytes; etcd stores 1.5 MiB, and JSON that is made for people is several times as long.
pub const MAX_OBJECT_BYTES: usize = 64 << 20;

/// A part of the JSON.
#[derive(Debug)]
pub enum Part<'s> {
    /// An element of the `items` of a list, or of an array.
    Item(Object<'s>),
    /// An object that is not in a list; of a list, everything but its items.
    Whole(Object<'s>),
}

/// The text of an object.
#[derive(Debug)]
pub struct Object<'s> {
    pub text: &'s [u8],
    /// The line of the source on which it begins, from 1.
    pub line: usize,
    /// The type of the list of an item, if the list has it before its items.
    pub list: &'s TypeMeta,
    /// Whether this is a list whose items were passed on before.
    pub has_items: bool,
}

/// Why the rest cannot be split.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    pub why: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Between values.
    #[default]
    Outside,
    /// In an object or array, outside the items of a list.
    Value,
    /// Between two items.
    Items,
    /// In an item.
    Item,
}

/// Finds objects in JSON that is pushed in parts.
#[derive(Debug, Default)]
pub struct Splitter {
    /// What has not been passed on.
    buffer: Vec<u8>,
    /// The next byte to look at.
    at: usize,
    /// Where the current object begins, or the current part of a list outside its items.
    start: usize,
    place: Place,
    /// How many brackets are unclosed.
    depth: usize,
    /// How many brackets are unclosed between two items.
    item_depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// Where the last string at the first level begins, and whether it was `items`.
    string_start: usize,
    is_items: bool,
    /// The current value, without the items if it is a list.
    value: Vec<u8>,
    value_line: usize,
    has_items: bool,
    list: TypeMeta,
    /// The lines before `counted`.
    lines: usize,
    counted: usize,
}

impl Splitter {
    /// Passes on the objects that end in `bytes`.
    pub fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(Part<'_>)) -> Result<(), Broken> {
        self.drop_passed();
        self.buffer.extend_from_slice(bytes);
        while self.at < self.buffer.len() {
            if self.in_string {
                self.string();
            } else {
                self.skip_plain()?;
                self.token(found)?;
                self.at = self.buffer.len().min(self.at + 1);
            }
        }
        if self.buffer.len() - self.start > MAX_OBJECT_BYTES {
            let limit = MAX_OBJECT_BYTES >> 20;
            return Err(self.broken(format!("an object is longer than {limit} MiB")));
        }
        Ok(())
    }

    /// Checks that the last value is complete.
    ///
    /// # Errors
    /// If the text ends in the middle of one.
    pub fn finish(mut self) -> Result<(), Broken> {
        match self.place {
            Place::Outside => Ok(()),
            _ => {
                self.at = self.buffer.len();
                Err(self.broken("ends in the middle of an object".to_owned()))
            }
        }
    }

    /// Moves to the end of a string, or of the buffer.
    fn string(&mut self) {
        if std::mem::take(&mut self.is_escaped) {
            self.at += 1;
            return;
        }
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        self.at += plain_bytes(rest);
        match self.buffer.get(self.at) {
            Some(b'\\') => self.is_escaped = true,
            Some(b'"') => {
                self.in_string = false;
                if self.depth == 1 {
                    self.is_items = self.buffer.get(self.string_start..self.at) == Some(b"items");
                }
            }
            // A control character, which the parser of the object rejects, or the end of the buffer.
            _ => {}
        }
        self.at = self.buffer.len().min(self.at + 1);
    }

    /// Skips what does not matter for where objects begin and end.
    fn skip_plain(&mut self) -> Result<(), Broken> {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let is_between = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',');
        self.at += match self.place {
            Place::Outside => 0,
            Place::Items => rest.iter().take_while(is_between).count(),
            Place::Value | Place::Item => bytes_before_token(rest),
        };
        match self.buffer.get(self.at) {
            Some(byte) if self.place == Place::Items && !matches!(byte, b'{' | b']') => {
                Err(self.broken("is not JSON here: an item of a list must begin with {".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn token(&mut self, found: &mut dyn FnMut(Part<'_>)) -> Result<(), Broken> {
        match self.buffer.get(self.at) {
            Some(b'"') if self.place != Place::Outside => {
                self.in_string = true;
                self.string_start = self.at + 1;
            }
            Some(bracket @ (b'{' | b'[')) => self.open(*bracket),
            Some(b'}' | b']') if self.depth > 0 => self.close(found)?,
            // `---` is between the documents of YAML, some of which may be JSON.
            Some(b' ' | b'\t' | b'\r' | b'\n' | b'-') if self.place == Place::Outside => {}
            Some(_) if self.place == Place::Outside => {
                return Err(self.broken("is not JSON here: an object must begin with {".to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, bracket: u8) {
        match self.place {
            Place::Outside => {
                self.start = self.at;
                self.value_line = self.line();
                (self.place, self.is_items, self.has_items) = (Place::Value, false, false);
                self.list = TypeMeta::default();
                // The elements of an array are items of a list of no kind.
                if bracket == b'[' {
                    self.enter_items();
                }
            }
            Place::Value if self.depth == 1 && bracket == b'[' && self.is_items => self.enter_items(),
            Place::Items if self.depth == self.item_depth && bracket == b'{' => {
                self.start = self.at;
                self.place = Place::Item;
            }
            _ => {}
        }
        self.depth += 1;
    }

    fn enter_items(&mut self) {
        self.keep(self.at + 1);
        (self.place, self.item_depth, self.has_items) = (Place::Items, self.depth + 1, true);
        let complete = [&self.value, b"]}".as_slice()].concat();
        self.list = std::str::from_utf8(&complete).map(Head::type_meta).unwrap_or_default();
    }

    fn close(&mut self, found: &mut dyn FnMut(Part<'_>)) -> Result<(), Broken> {
        self.depth -= 1;
        match self.place {
            Place::Item if self.depth == self.item_depth => {
                let line = self.line();
                let text = self.buffer.get(self.start..=self.at).unwrap_or_default();
                found(Part::Item(Object { text, line, list: &self.list, has_items: false }));
                (self.place, self.start) = (Place::Items, self.at + 1);
            }
            Place::Items if self.depth < self.item_depth => {
                (self.place, self.start) = (Place::Value, self.at);
                if self.depth == 0 {
                    self.end(found)?;
                }
            }
            Place::Value if self.depth == 0 => self.end(found)?,
            _ => {}
        }
        Ok(())
    }

    /// Ends a value.
    fn end(&mut self, found: &mut dyn FnMut(Part<'_>)) -> Result<(), Broken> {
        self.keep(self.at + 1);
        self.place = Place::Outside;
        let Self { value, value_line: line, list, has_items, .. } = self;
        if value.len() > MAX_OBJECT_BYTES {
            return Err(self.broken("a list has too much beside its items".to_owned()));
        }
        found(Part::Whole(Object { text: value, line: *line, list, has_items: *has_items }));
        self.value.clear();
        Ok(())
    }

    /// Adds the bytes before `end` to the current value.
    fn keep(&mut self, end: usize) {
        self.value.extend_from_slice(self.buffer.get(self.start..end).unwrap_or_default());
        self.start = end;
    }

    /// Drops the bytes that were passed on.
    fn drop_passed(&mut self) {
        if matches!(self.place, Place::Outside | Place::Items) {
            self.start = self.at;
        }
        self.count_lines(self.start);
        self.buffer.drain(..self.start);
        self.at -= self.start;
        self.string_start = self.string_start.saturating_sub(self.start);
        (self.start, self.counted) = (0, 0);
    }

    /// The line of `start`, from 1.
    fn line(&mut self) -> usize {
        self.count_lines(self.start);
        self.lines + 1
    }

    fn count_lines(&mut self, end: usize) {
        self.lines += memchr_iter(b'\n', self.buffer.get(self.counted..end).unwrap_or_default()).count();
        self.counted = self.counted.max(end);
    }

    fn broken(&mut self, why: String) -> Broken {
        self.count_lines(self.at);
        Broken { line: self.lines + 1, why }
    }
}
