//! `spec.allocations` as a list.

use std::ops::Deref;

use super::Allocation;
use super::parse::EntryTexts;

/// The entries of `spec.allocations`, in the order they came in.
#[derive(Clone, Debug, Default)]
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
