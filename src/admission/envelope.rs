//! Reading the envelope: one pass over the body, the objects taken apart on the way.

#[cfg(test)]
mod tests;
mod usual;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::{Malformed, MalformedReason};
use crate::pool::{Field, Pool, Text, Usual};
use crate::report::Operation;
use crate::text::{Quoted, Shortened};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A review, read.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub question: Question<'a>,
    pub new: Option<Pool<'a>>,
    pub old: Option<Pool<'a>>,
}

/// The request less its objects. Fields that later versions add are skipped.
#[derive(Debug, Default)]
pub(super) struct Question<'a> {
    pub uid: Cow<'a, str>,
    pub kind: GroupVersionKind<'a>,
    pub resource: GroupVersionResource<'a>,
    pub sub_resource: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub namespace: Cow<'a, str>,
    pub operation: Operation,
    pub user_info: UserInfo<'a>,
    pub dry_run: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GroupVersionKind<'a> {
    #[serde(borrow)]
    pub group: Cow<'a, str>,
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GroupVersionResource<'a> {
    #[serde(borrow)]
    pub group: Cow<'a, str>,
    #[serde(borrow)]
    pub resource: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UserInfo<'a> {
    #[serde(borrow)]
    pub username: Cow<'a, str>,
}

/// Reads a body that is JSON.
pub(super) fn read(body: &str) -> Result<Envelope<'_>, Malformed> {
    match usual::read(body) {
        Ok(asked) => Envelope::of(asked.map(|object| object.pool)),
        Err(_) => Envelope::of(in_any_form(body)?),
    }
}

/// Reads a body whatever its form.
fn in_any_form(body: &str) -> Result<Asked<'_, Pool<'_>>, Malformed> {
    let review = match serde_json::from_str::<Review<'_, Pool<'_>>>(body) {
        Ok(review) => review,
        // Valid JSON can hold what nothing can represent, a number of 1e999 for one. The uid is read all
        // the same, so that the answer reaches the right question.
        Err(_) => {
            serde_json::from_str::<Review<'_, &RawValue>>(body).map_err(|error| malformed(&error))?.parsed()
        }
    };
    check_type(&review)?;
    review.request.ok_or_else(|| MalformedReason::NotAReview.because("the AdmissionReview has no request"))
}

impl<'a> Envelope<'a> {
    fn of(asked: Asked<'a, Pool<'a>>) -> Result<Self, Malformed> {
        if asked.question.uid.is_empty() {
            return Err(MalformedReason::NotAReview.because("request.uid is missing or empty"));
        }
        let new = match asked.question.operation {
            Operation::Create | Operation::Update => Some(asked.new.unwrap_or_default()),
            Operation::Delete | Operation::Connect => None,
        };
        Ok(Self { question: asked.question, new, old: asked.old })
    }
}

fn malformed(error: &serde_json::Error) -> Malformed {
    if error.is_data() {
        MalformedReason::NotAReview.because(format!("the request body is no {API_VERSION} {KIND}: {error}"))
    } else {
        MalformedReason::NotJson.because(format!("the request body is not JSON: {error}"))
    }
}

fn check_type<O>(review: &Review<'_, O>) -> Result<(), Malformed> {
    if (review.api_version.as_ref(), review.kind.as_ref()) == (API_VERSION, KIND) {
        return Ok(());
    }
    let (version, kind) = (Quoted(&review.api_version), Quoted(&review.kind));
    let message = format!("apiVersion and kind must be {API_VERSION} {KIND}, not {version} {kind}");
    Err(MalformedReason::NotAReview.because(message))
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de> + Measured"))]
struct Review<'a, O> {
    #[serde(borrow, rename = "apiVersion", default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default = "Option::default")]
    request: Option<Asked<'a, O>>,
}

struct Asked<'a, O> {
    question: Question<'a>,
    new: Option<O>,
    old: Option<O>,
}

impl<'a, O> Asked<'a, O> {
    fn map<T>(self, object: impl Fn(O) -> T) -> Asked<'a, T> {
        let Self { question, new, old } = self;
        Asked { question, new: new.map(&object), old: old.map(&object) }
    }
}

impl<'a> Review<'a, &'a RawValue> {
    /// Reads the objects by themselves, so that one that cannot be read does not take the uid with it.
    fn parsed(self) -> Review<'a, Pool<'a>> {
        let parse = |raw: &'a RawValue| {
            Pool::parse(raw.get())
                .unwrap_or_else(|error| Pool::unreadable(&Shortened(&error.to_string()).to_string()))
        };
        let request = self.request.map(|asked| asked.map(parse));
        Review { api_version: self.api_version, kind: self.kind, request }
    }
}

/// An object that can be told how long its text is.
trait Measured {
    fn set_size(&mut self, bytes: usize);
}

impl Measured for Pool<'_> {
    fn set_size(&mut self, bytes: usize) {
        self.size = bytes;
    }
}

impl Measured for Usual<'_> {
    fn set_size(&mut self, bytes: usize) {
        self.pool.size = bytes;
    }
}

impl Measured for &RawValue {
    fn set_size(&mut self, _: usize) {}
}

impl<'de: 'a, 'a, O: Deserialize<'de> + Measured> Deserialize<'de> for Asked<'a, O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AskedVisitor(PhantomData))
    }
}

struct AskedVisitor<'a, O>(PhantomData<(&'a (), O)>);

impl<'de: 'a, 'a, O: Deserialize<'de> + Measured> Visitor<'de> for AskedVisitor<'a, O> {
    type Value = Asked<'a, O>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an admission request")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let object = |map: &mut M, _: Option<&O>| map.next_value();
        asked(&mut map, object, |question, key, map| match question.take(key, map)? {
            true => Ok(()),
            false => map.next_value::<IgnoredAny>().map(drop),
        })
    }
}

/// Reads the fields of a request. `object` reads an object, like the one that was read before; `field` reads
/// any other field, or goes past it.
fn asked<'a, M: MapAccess<'a>, O: Measured>(
    map: &mut M,
    object: impl Fn(&mut M, Option<&O>) -> Result<Option<O>, M::Error>,
    field: impl Fn(&mut Question<'a>, &str, &mut M) -> Result<(), M::Error>,
) -> Result<Asked<'a, O>, M::Error> {
    let mut question = Question::default();
    let (mut new, mut old) = (None::<O>, None::<O>);
    let mut operation = None;
    let mut previous = Text(Cow::Borrowed(""));
    while let Some(key) = map.next_key::<Text<'a>>()? {
        let behind = address_of(&previous) + previous.as_ref().len() + "\":,\"".len();
        let length = address_of(&key).saturating_sub(behind);
        match (previous.as_ref(), &mut new, &mut old) {
            ("object", Some(object), _) | ("oldObject", _, Some(object)) => object.set_size(length),
            _ => {}
        }
        match key.as_ref() {
            "object" => new = object(map, old.as_ref())?,
            "oldObject" => old = object(map, new.as_ref())?,
            "operation" => operation = Some(operation_of(&map.next_value::<Text<'a>>()?)?),
            other => field(&mut question, other, map)?,
        }
        previous = key;
    }
    question.operation = operation.ok_or_else(|| M::Error::missing_field("operation"))?;
    Ok(Asked { question, new, old })
}

impl<'a> Question<'a> {
    /// Takes the value of `key`; false where it has no use for it.
    fn take<'de: 'a, M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<bool, M::Error> {
        match key {
            "uid" => self.uid = map.next_value::<Text<'de>>()?.0,
            "kind" => self.kind = map.next_value()?,
            "resource" => self.resource = map.next_value()?,
            "userInfo" => self.user_info = map.next_value()?,
            "subResource" => self.sub_resource = optional(map)?,
            "name" => self.name = optional(map)?,
            "namespace" => self.namespace = optional(map)?,
            "dryRun" => self.dry_run = map.next_value::<Option<bool>>()?.unwrap_or(false),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Absent, `null` and empty are the same.
fn optional<'a, M: MapAccess<'a>>(map: &mut M) -> Result<Cow<'a, str>, M::Error> {
    match map.next_value()? {
        Field::Text(text) => Ok(text),
        Field::Absent | Field::Null => Ok(Cow::default()),
        Field::Other(found) => Err(M::Error::invalid_type(Unexpected::Other(found.as_str()), &"a string")),
    }
}

fn operation_of<E: serde::de::Error>(text: &Text<'_>) -> Result<Operation, E> {
    let all = [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];
    all.into_iter().find(|operation| operation.as_str() == text.as_ref()).ok_or_else(|| {
        E::custom(format_args!(
            "operation {} is none of CREATE, UPDATE, DELETE, CONNECT",
            Quoted(text.as_ref())
        ))
    })
}

/// Where a key stands in the body. The distance between two keys is the length of the value between them:
/// exact for JSON without blanks, as the apiserver sends it, and never a second scan of a large object.
fn address_of(key: &Text<'_>) -> usize {
    key.as_ref().as_ptr().addr()
}
