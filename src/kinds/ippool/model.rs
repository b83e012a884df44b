//! The stored object as typed parts. A field of the wrong type is kept as what it is, and becomes a finding of the rule
//! that checks it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::IntErrorKind;

use super::{Allocations, Range};
use crate::json::{Digest, Field, Shape};

/// How many allocations of one pool are read. More cannot be stored: the shortest valid entry takes 25
/// bytes, and etcd refuses an object past 1.5 MiB. Without a bound, an entry of 6 bytes would take 136.
pub const MAX_ALLOCATIONS: usize = 65_536;

/// An IPPool as somebody wrote it.
#[derive(Clone, Debug, Default)]
pub struct Pool<'a> {
    /// What the rules need of `metadata`.
    pub metadata: Metadata<'a>,
    /// `spec`, taken apart.
    pub spec: Spec<'a>,
    /// Size of the object as JSON, in bytes; 0 where it is not known.
    pub size: usize,
}

/// What the rules need of `metadata`.
#[derive(Clone, Debug, Default)]
pub struct Metadata<'a> {
    /// `metadata.name`.
    pub name: Field<'a>,
    /// `metadata.generateName`, from which the apiserver makes a name.
    pub generate_name: Field<'a>,
}

/// `spec`, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Spec<'a> {
    /// Whether it is an object at all.
    pub shape: Shape,
    /// Why it could not be read, if it could not.
    pub why_unreadable: Box<str>,
    /// `spec.range` as written.
    pub range: Field<'a>,
    /// Whether `spec.allocations` is an object at all.
    pub allocations_shape: Shape,
    /// `spec.allocations` in the order they came in, the first [`MAX_ALLOCATIONS`] of them.
    pub allocations: Allocations<'a>,
    /// How many more there are.
    pub truncated: usize,
    /// Fields this version of whereabouts does not know; forks add some.
    pub unknown: Digest,
    parsed_range: Option<Range>,
}

/// One entry of `spec.allocations`.
#[derive(Clone, Debug)]
pub struct Allocation<'a> {
    /// The key as written.
    pub key: Cow<'a, str>,
    /// What whereabouts reads the key as.
    pub offset: Result<i64, Unreadable>,
    /// Whether the entry is an object at all.
    pub shape: Shape,
    /// `id`: the container (sandbox) that holds the address.
    pub id: Field<'a>,
    /// `podref`: `namespace/name` of the pod.
    pub podref: Field<'a>,
    /// `ifname`: the interface in the pod; absent before whereabouts 0.8.
    pub ifname: Field<'a>,
    /// `ipamclaimref`, which some forks write: the claim that keeps the address of a virtual machine.
    pub claim: Digest,
    /// Fields this version of whereabouts does not know.
    pub unknown: Digest,
}

/// Why whereabouts skips a key. The address then counts as free and the next write erases the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// Not a decimal number.
    NotANumber,
    /// A number past 63 bits and sign, on either side.
    TooLarge,
}

impl<'a> Pool<'a> {
    /// Reads the JSON text of one object.
    ///
    /// # Errors
    /// When the text is not JSON, or holds a string or number JSON allows but nothing can represent.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        let mut pool: Self = serde_json::from_str(json)?;
        pool.size = json.len();
        Ok(pool)
    }

    /// An object of which is known only why it cannot be read.
    pub fn unreadable(why: &str) -> Self {
        let spec = Spec { shape: Shape::Unreadable, why_unreadable: why.into(), ..Spec::default() };
        Self { spec, ..Self::default() }
    }

    /// The range, if whereabouts can read it.
    pub fn range(&self) -> Option<&Range> {
        self.spec.parsed_range.as_ref()
    }

    /// The address whereabouts takes the allocation for.
    pub fn address_of(&self, allocation: &Allocation<'_>) -> Option<std::net::IpAddr> {
        self.range()?.address_at(allocation.offset.ok()?)
    }
}

impl<'a> Spec<'a> {
    /// The same entries under another range, with every readable key moved by `shift`. Keys that would overflow are left
    /// out: nothing stored can have the same offset.
    pub(super) fn rebased(&self, shift: i64, range: Field<'a>) -> Self {
        let moved = self.allocations.iter().cloned().filter_map(|mut allocation| {
            if let Ok(offset) = allocation.offset {
                let moved = offset.checked_add(shift)?;
                allocation.offset = Ok(moved);
                allocation.key = Cow::Owned(moved.to_string());
            }
            Some(allocation)
        });
        let mut spec = Self { allocations: Allocations::new(moved.collect()), ..Self::default() };
        spec.set_range(range);
        spec
    }

    pub(super) fn set_range(&mut self, range: Field<'a>) {
        self.range = range;
        self.parsed_range = self.range.text().and_then(|text| Range::parse(text).ok());
    }

    /// The range somebody meant: whitespace around it, which whereabouts does not accept, is left out.
    pub fn intended_range(&self) -> Option<Range> {
        self.parsed_range.or_else(|| Range::parse(self.range.text()?.trim()).ok())
    }

    /// Whether this is `stored`, or has fewer entries.
    pub fn only_lacks_entries_of(&self, stored: &Spec<'_>) -> bool {
        self.range == stored.range
            && self.allocations_shape == stored.allocations_shape
            && self.truncated <= stored.truncated
            && self.has_only_entries_of(stored)
    }

    /// Whether it has exactly the entries of `other`, in any order.
    pub fn has_entries_of(&self, other: &Spec<'_>) -> bool {
        self.allocations_shape == other.allocations_shape
            && (self.truncated, other.truncated) == (0, 0)
            && self.allocations.len() == other.allocations.len()
            && self.has_only_entries_of(other)
    }

    fn has_only_entries_of(&self, other: &Spec<'_>) -> bool {
        if self.allocations.are_in_order() && other.allocations.are_in_order() {
            let mut others = other.allocations.iter();
            return self.allocations.iter().all(|entry| others.any(|other| other == entry));
        }
        let others: HashMap<_, _> = other.allocations.iter().map(|it| (&it.key, it)).collect();
        self.allocations.iter().all(|it| others.get(&it.key) == Some(&it))
    }

    /// How many entries there are, those that were not read included.
    pub fn entry_count(&self) -> usize {
        self.allocations.len() + self.truncated
    }
}

impl PartialEq for Allocation<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_copy_of(other) || self.key == other.key && self.has_fields_of(other)
    }
}

impl<'a> Allocation<'a> {
    /// Whether they are the same but for their keys.
    pub(super) fn has_fields_of(&self, other: &Allocation<'_>) -> bool {
        (self.shape, self.claim, self.unknown) == (other.shape, other.claim, other.unknown)
            && (&self.id, &self.podref, &self.ifname) == (&other.id, &other.podref, &other.ifname)
    }

    /// Whether both were read from the same place of the same text, as entries that two objects have in common are.
    fn is_copy_of(&self, other: &Self) -> bool {
        matches!((&self.key, &other.key), (Cow::Borrowed(a), Cow::Borrowed(b)) if std::ptr::eq(*a, *b))
    }

    /// An empty entry at `key`.
    pub(super) fn at(key: Cow<'a, str>) -> Self {
        let offset = read_offset(&key);
        Self {
            key,
            offset,
            shape: Shape::Absent,
            id: Field::Absent,
            podref: Field::Absent,
            ifname: Field::Absent,
            claim: Digest::default(),
            unknown: Digest::default(),
        }
    }

    /// Whether the key is spelled as whereabouts would write it; false for keys it cannot read.
    pub fn key_is_canonical(&self) -> bool {
        match self.key.as_bytes() {
            [b'0'] => true,
            [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..] => self.offset.is_ok(),
            _ => false,
        }
    }

    /// `podref`, or an empty string: the way whereabouts reads a missing one.
    pub fn owner(&self) -> &str {
        self.podref.text().unwrap_or_default()
    }
}

/// A key as Go's `strconv.ParseInt(key, 10, 64)` reads it; Rust's own parser accepts the same texts.
pub fn read_offset(key: &str) -> Result<i64, Unreadable> {
    key.parse::<i64>().map_err(|error| match error.kind() {
        // The parser gives up at the overflow; what follows may still not be a digit.
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow if is_number(key) => Unreadable::TooLarge,
        _ => Unreadable::NotANumber,
    })
}

fn is_number(key: &str) -> bool {
    key.strip_prefix(['+', '-']).unwrap_or(key).bytes().all(|byte| byte.is_ascii_digit())
}
