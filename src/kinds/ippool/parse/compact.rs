//! A pool from the compact text that an apiserver sends; `None` where it is in another form. Three things make a second
//! reader worth it: a large pool is mostly entries of one form, `managedFields` names each of them once more, and the
//! stored object repeats nearly all of the new one.

use std::borrow::Cow;

use super::shared::{EntryTexts, Shared};
use crate::json::{Cursor, Field, Fill, Shape, Target, Text};
use crate::kinds::ippool::{Allocation, Allocations, MAX_ALLOCATIONS, Metadata, Pool, Spec};

/// What `managedFields` has for an allocation that whereabouts wrote, before its offset.
const MANAGED_KEY: &str = r#""f:"#;
/// The same after its offset; in two parts that are compared in place, where one would take a call.
const MANAGED_ALLOCATION: [&str; 2] = [r#"":{".":{},"f:id":{},"#, r#""f:ifname":{},"f:podref":{}}"#];
/// How deep that is in one of the `managedFields`: in `fieldsV1`, `f:spec`, `f:allocations`.
const MANAGED_DEPTH: usize = 4;

/// The length of a container id with containerd and CRI-O: 32 bytes in hexadecimal.
const CONTAINER_ID_BYTES: usize = 64;

/// The bytes of the body for each entry of an update, of which half are the stored object's. The entries are given memory
/// at once; growing step by step would copy a large pool over and over.
const ENTRY_BYTES: usize = 2 * 130;

/// Reads the pool at the cursor; `base` is one that probably has most of its entries.
pub(in crate::kinds::ippool) fn compact<'a>(
    cursor: &mut Cursor<'a>,
    base: Option<&Pool<'a>>,
) -> Option<Pool<'a>> {
    let (start, mut pool) = (*cursor, Pool::default());
    let mut members = cursor.members()?;
    while let Some(key) = members.next_key()? {
        match key {
            "metadata" => pool.metadata = metadata(members.cursor)?,
            "spec" => pool.spec = spec(members.cursor, base)?,
            _ => members.cursor.skip()?,
        }
    }
    pool.size = cursor.since(start).len();
    Some(pool)
}

fn metadata<'a>(cursor: &mut Cursor<'a>) -> Option<Metadata<'a>> {
    let mut metadata = Metadata::default();
    let mut members = cursor.members()?;
    while let Some(key) = members.next_key()? {
        match key {
            "managedFields" => skip_managed_fields(members.cursor)?,
            "name" | "generateName" => {
                metadata.member(Text(Cow::Borrowed(key)), &mut members).ok()?;
            }
            _ => members.cursor.skip()?,
        }
    }
    Some(metadata)
}

fn spec<'a>(cursor: &mut Cursor<'a>, base: Option<&Pool<'a>>) -> Option<Spec<'a>> {
    let mut spec = Spec::default();
    spec.shape(Shape::Object);
    let mut members = cursor.members()?;
    while let Some(key) = members.next_key()? {
        match key {
            "allocations" => {
                (spec.allocations, spec.truncated) = allocations(members.cursor, base)?;
                spec.allocations_shape = Shape::Object;
            }
            "range" => spec.member(Text(Cow::Borrowed(key)), &mut members).ok()?,
            unknown => {
                let start = *members.cursor;
                members.cursor.skip()?;
                spec.unknown.add(unknown, members.cursor.since(start));
            }
        }
    }
    Some(spec)
}

/// The allocations, and how many more there are than are read.
fn allocations<'a>(cursor: &mut Cursor<'a>, base: Option<&Pool<'a>>) -> Option<(Allocations<'a>, usize)> {
    let none = Allocations::default();
    let base = base.map_or(&none, |base| &base.spec.allocations);
    let capacity = if base.is_empty() { cursor.rest().len() / ENTRY_BYTES } else { base.len() + 1 };
    let capacity = capacity.min(MAX_ALLOCATIONS);
    let (mut entries, mut truncated) = (Vec::new(), 0);
    let mut shared = Shared::new(&base.texts);
    let mut members = cursor.members()?;
    let mut texts = EntryTexts::at(*members.cursor);
    while members.next()? {
        if entries.len() == MAX_ALLOCATIONS {
            truncated += 1;
            members.cursor.key()?;
            members.cursor.skip()?;
            continue;
        }
        if entries.is_empty() {
            entries.reserve(capacity);
        }
        let common = shared.skip(members.cursor, MAX_ALLOCATIONS - entries.len());
        if common.is_empty() {
            let key = members.cursor.key()?;
            entries.push(match as_whereabouts_writes(key, members.cursor) {
                Some(allocation) => allocation,
                None => as_serde_reads(key, members.cursor)?,
            });
            // What is read with a base is not one itself.
            if base.is_empty() {
                texts.push(*members.cursor, capacity);
            }
        } else {
            entries.extend_from_slice(base.get(common)?);
        }
    }
    let is_whole = texts.len() == entries.len();
    let mut allocations = Allocations::new(entries);
    if is_whole {
        allocations.texts = texts;
    }
    Some((allocations, truncated))
}

/// Reads an allocation with the fields that whereabouts writes; `None` where there are others.
#[inline(always)] // Otherwise each entry would be put together elsewhere and copied.
fn as_whereabouts_writes<'a>(key: &'a str, cursor: &mut Cursor<'a>) -> Option<Allocation<'a>> {
    let field = |text| Field::Text(Cow::Borrowed(text));
    let mut rest = *cursor;
    rest.eat("{\"id\":")?;
    let id = rest.string_of::<CONTAINER_ID_BYTES>().or_else(|| rest.string())?;
    let ifname = if rest.eat(",\"ifname\":").is_some() { field(rest.string()?) } else { Field::Absent };
    rest.eat(",\"podref\":")?;
    let podref = rest.string()?;
    rest.eat("}")?;
    *cursor = rest;
    let (id, podref) = (field(id), field(podref));
    Some(Allocation { shape: Shape::Object, id, ifname, podref, ..Allocation::at(Cow::Borrowed(key)) })
}

#[cold]
fn as_serde_reads<'a>(key: &'a str, cursor: &mut Cursor<'a>) -> Option<Allocation<'a>> {
    let mut allocation = Allocation::at(Cow::Borrowed(key));
    cursor.value(Fill(&mut allocation))?;
    Some(allocation)
}

fn skip_managed_fields(cursor: &mut Cursor<'_>) -> Option<()> {
    let mut elements = cursor.elements()?;
    while elements.next()? {
        skip_managed(elements.cursor, MANAGED_DEPTH)?;
    }
    Some(())
}

/// Skips a value that has [`MANAGED_ALLOCATION`] over and over, this many levels down.
fn skip_managed(cursor: &mut Cursor<'_>, depth: usize) -> Option<()> {
    if depth == 0 || !cursor.rest().starts_with('{') {
        return cursor.skip();
    }
    let mut members = cursor.members()?;
    while members.next()? {
        if skip_managed_allocation(members.cursor).is_none() {
            members.cursor.skip_key()?;
            skip_managed(members.cursor, depth - 1)?;
        }
    }
    Some(())
}

fn skip_managed_allocation(cursor: &mut Cursor<'_>) -> Option<()> {
    let mut rest = *cursor;
    rest.eat(MANAGED_KEY)?;
    rest.skip_digits();
    for part in MANAGED_ALLOCATION {
        rest.eat(part)?;
    }
    *cursor = rest;
    Some(())
}
