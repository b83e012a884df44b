//! Lists the objects of one kind.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::Request;
use kube::Client;
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Scope;
use crate::audit::collect::{Collector, ObjectKind};
use crate::audit::json::{Broken, Part, Splitter};
use crate::audit::progress::Progress;
use crate::kinds::ippool::cluster::{Coverage, Head};

/// The objects of a page, as many as kubectl asks for.
const PAGE_OBJECTS: usize = 500;

/// The longest error that is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// All but the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often a list is begun again because its token expired, which takes the apiserver five minutes.
const MAX_RESTARTS: usize = 5;

/// How often a page is asked for, if the apiserver is overloaded or the connection breaks.
const ATTEMPTS: usize = 4;

/// How long to wait before the second attempt; each further one waits as long again.
const DELAY: Duration = Duration::from_millis(500);

/// Objects of one kind, in one namespace or in all.
#[derive(Debug)]
pub struct Resource {
    kind: ObjectKind,
    namespace: Option<String>,
}

/// How listing ended.
#[derive(Debug)]
pub enum Listed {
    /// Every object was read.
    All,
    /// The cluster does not know this kind, so there is none.
    NoSuchKind,
    /// The apiserver does not allow it, in its words.
    Refused(String),
}

/// What a page ended with.
enum Page {
    Last,
    Next(String),
    /// The token has expired.
    Expired,
    NoSuchKind,
    Refused(String),
    /// Another attempt may succeed.
    Failed(anyhow::Error),
}

impl Resource {
    /// The objects of a kind. Those of whereabouts are read as the scope says; what they refer to may be anywhere.
    pub fn of(kind: ObjectKind, scope: &Scope) -> Self {
        let namespace = match (kind, scope) {
            (
                ObjectKind::Pool | ObjectKind::Reservation | ObjectKind::NodeSlicePool,
                Scope::Namespace(namespace),
            ) => Some(namespace.clone()),
            _ => None,
        };
        Self { kind, namespace }
    }

    /// What is read when everything is listed.
    pub fn coverage(&self) -> Coverage {
        match &self.namespace {
            None => Coverage::Complete,
            Some(namespace) => Coverage::Namespaces([namespace.clone()].into()),
        }
    }

    fn path(&self) -> String {
        let (prefix, resource) = match self.kind {
            ObjectKind::Pool => ("/apis/whereabouts.cni.cncf.io/v1alpha1", "ippools"),
            ObjectKind::Reservation => {
                ("/apis/whereabouts.cni.cncf.io/v1alpha1", "overlappingrangeipreservations")
            }
            ObjectKind::NodeSlicePool => ("/apis/whereabouts.cni.cncf.io/v1alpha1", "nodeslicepools"),
            ObjectKind::Attachment => ("/apis/k8s.cni.cncf.io/v1", "network-attachment-definitions"),
            ObjectKind::Pod => ("/api/v1", "pods"),
            ObjectKind::Node => ("/api/v1", "nodes"),
        };
        let namespace = self.namespace.as_ref().map(|it| format!("/namespaces/{}", encoded(it)));
        format!("{prefix}{}/{resource}", namespace.unwrap_or_default())
    }

    /// Of a node, only the name is needed.
    fn accept(&self) -> &'static str {
        match self.kind {
            ObjectKind::Node => "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            _ => "application/json",
        }
    }
}

/// Lists the objects of a resource into `collector`.
///
/// # Errors
/// Where the apiserver cannot be reached, or answers what nobody expects.
pub async fn list(
    client: &Client,
    resource: &Resource,
    collector: &RefCell<&mut Collector<'_>>,
    progress: &Progress,
) -> anyhow::Result<Listed> {
    let (mut token, mut restarts, mut failures, mut count) = (String::new(), 0, 0, 0);
    loop {
        match page(client, resource, &token, collector, &mut count).await {
            Page::Last => return Ok(Listed::All),
            Page::NoSuchKind => return Ok(Listed::NoSuchKind),
            Page::Refused(why) => return Ok(Listed::Refused(why)),
            Page::Next(next) => (token, failures) = (next, 0),
            Page::Expired if restarts < MAX_RESTARTS => {
                restarts += 1;
                collector.borrow_mut().forget(resource.kind);
                (token, count) = (String::new(), 0);
            }
            Page::Expired => {
                anyhow::bail!("listing {}s takes too long: its token expires", resource.kind.as_str())
            }
            Page::Failed(_) if failures + 1 < ATTEMPTS => {
                failures += 1;
                tokio::time::sleep(DELAY * u32::try_from(failures).unwrap_or(u32::MAX)).await;
            }
            Page::Failed(error) => {
                return Err(error.context(format!("{}s cannot be listed", resource.kind.as_str())));
            }
        }
        progress.say(|| format!("listing {}s: {count}", resource.kind.as_str()));
    }
}

/// Reads a page into `collector`.
async fn page(
    client: &Client,
    resource: &Resource,
    token: &str,
    collector: &RefCell<&mut Collector<'_>>,
    count: &mut usize,
) -> Page {
    let result = async {
        let uri = format!("{}?limit={PAGE_OBJECTS}&continue={}", resource.path(), encoded(token));
        let request = Request::get(uri).header("accept", resource.accept()).body(Body::empty())?;
        let response = client.send(request).await.context("is the apiserver reachable?")?;
        let code = response.status().as_u16();
        if code == 200 {
            read_page(response.into_body(), resource.kind, collector, count).await
        } else {
            Ok(refused(code, resource, &message(response.into_body()).await))
        }
    };
    result.await.unwrap_or_else(Page::Failed)
}

fn refused(code: u16, resource: &Resource, message: &str) -> Page {
    match code {
        410 => Page::Expired,
        404 => Page::NoSuchKind,
        401 | 403 => Page::Refused(format!("{}s cannot be listed: {message}", resource.kind.as_str())),
        _ => Page::Failed(anyhow!("the apiserver says: {message} ({code})")),
    }
}

async fn read_page(
    mut body: Body,
    kind: ObjectKind,
    collector: &RefCell<&mut Collector<'_>>,
    count: &mut usize,
) -> anyhow::Result<Page> {
    let (mut splitter, mut next) = (Splitter::default(), None);
    let broken = |Broken { why, .. }: Broken| anyhow!("the list of the apiserver {why}");
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| anyhow!("the connection to the apiserver broke: {error}"))?;
        let Ok(bytes) = frame.into_data() else { continue };
        let mut collector = collector.borrow_mut();
        let mut each = |part: Part<'_>| match part {
            Part::Item(item) => {
                *count += 1;
                // The apiserver writes UTF-8; what is not is an object without a name.
                collector.object(simdutf8::basic::from_utf8(item.text).unwrap_or_default(), kind);
            }
            Part::Whole(list) => next = Some(continue_token(list.text)),
        };
        splitter.push(&bytes, &mut each).map_err(broken)?;
    }
    splitter.finish().map_err(broken)?;
    Ok(match next.context("the apiserver sent an empty list")? {
        token if token.is_empty() => Page::Last,
        token => Page::Next(token),
    })
}

/// `metadata.continue` of a list.
fn continue_token(list: &[u8]) -> String {
    let list = simdutf8::basic::from_utf8(list).unwrap_or_default();
    Head::of(list).metadata.continue_token.text().unwrap_or_default().to_owned()
}

/// The message of a `Status`.
async fn message(body: Body) -> String {
    let body =
        Limited::new(body, MAX_ERROR_BYTES).collect().await.map(Collected::to_bytes).unwrap_or_default();
    let status = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
    let message = status.get("message").and_then(|message| message.as_str()).map(str::to_owned);
    message.unwrap_or_else(|| String::from_utf8_lossy(&body).trim().to_owned())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}
