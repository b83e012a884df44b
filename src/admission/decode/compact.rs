//! An AdmissionReview as an apiserver writes it; `None` where it is in another form.

use std::borrow::Cow;

use super::{AdmissionRequest, Decoded};
use crate::json::{Cursor, Members, Target, Text};
use crate::kinds::Kind;

pub(super) fn decode<K: Kind>(body: &str) -> Option<Decoded<'_, K>> {
    let mut cursor = Cursor::new(body.strip_suffix('\n').unwrap_or(body));
    cursor.eat(r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":"#)?;
    let mut request = AdmissionRequest::default();
    let (mut new, mut old) = (None, None);
    let mut members = cursor.members()?;
    while let Some(key) = members.next_key()? {
        match key {
            "object" => new = object::<K>(&mut members, old.as_ref())?,
            "oldObject" => old = object::<K>(&mut members, new.as_ref())?,
            // Skipped by the other reader as well, but not as fast.
            "requestKind" | "requestResource" | "options" => members.cursor.skip()?,
            _ => request.member(Text(Cow::Borrowed(key)), &mut members).ok()?,
        }
    }
    cursor.eat("}")?;
    cursor.rest().is_empty().then_some(Decoded { request, object: new, old_object: old })
}

/// The object, or `null`; `base` is the other one.
fn object<'a, K: Kind>(
    members: &mut Members<'_, 'a>,
    base: Option<&K::Object<'a>>,
) -> Option<Option<K::Object<'a>>> {
    match members.cursor.eat("null") {
        Some(()) => Some(None),
        None => K::parse_compact(members.cursor, base).map(Some),
    }
}
