//! Decoding an AdmissionReview: `compact` where an apiserver wrote it, `general` for any other JSON. Of two fields with one
//! name the last counts.

mod compact;

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeSeed as _, Deserializer, Error as _, MapAccess, Unexpected};
use serde_json::value::RawValue;

use super::{Malformed, MalformedReason};
use crate::finding::Operation;
use crate::json::{Field, Fill, Shape, Target, Text, skip};
use crate::kinds::Kind;
use crate::text::{Quoted, Shortened};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// An AdmissionRequest and its objects.
#[derive(Debug)]
pub struct Decoded<'a, K: Kind> {
    /// The request.
    pub request: AdmissionRequest<'a>,
    /// The object as it would be stored.
    pub object: Option<K::Object<'a>>,
    /// The object as stored.
    pub old_object: Option<K::Object<'a>>,
}

/// An AdmissionRequest without its objects. Fields that later versions add are skipped.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the fields of the Kubernetes API")]
pub struct AdmissionRequest<'a> {
    pub uid: Cow<'a, str>,
    pub kind: GroupVersionKind<'a>,
    pub resource: GroupVersionKind<'a>,
    pub sub_resource: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub namespace: Cow<'a, str>,
    pub operation: Option<Operation>,
    pub user_info: UserInfo<'a>,
    pub dry_run: bool,
}

/// A GroupVersionKind or a GroupVersionResource, of which `kind` is then the resource.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the fields of the Kubernetes API")]
pub struct GroupVersionKind<'a> {
    pub group: Cow<'a, str>,
    pub version: Cow<'a, str>,
    pub kind: Cow<'a, str>,
}

/// Who asks.
#[derive(Debug, Default)]
pub struct UserInfo<'a> {
    /// The user name.
    pub username: Cow<'a, str>,
}

/// Decodes a body that is text.
///
/// # Errors
/// [`Malformed`] where it is not an AdmissionReview with a request.
pub fn decode<K: Kind>(body: &str) -> Result<Decoded<'_, K>, Malformed> {
    let mut decoded = match compact::decode(body) {
        Some(decoded) => decoded,
        None => general(body)?,
    };
    let request = &decoded.request;
    if request.uid.is_empty() {
        return Err(MalformedReason::NotAReview.because("request.uid is missing or empty"));
    }
    match request.operation {
        Some(Operation::Create | Operation::Update) => {
            decoded.object.get_or_insert_default();
        }
        Some(Operation::Delete | Operation::Connect) => decoded.object = None,
        None => return Err(MalformedReason::NotAReview.because("request.operation is missing")),
    }
    Ok(decoded)
}

/// Decodes any JSON. Each object is read by itself: one that cannot be represented, such as the number 1e999, does not take
/// the uid of the review with it.
fn general<K: Kind>(body: &str) -> Result<Decoded<'_, K>, Malformed> {
    let review: Review<'_> = serde_json::from_str(body).map_err(|error| malformed(&error))?;
    if (review.api_version.as_ref(), review.kind.as_ref()) != (API_VERSION, KIND) {
        let (version, kind) = (Quoted(&review.api_version), Quoted(&review.kind));
        let message = format!("apiVersion and kind must be {API_VERSION} {KIND}, not {version} {kind}");
        return Err(MalformedReason::NotAReview.because(message));
    }
    let Some(RawRequest { request, object, old_object }) = review.request else {
        return Err(MalformedReason::NotAReview.because("the AdmissionReview has no request"));
    };
    Ok(Decoded { request, object: object.map(parse::<K>), old_object: old_object.map(parse::<K>) })
}

fn parse<K: Kind>(json: &RawValue) -> K::Object<'_> {
    K::parse(json.get()).unwrap_or_else(|error| K::unreadable(&Shortened(&error.to_string()).to_string()))
}

fn malformed(error: &serde_json::Error) -> Malformed {
    if error.is_data() {
        MalformedReason::NotAReview
            .because(format!("the request body is not an {API_VERSION} {KIND}: {error}"))
    } else {
        MalformedReason::NotJson.because(format!("the request body is not JSON: {error}"))
    }
}

#[derive(Default)]
struct Review<'a> {
    api_version: Cow<'a, str>,
    kind: Cow<'a, str>,
    request: Option<RawRequest<'a>>,
}

#[derive(Default)]
struct RawRequest<'a> {
    request: AdmissionRequest<'a>,
    object: Option<&'a RawValue>,
    old_object: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Review<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut strict = Strict::default();
        Fill(&mut strict).deserialize(deserializer)?;
        strict.object().map(Option::unwrap_or_default)
    }
}

impl<'a> Target<'a> for Review<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "apiVersion" => self.api_version = string(map)?,
            "kind" => self.kind = string(map)?,
            "request" => self.request = object(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Target<'a> for RawRequest<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "object" => self.object = map.next_value()?,
            "oldObject" => self.old_object = map.next_value()?,
            _ => self.request.member(key, map)?,
        }
        Ok(())
    }
}

impl<'a> Target<'a> for AdmissionRequest<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "uid" => self.uid = string(map)?,
            "kind" => self.kind = object(map)?.unwrap_or_default(),
            "resource" => self.resource = object(map)?.unwrap_or_default(),
            "subResource" => self.sub_resource = string(map)?,
            "name" => self.name = string(map)?,
            "namespace" => self.namespace = string(map)?,
            "operation" => self.operation = Some(operation(&string(map)?)?),
            "userInfo" => self.user_info = object(map)?.unwrap_or_default(),
            "dryRun" => self.dry_run = map.next_value::<Option<bool>>()?.unwrap_or(false),
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Target<'a> for GroupVersionKind<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "group" => self.group = string(map)?,
            "version" => self.version = string(map)?,
            "kind" | "resource" => self.kind = string(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Target<'a> for UserInfo<'a> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        match key.as_ref() {
            "username" => self.username = string(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// A string; `null` counts as an empty one.
fn string<'a, M: MapAccess<'a>>(map: &mut M) -> Result<Cow<'a, str>, M::Error> {
    match map.next_value()? {
        Field::Text(text) => Ok(text),
        Field::Absent => Ok(Cow::default()),
        Field::Other(found) => Err(M::Error::invalid_type(Unexpected::Other(found.as_str()), &"a string")),
    }
}

/// An object, or `null`.
fn object<'a, T: Target<'a> + Default, M: MapAccess<'a>>(map: &mut M) -> Result<Option<T>, M::Error> {
    let mut strict = Strict::default();
    map.next_value_seed(Fill(&mut strict))?;
    strict.object()
}

fn operation<E: serde::de::Error>(text: &str) -> Result<Operation, E> {
    let all = [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];
    all.into_iter().find(|operation| operation.as_str() == text).ok_or_else(|| {
        let text = Quoted(text);
        E::custom(format_args!("operation must be CREATE, UPDATE, DELETE or CONNECT, not {text}"))
    })
}

/// A target that has to be an object.
#[derive(Default)]
struct Strict<T> {
    target: T,
    shape: Shape,
}

impl<T> Strict<T> {
    fn object<E: serde::de::Error>(self) -> Result<Option<T>, E> {
        match self.shape {
            Shape::Object => Ok(Some(self.target)),
            Shape::Other(found) => Err(E::invalid_type(Unexpected::Other(found.as_str()), &"an object")),
            _ => Ok(None),
        }
    }
}

impl<'a, T: Target<'a>> Target<'a> for Strict<T> {
    fn member<M: MapAccess<'a>>(&mut self, key: Text<'a>, map: &mut M) -> Result<(), M::Error> {
        self.target.member(key, map)
    }

    fn shape(&mut self, shape: Shape) {
        self.shape = shape;
    }
}
