//! Reading the envelope as the apiserver writes it: what is always the same is passed in one comparison.

use serde::de::{Error as _, MapAccess};
use serde_json::Error;

use super::{Asked, GroupVersionKind, GroupVersionResource, Question, asked};
use crate::pool::{GROUP, KIND, Members, RESOURCE, Text, Usual, VERSION, Walk};

/// What the apiserver says of the types in a review of a pool, behind the first key.
const TYPES_OF_A_POOL: &str = concat!(
    r#"{"group":"whereabouts.cni.cncf.io","version":"v1alpha1","kind":"IPPool"},"#,
    r#""resource":{"group":"whereabouts.cni.cncf.io","version":"v1alpha1","resource":"ippools"},"#,
    r#""requestKind":{"group":"whereabouts.cni.cncf.io","version":"v1alpha1","kind":"IPPool"},"#,
    r#""requestResource":{"group":"whereabouts.cni.cncf.io","version":"v1alpha1","resource":"ippools"}"#
);

/// Reads a body as the apiserver writes it; an error says no more than that it is another.
pub(super) fn read(body: &str) -> Result<Asked<'_, Usual<'_>>, Error> {
    let mut walk = Walk::over(body.strip_suffix('\n').unwrap_or(body));
    walk.pass(r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":"#)?;
    let asked = asked(&mut walk.members()?, object, field)?;
    walk.pass("}")?;
    walk.end()?;
    Ok(asked)
}

fn object<'a>(members: &mut Members<'_, 'a>, like: Option<&Usual<'a>>) -> Result<Option<Usual<'a>>, Error> {
    match members.walk.passes("null") {
        true => Ok(None),
        false => Usual::read(members.walk, like).map(Some),
    }
}

fn field<'a>(question: &mut Question<'a>, key: &str, members: &mut Members<'_, 'a>) -> Result<(), Error> {
    match key {
        "kind" if members.walk.passes(TYPES_OF_A_POOL) => {
            question.kind =
                GroupVersionKind { group: GROUP.into(), version: VERSION.into(), kind: KIND.into() };
            question.resource = GroupVersionResource { group: GROUP.into(), resource: RESOURCE.into() };
            Ok(())
        }
        "userInfo" => user_info(question, members.walk),
        _ if question.take(key, members)? => Ok(()),
        _ => members.walk.skip(),
    }
}

/// A second name, like any other oddity, is left to serde.
fn user_info<'a>(question: &mut Question<'a>, walk: &mut Walk<'a>) -> Result<(), Error> {
    let mut name = None;
    let mut members = walk.members()?;
    while let Some(key) = members.next_key::<Text<'a>>()? {
        match key.as_ref() {
            "username" if name.is_none() => name = Some(members.next_value::<Text<'a>>()?.0),
            "username" => return Err(Error::duplicate_field("username")),
            _ => members.walk.skip()?,
        }
    }
    question.user_info.username = name.unwrap_or_default();
    Ok(())
}
