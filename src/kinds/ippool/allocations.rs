//! `spec.allocations` as a list.

use std::fmt;
use std::ops::Deref;

use super::Allocation;
use super::parse::EntryTexts;

/// The entries of `spec.allocations`, in the order they came in.
#[derive(Clone, Default)]
pub struct Allocations<'a> {
    entries: Vec<Allocation<'a>>,
    in_order: bool,
    /// Where each entry is in the text they were read from, if that was compact.
    pub(super) texts: EntryTexts<'a>,
}

impl<'a> Allocations<'a> {
    /// These entries.
    pub fn new(entries: Vec<Allocation<'a>>) -> Self {
        let sorted = entries.is_sorted_by(|a, b| a.key < b.key);
        let in_order = sorted && entries.iter().all(Allocation::key_is_canonical);
        Self { entries, in_order, texts: EntryTexts::default() }
    }

    /// Whether the keys are in the order in which an apiserver sends them, each once and as whereabouts spells
    /// it: then no two can be one offset.
    pub fn are_in_order(&self) -> bool {
        self.in_order
    }
}

impl<'a> Deref for Allocations<'a> {
    type Target = [Allocation<'a>];

    fn deref(&self) -> &[Allocation<'a>] {
        &self.entries
    }
}

impl<'a> FromIterator<Allocation<'a>> for Allocations<'a> {
    fn from_iter<I: IntoIterator<Item = Allocation<'a>>>(entries: I) -> Self {
        Self::new(entries.into_iter().collect())
    }
}

impl<'s, 'a> IntoIterator for &'s Allocations<'a> {
    type Item = &'s Allocation<'a>;
    type IntoIter = std::slice::Iter<'s, Allocation<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl PartialEq for Allocations<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl fmt::Debug for Allocations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.fmt(f)
    }
}
