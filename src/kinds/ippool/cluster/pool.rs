//! An IPPool without the texts that no rule across objects needs.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use std::hash::BuildHasher;

use super::{Meta, Name, Names};
use crate::kinds::ippool::{self, Allocation, Range, Unreadable};

/// An IPPool.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Its namespace and name.
    pub meta: Meta,
    /// `spec.range` as written, or empty.
    pub range_text: String,
    /// `spec.range`, if whereabouts can read it.
    pub range: Option<Range>,
    /// The entries whose key whereabouts can read, by offset.
    pub entries: Vec<Entry>,
    /// The keys that are not spelled as whereabouts spells them, by position of the entry.
    spellings: Vec<(usize, Box<str>)>,
    /// The offsets past 2^63-1, which whereabouts writes and then cannot read.
    pub unreadable_offsets: Vec<u64>,
    /// The number of all entries, including those that are not kept.
    pub entry_count: usize,
    /// Whether some entries were not read.
    pub is_truncated: bool,
    /// Whether the CNI plugin of whereabouts wrote it.
    pub is_written_by_plugin: bool,
}

/// An entry of `spec.allocations`; there may be a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub offset: i64,
    /// Its podref, as written.
    pub owner: Name,
    /// A digest of its id, which identifies it across two evaluations.
    pub id: u32,
    /// Whether it has an ifname.
    pub has_ifname: bool,
    /// Whether a claim keeps the address (`ipamclaimref`).
    pub has_claim: bool,
}

impl Pool {
    /// Reduces a pool to what is kept.
    pub fn of(meta: Meta, pool: &ippool::Pool<'_>, names: &mut Names) -> Self {
        let spec = &pool.spec;
        let mut kept = Self {
            meta,
            range_text: spec.range.text().unwrap_or_default().to_owned(),
            range: pool.range().copied(),
            entry_count: spec.entry_count(),
            is_truncated: spec.truncated > 0,
            ..Self::default()
        };
        let mut entries: Vec<(Entry, &Allocation<'_>)> = Vec::with_capacity(spec.allocations.len());
        for allocation in spec.allocations.iter() {
            match Entry::of(allocation, names) {
                Ok(entry) => entries.push((entry, allocation)),
                Err(Unreadable::TooLarge) => {
                    kept.unreadable_offsets.extend(allocation.key.parse::<u64>().ok());
                }
                Err(Unreadable::NotANumber) => {}
            }
        }
        // Stable: of two keys with one offset, the first stays the first.
        entries.sort_by_key(|(entry, _)| entry.offset);
        for (index, (_, allocation)) in entries.iter().enumerate() {
            if !allocation.key_is_canonical() {
                kept.spellings.push((index, allocation.key.as_ref().into()));
            }
        }
        kept.entries = entries.into_iter().map(|(entry, _)| entry).collect();
        kept
    }

    /// The key of an entry, as written.
    pub fn key(&self, index: usize) -> String {
        let spelled = self.spellings.binary_search_by_key(&index, |(at, _)| *at);
        match spelled.ok().and_then(|at| self.spellings.get(at)) {
            Some((_, key)) => key.to_string(),
            None => self.entries.get(index).map(|entry| entry.offset.to_string()).unwrap_or_default(),
        }
    }

    /// The address whereabouts takes an entry for.
    pub fn address(&self, entry: &Entry) -> Option<IpAddr> {
        self.range.as_ref()?.address_at(entry.offset)
    }

    /// The entries at this address, as positions among all.
    pub fn at(&self, address: IpAddr) -> impl Iterator<Item = (usize, &Entry)> {
        let offset = self.range.as_ref().and_then(|range| range.offset_of(address));
        let start = offset.map_or(self.entries.len(), |at| self.entries.partition_point(|it| it.offset < at));
        let rest = self.entries.iter().enumerate().skip(start);
        rest.take_while(move |(_, entry)| Some(entry.offset) == offset)
    }

    /// Whether it has an entry for this address, even one that whereabouts cannot read.
    pub fn holds(&self, address: IpAddr) -> bool {
        let at_unreadable = |offset: &u64| {
            self.range.as_ref().and_then(|range| range.address_at_wide(u128::from(*offset))) == Some(address)
        };
        self.at(address).next().is_some() || self.unreadable_offsets.iter().any(at_unreadable)
    }
}

impl Entry {
    fn of(allocation: &Allocation<'_>, names: &mut Names) -> Result<Self, Unreadable> {
        let offset = allocation.offset?;
        Ok(Self {
            offset,
            owner: names.add(allocation.owner()),
            id: digest(allocation.id.text().unwrap_or_default()),
            has_ifname: allocation.ifname.text().is_some_and(|ifname| !ifname.is_empty()),
            has_claim: !allocation.claim.is_empty(),
        })
    }
}

/// A digest that identifies a text within one run of the program.
pub fn digest(text: &str) -> u32 {
    let hash = FixedState::default().hash_one(text);
    u32::try_from(hash >> 32).unwrap_or_default()
}
