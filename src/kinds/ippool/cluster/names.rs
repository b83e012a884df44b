//! Texts that occur in many objects, such as the owners of allocations, each kept once.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Texts, each kept once: a million owners take 40 MB.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// All texts, one after the other.
    text: String,
    /// The end of each text.
    ends: Vec<usize>,
    table: HashTable<Name>,
    hasher: RandomState,
}

/// One of the texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u32);

impl Name {
    /// Its position among all texts.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Names {
    /// Adds a text, unless it is there already.
    pub fn add(&mut self, text: &str) -> Name {
        if let Some(name) = self.find(text) {
            return name;
        }
        // Memory runs out before the numbers do.
        let name = Name(u32::try_from(self.ends.len()).unwrap_or(u32::MAX));
        self.text.push_str(text);
        self.ends.push(self.text.len());
        let Self { text: all, ends, table, hasher } = self;
        let rehash = |name: &Name| hasher.hash_one(text_of(all, ends, *name));
        table.insert_unique(hasher.hash_one(text), name, rehash);
        name
    }

    /// Finds a text that was added.
    pub fn find(&self, text: &str) -> Option<Name> {
        self.table.find(self.hasher.hash_one(text), |name| self.text(*name) == text).copied()
    }

    /// The text of a name.
    pub fn text(&self, name: Name) -> &str {
        text_of(&self.text, &self.ends, name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

fn text_of<'t>(text: &'t str, ends: &[usize], name: Name) -> &'t str {
    let end = ends.get(name.index()).copied().unwrap_or_default();
    let start = name.index().checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
    text.get(start..end).unwrap_or_default()
}
