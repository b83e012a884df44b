//! `spec.allocations` as a list of which two pools can hold stretches in common: an update changes few
//! entries of many, and the stored object is then nearly the new one.

use std::fmt;
use std::ops::Range;
use std::slice;
use std::sync::{Arc, OnceLock};

use super::Allocation;

/// The entries of `spec.allocations`, in the order they came in.
#[derive(Clone, Default)]
pub struct Allocations<'a> {
    stretches: Vec<Stretch<'a>>,
    count: usize,
}

/// Some entries of a list, one behind the other.
#[derive(Clone)]
struct Stretch<'a> {
    list: Arc<List<'a>>,
    part: Range<usize>,
}

struct List<'a> {
    entries: Vec<Allocation<'a>>,
    in_order: OnceLock<bool>,
}

impl<'a> Allocations<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them.
    pub fn iter(&self) -> Iter<'_, 'a> {
        Iter { entries: [].iter(), stretches: self.stretches.iter() }
    }

    /// Whether the keys stand in the order the apiserver sends them, each once and as whereabouts spells
    /// them: then no two can be one offset.
    pub fn are_in_order(&self) -> bool {
        let lists = self.stretches.iter().all(|stretch| stretch.list.is_in_order());
        lists
            && self.stretches.is_sorted_by(|before, after| {
                let (before, after) = (before.entries().last(), after.entries().first());
                before.map(|it| &it.key) < after.map(|it| &it.key)
            })
    }

    /// How many entries are held in common with `other`, and those that are not.
    pub(crate) fn beside<'s>(&'s self, other: &Self) -> (usize, Vec<&'s Allocation<'a>>) {
        // Only a first list is ever held in common: see `Reading::beside`.
        let first = other.stretches.first();
        let in_common = |stretch: &&Stretch<'a>| first.is_some_and(|first| stretch.is_part_of(first));
        let (common, own): (Vec<_>, Vec<_>) = self.stretches.iter().partition(in_common);
        (common.iter().map(|it| it.part.len()).sum(), own.into_iter().flat_map(Stretch::entries).collect())
    }

    /// Adds what was read, at the end.
    pub(super) fn append(&mut self, read: Reading<'a>) {
        self.count += read.len();
        let all = 0..read.own.len();
        let own = (!all.is_empty()).then(|| Arc::new(List { entries: read.own, in_order: OnceLock::new() }));
        let whole = [(Origin::Own, all)];
        let parts = if read.parts.is_empty() { &whole } else { read.parts.as_slice() };
        let stretch = |(origin, part): &(Origin, Range<usize>)| {
            let list = if *origin == Origin::Own { &own } else { &read.like };
            list.as_ref().map(|list| Stretch { list: Arc::clone(list), part: part.clone() })
        };
        self.stretches.extend(parts.iter().filter_map(stretch));
    }
}

/// The entries one after the other.
#[derive(Clone)]
pub struct Iter<'s, 'a> {
    entries: slice::Iter<'s, Allocation<'a>>,
    stretches: slice::Iter<'s, Stretch<'a>>,
}

impl<'s, 'a> Iterator for Iter<'s, 'a> {
    type Item = &'s Allocation<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some(entry);
            }
            self.entries = self.stretches.next()?.entries().iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.entries.len() + self.stretches.clone().map(|it| it.part.len()).sum::<usize>();
        (left, Some(left))
    }
}

impl<'s, 'a> IntoIterator for &'s Allocations<'a> {
    type Item = &'s Allocation<'a>;
    type IntoIter = Iter<'s, 'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> Stretch<'a> {
    fn entries(&self) -> &[Allocation<'a>] {
        &self.list.entries[self.part.clone()]
    }

    fn is_part_of(&self, other: &Self) -> bool {
        let inside = other.part.start <= self.part.start && self.part.end <= other.part.end;
        inside && Arc::ptr_eq(&self.list, &other.list)
    }
}

impl List<'_> {
    fn is_in_order(&self) -> bool {
        *self.in_order.get_or_init(|| {
            let sorted = self.entries.is_sorted_by(|a, b| a.key < b.key);
            sorted && self.entries.iter().all(Allocation::key_is_canonical)
        })
    }
}

/// Entries that are being read, beside those of a pool that holds nearly the same.
pub(super) struct Reading<'a> {
    like: Option<Arc<List<'a>>>,
    own: Vec<Allocation<'a>>,
    expected: usize,
    /// What comes after what, and how many are not its own; empty as long as all are.
    parts: Vec<(Origin, Range<usize>)>,
    shared: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Origin {
    Own,
    Like,
}

impl<'a> Reading<'a> {
    /// Beside the first list of `like`, with room for so many others, once there are any.
    pub(super) fn beside(like: Option<&Allocations<'a>>, expected: usize) -> Self {
        let like = like.and_then(|like| Some(Arc::clone(&like.stretches.first()?.list)));
        Self { like, own: Vec::new(), expected, parts: Vec::new(), shared: 0 }
    }

    /// How many there are so far.
    pub(super) fn len(&self) -> usize {
        self.own.len() + self.shared
    }

    /// Whether all of them are its own.
    pub(super) fn shares_nothing(&self) -> bool {
        self.parts.is_empty()
    }

    /// Adds an entry, which may still be filled.
    #[inline(always)] // Else each entry would be put together elsewhere and copied.
    pub(super) fn push(&mut self, allocation: Allocation<'a>) -> &mut Allocation<'a> {
        let place = self.own.len();
        if place == 0 {
            self.own.reserve(self.expected);
        }
        match self.parts.last_mut() {
            None => {}
            Some((Origin::Own, part)) => part.end += 1,
            Some((Origin::Like, _)) => self.parts.push((Origin::Own, place..place + 1)),
        }
        self.own.push_mut(allocation)
    }

    /// Adds those entries of the list beside.
    pub(super) fn share(&mut self, part: Range<usize>) {
        if self.parts.is_empty() && !self.own.is_empty() {
            self.parts.push((Origin::Own, 0..self.own.len()));
        }
        self.shared += part.len();
        self.parts.push((Origin::Like, part));
    }
}

impl<'a> FromIterator<Allocation<'a>> for Allocations<'a> {
    fn from_iter<I: IntoIterator<Item = Allocation<'a>>>(entries: I) -> Self {
        let (mut all, mut reading) = (Self::default(), Reading::beside(None, 0));
        entries.into_iter().for_each(|entry| {
            reading.push(entry);
        });
        all.append(reading);
        all
    }
}

impl PartialEq for Allocations<'_> {
    fn eq(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Allocation<'_>, &Allocation<'_>)| std::ptr::eq(a, b) || a == b;
        self.count == other.count && self.iter().zip(other.iter()).all(alike)
    }
}

impl fmt::Debug for Allocations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
