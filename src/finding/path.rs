//! Where in an object a finding is.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::text::Shortened;

/// Where in the object a finding is, as Kubernetes writes it: `spec.allocations[300].podref`.
///
/// Paths are ordered as text, except that the keys of a map that are numbers come first and in numeric
/// order. Two spellings of one number are the same, so that a finding is recognized after its key was rewritten.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath<'a> {
    root: &'static str,
    key: Option<MapKey<'a>>,
    field: &'static str,
}

#[derive(Clone, Debug)]
struct MapKey<'a> {
    number: Option<i64>,
    text: Cow<'a, str>,
}

impl MapKey<'_> {
    /// Keys are ordered by this.
    fn location(&self) -> (bool, Option<i64>, &str) {
        match self.number {
            Some(_) => (false, self.number, ""),
            None => (true, None, &self.text),
        }
    }
}

impl Ord for MapKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.location().cmp(&other.location())
    }
}

impl PartialOrd for MapKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for MapKey<'_> {}

impl PartialEq for MapKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.location() == other.location()
    }
}

impl<'a> FieldPath<'a> {
    /// A fixed path such as `spec.range`.
    pub const fn of(root: &'static str) -> Self {
        Self { root, key: None, field: "" }
    }

    /// An entry of the map at `root`; `number` is the key's value where it is a number.
    pub fn entry(root: &'static str, key: impl Into<Cow<'a, str>>, number: Option<i64>) -> Self {
        let key = MapKey { number, text: key.into() };
        Self { root, key: Some(key), field: "" }
    }

    /// A field of this entry.
    #[must_use]
    pub fn field(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }

    /// The key as written, by which two paths that are the same may still differ.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.text.as_ref())
    }

    /// Whether it leads to an entry of a map.
    pub(crate) fn is_entry(&self) -> bool {
        self.key.is_some()
    }

    /// Detaches the path from the object it leads into.
    pub(crate) fn into_owned(self) -> FieldPath<'static> {
        let owned =
            |MapKey { number, text }: MapKey<'_>| MapKey { number, text: Cow::Owned(text.into_owned()) };
        let key = self.key.map(owned);
        FieldPath { root: self.root, key, field: self.field }
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root)?;
        if let Some(key) = &self.key {
            write!(f, "[{}]", Shortened(&key.text))?;
        }
        if !self.field.is_empty() {
            write!(f, ".{}", self.field)?;
        }
        Ok(())
    }
}
