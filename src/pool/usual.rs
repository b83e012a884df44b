//! Reading a pool from JSON as the apiserver writes it. What comes out is what [`super::read`] would read, or
//! an error: then the text is left to that.
//!
//! Three things make this worth a second reader. A large pool is mostly entries of one form; `managedFields`
//! names each of them once more; and the stored object repeats nearly all of the new one.

use std::borrow::Cow;

use serde::de::MapAccess;
use serde_json::Error;

use super::read::{Fill, Part, Text};
use super::walk::Walk;
use super::{Allocation, Field, MAX_ALLOCATIONS, Pool, Shape};

/// What `managedFields` says of an allocation that whereabouts wrote.
const MANAGED_ALLOCATION: &str = r#"{".":{},"f:id":{},"f:ifname":{},"f:podref":{}}"#;

/// How deep that stands in one of the `managedFields`: `fieldsV1`, `f:spec`, `f:allocations`, offset.
const MANAGED_DEPTH: usize = 4;

/// The shortest entry that the CRD lets through, in bytes.
const SHORTEST_ENTRY_BYTES: usize = 25;

/// A pool, with the texts it was read from.
pub(crate) struct Usual<'a> {
    /// What was read.
    pub(crate) pool: Pool<'a>,
    /// The text of the whole object.
    pub(crate) text: &'a str,
    /// The text of each allocation, key and value. Where a member of the same map in another pool has the
    /// same text, it is the same allocation.
    entries: Vec<&'a str>,
}

impl<'a> Usual<'a> {
    /// Reads the object that comes next, which probably holds nearly the same allocations as `like`.
    pub(crate) fn read(walk: &mut Walk<'a>, like: Option<&Self>) -> Result<Self, Error> {
        let start = *walk;
        let mut read = Self { pool: Pool::default(), text: "", entries: Vec::new() };
        let mut members = walk.members()?;
        while let Some(key) = members.next_key::<Text<'a>>()? {
            match key.as_ref() {
                "metadata" => read.metadata(members.walk)?,
                "spec" => read.spec(members.walk, like)?,
                _ => members.walk.skip()?,
            }
        }
        read.text = walk.passed_since(start);
        Ok(read)
    }

    fn metadata(&mut self, walk: &mut Walk<'a>) -> Result<(), Error> {
        let mut members = walk.members()?;
        while let Some(key) = members.next_key::<Text<'a>>()? {
            match key.as_ref() {
                "managedFields" => skip_managed_fields(members.walk)?,
                _ => self.pool.metadata.take(key, &mut members)?,
            }
        }
        Ok(())
    }

    fn spec(&mut self, walk: &mut Walk<'a>, like: Option<&Self>) -> Result<(), Error> {
        self.pool.spec.shape(Shape::Object);
        let mut members = walk.members()?;
        while let Some(key) = members.next_key::<Text<'a>>()? {
            match key.as_ref() {
                "allocations" => self.allocations(members.walk, like)?,
                _ => self.pool.spec.take(key, &mut members)?,
            }
        }
        Ok(())
    }

    fn allocations(&mut self, walk: &mut Walk<'a>, like: Option<&Self>) -> Result<(), Error> {
        self.pool.spec.allocations_shape = Shape::Object;
        let one_more = like.map_or(0, |like| like.entries.len() + 1);
        self.expect(one_more.min(walk.bytes_ahead() / SHORTEST_ENTRY_BYTES));
        let mut like = like.into_iter().flat_map(Self::allocations_by_text).peekable();
        let mut members = walk.members()?;
        while members.next()? {
            if self.entries.len() == MAX_ALLOCATIONS {
                self.pool.spec.left_out += 1;
                members.walk.key()?;
                members.walk.skip()?;
                continue;
            }
            let start = *members.walk;
            let allocation = match like.next_if(|(text, _)| members.walk.passes(text)) {
                Some((_, same)) => same.clone(),
                None => {
                    let read = allocation(members.walk)?;
                    // Both are sorted: what comes before this key there is not here.
                    while like.next_if(|(_, other)| other.key <= read.key).is_some() {}
                    read
                }
            };
            self.entries.push(members.walk.passed_since(start));
            self.pool.spec.allocations.push(allocation);
        }
        Ok(())
    }

    /// Makes room at once: growing step by step would copy a large pool over and over.
    fn expect(&mut self, allocations: usize) {
        self.entries.reserve(allocations);
        self.pool.spec.allocations.reserve(allocations);
    }

    fn allocations_by_text(&self) -> impl Iterator<Item = (&'a str, &Allocation<'a>)> {
        self.entries.iter().copied().zip(&self.pool.spec.allocations)
    }
}

/// Reads an allocation with its key.
fn allocation<'a>(walk: &mut Walk<'a>) -> Result<Allocation<'a>, Error> {
    let mut allocation = Allocation::at(Cow::Borrowed(walk.key()?));
    match fill_as_whereabouts_writes(&mut allocation, *walk) {
        Some(behind) => *walk = behind,
        // What was filled in stands in the text, and is filled in again.
        None => walk.value(Fill(&mut allocation))?,
    }
    Ok(allocation)
}

/// Fills in the fields that whereabouts writes and stands behind them; `None` where there are others.
fn fill_as_whereabouts_writes<'a>(allocation: &mut Allocation<'a>, mut walk: Walk<'a>) -> Option<Walk<'a>> {
    let text = |walk: &mut Walk<'a>| Some(Field::Text(Cow::Borrowed(walk.text().ok()?)));
    walk.passes("{\"id\":").then_some(())?;
    allocation.id = text(&mut walk)?;
    if walk.passes(",\"ifname\":") {
        allocation.ifname = text(&mut walk)?;
    }
    walk.passes(",\"podref\":").then_some(())?;
    allocation.podref = text(&mut walk)?;
    allocation.shape = Shape::Object;
    walk.passes("}").then_some(walk)
}

fn skip_managed_fields(walk: &mut Walk<'_>) -> Result<(), Error> {
    walk.pass("[")?;
    if walk.passes("]") {
        return Ok(());
    }
    loop {
        skip_managed(walk, MANAGED_DEPTH)?;
        if !walk.passes(",") {
            return walk.pass("]");
        }
    }
}

/// Goes past a value that holds [`MANAGED_ALLOCATION`] over and over, so many levels down.
fn skip_managed(walk: &mut Walk<'_>, depth: usize) -> Result<(), Error> {
    if walk.passes(MANAGED_ALLOCATION) {
        return Ok(());
    }
    if depth == 0 || !walk.is_before("{") {
        return walk.skip();
    }
    let mut members = walk.members()?;
    while members.next()? {
        members.walk.skip_key()?;
        skip_managed(members.walk, depth - 1)?;
    }
    Ok(())
}
