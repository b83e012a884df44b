//! The stored object as typed parts, borrowed from the JSON text it came in.
//!
//! Reading is total: a field of the wrong shape is kept as what it is and becomes a finding of the rule
//! that looks at it. Only text that is not JSON at all is an error.

mod allocations;
mod field;
mod landmark;
mod plugin_write;
mod read;
mod usual;
mod walk;

pub use allocations::Allocations;
pub use field::{Claim, Field, JsonType, Shape, Unknown};
pub use plugin_write::is_plugin_write;
pub(crate) use read::Text;
pub(crate) use usual::Usual;
pub(crate) use walk::{Members, Walk};

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::IntErrorKind;

use crate::range::Range;

/// The API group of IPPool.
pub const GROUP: &str = "whereabouts.cni.cncf.io";
/// Its only version.
pub const VERSION: &str = "v1alpha1";
/// Its kind.
pub const KIND: &str = "IPPool";
/// Its resource, as it stands in URLs.
pub const RESOURCE: &str = "ippools";

/// How many allocations of one pool are read. More cannot be stored: the shortest valid entry takes 25
/// bytes, and etcd refuses an object past 1.5 MiB. Without a bound, an entry of 6 bytes would take 128.
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
    /// `metadata.namespace`.
    pub namespace: Field<'a>,
}

/// `spec`, taken apart. Equal when every field is, unknown ones included.
#[derive(Clone, Debug, Default, PartialEq)]
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
    pub left_out: usize,
    /// Fields this version of whereabouts does not know; forks add some.
    pub unknown: Unknown,
    parsed_range: Option<Range>,
}

/// One entry of `spec.allocations`.
#[derive(Clone, Debug, PartialEq)]
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
    pub claim: Claim,
    /// Fields this version of whereabouts does not know.
    pub unknown: Unknown,
}

/// Why whereabouts skips a key. The address then counts as free and the next write erases the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// No decimal number.
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

    /// Stands for an object of which only this is known: it could not be read, and why.
    pub fn unreadable(why: &str) -> Self {
        let spec = Spec { shape: Shape::Unreadable, why_unreadable: why.into(), ..Spec::default() };
        Self { spec, ..Self::default() }
    }

    /// The range, if whereabouts can read it.
    pub fn range(&self) -> Option<&Range> {
        self.spec.parsed_range.as_ref()
    }

    /// `metadata.name`, or an empty string.
    pub fn name(&self) -> &str {
        self.metadata.name.text().unwrap_or_default()
    }

    /// `metadata.namespace`, or an empty string.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.text().unwrap_or_default()
    }
}

impl<'a> Spec<'a> {
    /// The same spec with every readable key moved by `shift`. Keys that would overflow are left out: nothing
    /// stored can have the same offset.
    #[must_use]
    pub fn shifted(&self, shift: i64) -> Spec<'a> {
        let moved = self.allocations.iter().cloned().filter_map(|mut allocation| {
            if let Ok(offset) = allocation.offset {
                let moved = offset.checked_add(shift)?;
                allocation.offset = Ok(moved);
                allocation.key = Cow::Owned(moved.to_string());
            }
            Some(allocation)
        });
        Spec { allocations: moved.collect(), ..self.clone() }
    }

    /// The same spec with another range.
    #[must_use]
    pub fn with_range(mut self, range: Field<'a>) -> Self {
        self.range = range;
        self.read_range();
        self
    }

    /// The range somebody meant: blanks around it, which whereabouts does not accept, are taken away.
    pub fn intended_range(&self) -> Option<Range> {
        // What can be read as it stands has no blanks.
        self.parsed_range.or_else(|| Range::parse(self.range.text()?.trim()).ok())
    }

    /// Whether every entry is also one of `other`, the same in all its fields.
    pub fn holds_only_entries_of(&self, other: &Spec<'_>) -> bool {
        let others: HashMap<_, _> = other.allocations.iter().map(|it| (&it.key, it)).collect();
        self.allocations.iter().all(|it| others.get(&it.key) == Some(&it))
    }

    /// Whether it has exactly the entries of `other`, in any order.
    pub fn has_entries_of(&self, other: &Spec<'_>) -> bool {
        self.allocations_shape == other.allocations_shape
            && (self.left_out, other.left_out) == (0, 0)
            && self.allocations.len() == other.allocations.len()
            && (self.allocations == other.allocations || self.holds_only_entries_of(other))
    }

    /// Whether no entry is there, in whatever shape `spec.allocations` is.
    pub fn has_no_entries(&self) -> bool {
        self.allocations.is_empty() && self.left_out == 0
    }

    fn forget_allocations(&mut self) {
        (self.allocations, self.left_out) = (Allocations::default(), 0);
    }

    fn read_range(&mut self) {
        self.parsed_range = self.range.text().and_then(|text| Range::parse(text).ok());
    }
}

impl<'a> Allocation<'a> {
    /// An empty entry at `key`.
    fn at(key: Cow<'a, str>) -> Self {
        let offset = read_offset(&key);
        Self {
            key,
            offset,
            shape: Shape::Absent,
            id: Field::Absent,
            podref: Field::Absent,
            ifname: Field::Absent,
            claim: Claim::default(),
            unknown: Unknown::default(),
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

    /// Whether `other` has the same container and the same pod.
    pub fn has_owner_of(&self, other: &Allocation<'_>) -> bool {
        self.id == other.id && self.podref == other.podref
    }

    /// `podref`, or an empty string: the way whereabouts reads a missing one.
    pub fn owner(&self) -> &str {
        self.podref.text().unwrap_or_default()
    }
}

/// A key as Go's `strconv.ParseInt(key, 10, 64)` reads it; Rust's own parser accepts the same texts.
pub fn read_offset(key: &str) -> Result<i64, Unreadable> {
    key.parse::<i64>().map_err(|error| match error.kind() {
        // The parser gives up at the overflow; what follows may still be no digit.
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow if is_number(key) => Unreadable::TooLarge,
        _ => Unreadable::NotANumber,
    })
}

fn is_number(key: &str) -> bool {
    key.strip_prefix(['+', '-']).unwrap_or(key).bytes().all(|byte| byte.is_ascii_digit())
}
