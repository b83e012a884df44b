//! Where in an object a finding is.

use std::borrow::Cow;
use std::fmt;

use crate::text::Shortened;

/// Where in the object a finding is, as Kubernetes writes it: `spec.allocations[300].podref`.
///
/// Paths are ordered as text, except that the keys of a map that are numbers come first and in numeric
/// order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath<'a> {
    root: &'static str,
    key: Option<MapKey<'a>>,
    field: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MapKey<'a> {
    Number(i64, Cow<'a, str>),
    Text(Cow<'a, str>),
}

/// A path without the spelling of its key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location<'a> {
    root: &'static str,
    key: Option<LocationKey<'a>>,
    field: &'static str,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LocationKey<'a> {
    Number(i64),
    Text(Cow<'a, str>),
}

impl<'a> FieldPath<'a> {
    /// A fixed path such as `spec.range`.
    pub const fn of(root: &'static str) -> Self {
        Self { root, key: None, field: "" }
    }

    /// An entry of the map at `root`; `number` is the key's value where it is a number.
    pub fn entry(root: &'static str, key: &'a str, number: Option<i64>) -> Self {
        let key = Cow::Borrowed(key);
        let key = match number {
            Some(number) => MapKey::Number(number, key),
            None => MapKey::Text(key),
        };
        Self { root, key: Some(key), field: "" }
    }

    /// A field of this entry.
    #[must_use]
    pub fn field(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }

    /// Whether it leads to an entry of a map.
    pub(crate) fn is_entry(&self) -> bool {
        self.key.is_some()
    }

    /// Its location. Two spellings of one number are the same, so that a finding is recognized after its key was
    /// rewritten.
    pub(crate) fn into_location(self) -> Location<'a> {
        let key = self.key.map(|key| match key {
            MapKey::Number(number, _) => LocationKey::Number(number),
            MapKey::Text(text) => LocationKey::Text(text),
        });
        Location { root: self.root, key, field: self.field }
    }

    /// Detaches the path from the object it leads into.
    pub(crate) fn into_owned(self) -> FieldPath<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let key = self.key.map(|key| match key {
            MapKey::Number(number, text) => MapKey::Number(number, owned(text)),
            MapKey::Text(text) => MapKey::Text(owned(text)),
        });
        FieldPath { root: self.root, key, field: self.field }
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root)?;
        if let Some(MapKey::Number(_, key) | MapKey::Text(key)) = &self.key {
            write!(f, "[{}]", Shortened(key))?;
        }
        if !self.field.is_empty() {
            write!(f, ".{}", self.field)?;
        }
        Ok(())
    }
}
