//! Reading a pool from JSON as the apiserver writes it. What comes out is what [`super::read`] would read, or
//! an error: then the text is left to that.
//!
//! Three things make this worth a second reader. A large pool is mostly entries of one form; `managedFields`
//! names each of them once more; and the stored object repeats nearly all of the new one.

use std::borrow::Cow;

use serde::de::MapAccess;
use serde_json::Error;

use super::allocations::Reading;
use super::landmark::{Known, Landmarks};
use super::read::{Fill, Part, Text};
use super::walk::Walk;
use super::{Allocation, Field, MAX_ALLOCATIONS, Metadata, Pool, Shape, Spec};

/// What `managedFields` says of an allocation that whereabouts wrote, before its offset.
const MANAGED: &str = r#""f:"#;
/// The same, behind its offset; in two parts that are compared in place, where one would take a call.
const MANAGED_ALLOCATION: [&str; 2] = [r#"":{".":{},"f:id":{},"#, r#""f:ifname":{},"f:podref":{}}"#];

/// How deep that stands in one of the `managedFields`: in `fieldsV1`, `f:spec`, `f:allocations`.
const MANAGED_DEPTH: usize = 4;

/// How long the id of a container is with containerd and CRI-O: 32 bytes in hexadecimal.
const CONTAINER_ID_BYTES: usize = 64;

/// How much of the body behind them the entries of an update take, each: half of it is the stored object.
/// Makes room at once; growing step by step would copy a large pool over and over.
const ENTRY_BYTES: usize = 2 * 130;

/// A pool, with the text of its allocations.
pub(crate) struct Usual<'a> {
    /// What was read.
    pub(crate) pool: Pool<'a>,
    /// Where its allocations stand, if they are all its own.
    landmarks: Landmarks<'a>,
}

impl<'a> Usual<'a> {
    /// Reads the object that comes next, which probably holds nearly the same allocations as `like`.
    pub(crate) fn read(walk: &mut Walk<'a>, like: Option<&Self>) -> Result<Self, Error> {
        let mut read = Self { pool: Pool::default(), landmarks: Landmarks::default() };
        let mut members = walk.members()?;
        while let Some(key) = members.next_key::<Text<'a>>()? {
            match key.as_ref() {
                "metadata" => read.metadata(members.walk)?,
                "spec" => read.spec(members.walk, like)?,
                _ => members.walk.skip()?,
            }
        }
        Ok(read)
    }

    fn metadata(&mut self, walk: &mut Walk<'a>) -> Result<(), Error> {
        self.pool.metadata = Metadata::default();
        let mut members = walk.members()?;
        while let Some(key) = members.next_key::<Text<'a>>()? {
            match key.as_ref() {
                "managedFields" => skip_managed_fields(members.walk)?,
                "name" | "generateName" | "namespace" => {
                    self.pool.metadata.take(key, &mut members)?;
                }
                _ => members.walk.skip()?,
            }
        }
        Ok(())
    }

    fn spec(&mut self, walk: &mut Walk<'a>, like: Option<&Self>) -> Result<(), Error> {
        self.pool.spec = Spec { shape: Shape::Object, ..Spec::default() };
        self.landmarks = Landmarks::default();
        let mut members = walk.members()?;
        while let Some(key) = members.next_key::<Text<'a>>()? {
            match key.as_ref() {
                "allocations" => self.allocations(members.walk, like)?,
                "range" => self.pool.spec.take(key, &mut members)?,
                unknown => {
                    let start = *members.walk;
                    members.walk.skip()?;
                    self.pool.spec.unknown.add(unknown, members.walk.passed_since(start));
                }
            }
        }
        Ok(())
    }

    fn allocations(&mut self, walk: &mut Walk<'a>, like: Option<&Self>) -> Result<(), Error> {
        self.pool.spec.allocations_shape = Shape::Object;
        self.pool.spec.forget_allocations();
        let expected =
            if like.is_none() { (walk.ahead().len() / ENTRY_BYTES).min(MAX_ALLOCATIONS) } else { 0 };
        let mut reading = Reading::beside(like.map(|like| &like.pool.spec.allocations), expected);
        let mut known = Known::of(like.map(|like| &like.landmarks));
        let mut members = walk.members()?;
        let mut landmarks = Landmarks::from(*members.walk, expected);
        while members.next()? {
            if reading.len() == MAX_ALLOCATIONS {
                self.pool.spec.left_out += 1;
                members.walk.key()?;
                members.walk.skip()?;
                continue;
            }
            let common = known.pass(members.walk, MAX_ALLOCATIONS - reading.len());
            if common.is_empty() {
                let key = members.walk.key()?;
                match as_whereabouts_writes(key, members.walk) {
                    Some(allocation) => reading.push(allocation),
                    None => reading.push(as_serde_reads(key, members.walk)?),
                };
                landmarks.add(*members.walk);
            } else {
                reading.share(common);
            }
        }
        // They tell the place of an entry in a list only where that is the whole list.
        self.landmarks = if reading.shares_nothing() { landmarks } else { Landmarks::default() };
        self.pool.spec.allocations.append(reading);
        Ok(())
    }
}

/// Goes past an allocation with the fields that whereabouts writes; `None` where there are others.
#[inline(always)] // Else each entry would be put together elsewhere and copied.
fn as_whereabouts_writes<'a>(key: &'a str, walk: &mut Walk<'a>) -> Option<Allocation<'a>> {
    let field = |text| Field::Text(Cow::Borrowed(text));
    let mut ahead = *walk;
    ahead.passes("{\"id\":").then_some(())?;
    let id = ahead.text_of::<CONTAINER_ID_BYTES>().or_else(|| ahead.text())?;
    let ifname = if ahead.passes(",\"ifname\":") { field(ahead.text()?) } else { Field::Absent };
    ahead.passes(",\"podref\":").then_some(())?;
    let podref = ahead.text()?;
    ahead.passes("}").then_some(())?;
    *walk = ahead;
    let (id, podref) = (field(id), field(podref));
    Some(Allocation { shape: Shape::Object, id, ifname, podref, ..Allocation::at(Cow::Borrowed(key)) })
}

/// Goes past any allocation.
#[cold]
fn as_serde_reads<'a>(key: &'a str, walk: &mut Walk<'a>) -> Result<Allocation<'a>, Error> {
    let mut allocation = Allocation::at(Cow::Borrowed(key));
    walk.value(Fill(&mut allocation))?;
    Ok(allocation)
}

fn skip_managed_fields(walk: &mut Walk<'_>) -> Result<(), Error> {
    let mut elements = walk.elements()?;
    while elements.next()? {
        skip_managed(elements.walk, MANAGED_DEPTH)?;
    }
    Ok(())
}

/// Goes past a value that holds [`MANAGED_ALLOCATION`] over and over, so many levels down.
fn skip_managed(walk: &mut Walk<'_>, depth: usize) -> Result<(), Error> {
    if depth == 0 || !walk.is_before("{") {
        return walk.skip();
    }
    let mut members = walk.members()?;
    while members.next()? {
        if !passes_managed_allocation(members.walk) {
            members.walk.skip_key()?;
            skip_managed(members.walk, depth - 1)?;
        }
    }
    Ok(())
}

/// Goes past what stands for one allocation with its key, if that comes next.
fn passes_managed_allocation(walk: &mut Walk<'_>) -> bool {
    let start = *walk;
    let found = walk.passes(MANAGED) && {
        walk.skip_digits();
        let [first, second] = MANAGED_ALLOCATION;
        walk.passes(first) && walk.passes(second)
    };
    if !found {
        *walk = start;
    }
    found
}
