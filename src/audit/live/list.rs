//! Lists the objects of one kind.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, anyhow};
use http_body_util::{BodyExt, Collected, Limited};
use hyper::Request;
use kube::Client;
use kube::client::Body;
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Scope;
use crate::audit::collect::{Collector, ObjectKind};
use crate::audit::json::{Broken, Object, Part, Splitter};
use crate::audit::progress::Progress;
use crate::audit::projection::Projection;
use crate::kinds::ippool::cluster::{Coverage, Head};

/// The objects of a page, as many as kubectl asks for.
pub const PAGE_OBJECTS: u32 = 500;

/// The longest body of an error that is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// Everything but the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often a list is begun again because its token expired, which takes the apiserver five minutes.
pub const MAX_RESTARTS: usize = 5;

/// How often a page is asked for, if the apiserver is overloaded or the connection breaks.
pub const ATTEMPTS: u32 = 4;

/// How long to wait before the second attempt. Each further wait is longer by this.
const DELAY: Duration = Duration::from_millis(500);

/// The longest `Retry-After` that is followed; an apiserver sends one second.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Objects of one kind, in one namespace or in all.
#[derive(Debug)]
pub struct Resource {
    pub kind: ObjectKind,
    /// `None` for all.
    pub namespace: Option<String>,
}

/// How listing ended.
#[derive(Debug)]
pub enum Listed {
    /// Every object was read.
    All,
    /// The cluster does not know this kind, so there is none.
    NoSuchKind,
    /// The apiserver does not allow it; this is its message.
    Forbidden(String),
}

/// What a page ended with.
enum Page {
    Last,
    Next(String),
    /// The token has expired.
    Expired,
    NoSuchKind,
    Forbidden(String),
    /// Another attempt may succeed, after the time of `Retry-After`.
    Failed(anyhow::Error, Option<Duration>),
}

impl Resource {
    /// The objects of a kind. The scope limits those of whereabouts; what they refer to can be in any namespace.
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

    /// What is known after everything was listed.
    pub fn coverage(&self) -> Coverage {
        match &self.namespace {
            None => Coverage::Complete,
            Some(namespace) => Coverage::Namespaces([namespace.clone()].into()),
        }
    }

    /// What is known if the cluster does not have the kind. Without pools or reservations, whereabouts is not installed or too
    /// old to reserve. Of another kind, there are no objects.
    pub fn coverage_without_kind(&self) -> Coverage {
        match self.kind {
            ObjectKind::Pool | ObjectKind::Reservation => {
                Coverage::Incomplete(format!("the cluster does not know the kind {}", self.kind.as_str()))
            }
            _ => self.coverage(),
        }
    }

    /// The resource of the API.
    pub fn api(&self) -> ApiResource {
        let (version, plural) = match self.kind {
            ObjectKind::Pool => ("v1alpha1", "ippools"),
            ObjectKind::Reservation => ("v1alpha1", "overlappingrangeipreservations"),
            ObjectKind::NodeSlicePool => ("v1alpha1", "nodeslicepools"),
            ObjectKind::Attachment => ("v1", "network-attachment-definitions"),
            ObjectKind::Pod => ("v1", "pods"),
            ObjectKind::Node => ("v1", "nodes"),
        };
        let kind = GroupVersionKind::gvk(self.kind.group(), version, self.kind.as_str());
        ApiResource::from_gvk_with_plural(&kind, plural)
    }

    /// The same for watches, which reduce each object.
    pub fn watchable(&self, client: &Client) -> kube::Api<Projection> {
        match &self.namespace {
            Some(namespace) => kube::Api::namespaced_with(client.clone(), namespace, &self.api()),
            None => kube::Api::all_with(client.clone(), &self.api()),
        }
    }

    fn path(&self) -> String {
        let ApiResource { api_version, plural, .. } = self.api();
        let prefix = if self.kind.group().is_empty() { "api" } else { "apis" };
        let namespace = self.namespace.as_ref().map(|it| format!("/namespaces/{}", encoded(it)));
        format!("/{prefix}/{api_version}{}/{plural}", namespace.unwrap_or_default())
    }

    /// Whether every apiserver knows the kind.
    fn is_builtin(&self) -> bool {
        self.kind.group().is_empty()
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
/// If the apiserver cannot be reached, or its response is not a list.
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
            Page::Forbidden(why) => return Ok(Listed::Forbidden(why)),
            Page::Next(next) => (token, failures) = (next, 0),
            Page::Expired if restarts < MAX_RESTARTS => {
                restarts += 1;
                collector.borrow_mut().clear(resource.kind);
                (token, count) = (String::new(), 0);
            }
            Page::Expired => {
                anyhow::bail!("listing {}s takes too long: its token expires", resource.kind.as_str())
            }
            Page::Failed(_, wait) if failures + 1 < ATTEMPTS => {
                failures += 1;
                tokio::time::sleep(wait.unwrap_or_default().min(MAX_DELAY).max(DELAY * failures)).await;
            }
            Page::Failed(error, _) => {
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
        let wait = response.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
        if code == 200 {
            read_page(response.into_body(), resource.kind, collector, count).await
        } else {
            let wait = wait.map(Duration::from_secs);
            Ok(refused(code, resource, &message(response.into_body()).await, wait))
        }
    };
    result.await.unwrap_or_else(|error| Page::Failed(error, None))
}

fn refused(code: u16, resource: &Resource, message: &str, wait: Option<Duration>) -> Page {
    match code {
        410 => Page::Expired,
        404 if resource.is_builtin() => {
            Page::Failed(anyhow!("is this an apiserver? It says: {message} (404)"), wait)
        }
        404 => Page::NoSuchKind,
        401 | 403 => Page::Forbidden(format!("{}s cannot be listed: {message}", resource.kind.as_str())),
        _ => Page::Failed(anyhow!("the apiserver says: {message} ({code})"), wait),
    }
}

async fn read_page(
    mut body: Body,
    kind: ObjectKind,
    collector: &RefCell<&mut Collector<'_>>,
    count: &mut usize,
) -> anyhow::Result<Page> {
    let (mut splitter, mut next) = (Splitter::default(), None);
    let broken = |Broken { why, .. }: Broken| anyhow!("the list of the apiserver: {why}");
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the connection to the apiserver broke, or it was silent for 15 s")?;
        let Ok(bytes) = frame.into_data() else { continue };
        let mut collector = collector.borrow_mut();
        let mut each = |part: Part<'_>| match part {
            Part::Item(item) => {
                *count += 1;
                // An apiserver sends UTF-8. Anything else becomes an object that cannot be read.
                collector.object(simdutf8::basic::from_utf8(item.text).unwrap_or_default(), kind);
            }
            Part::Whole(list) => next = continue_token(&list),
        };
        splitter.push(&bytes, &mut each).map_err(broken)?;
    }
    splitter.finish().map_err(broken)?;
    Ok(match next.context("what the apiserver sent is not a list")? {
        token if token.is_empty() => Page::Last,
        token => Page::Next(token),
    })
}

/// `metadata.continue` of a list; `None` if the object is not a list.
fn continue_token(list: &Object<'_>) -> Option<String> {
    let head = Head::of(simdutf8::basic::from_utf8(list.text).ok()?);
    let is_list = list.has_items || head.kind.text().is_some_and(|kind| kind.ends_with("List"));
    is_list.then(|| head.metadata.continue_token.text().unwrap_or_default().to_owned())
}

/// The message of a `Status`.
async fn message(body: Body) -> String {
    let body =
        Limited::new(body, MAX_ERROR_BYTES).collect().await.map(Collected::to_bytes).unwrap_or_default();
    let status = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
    let message = status.get("message").and_then(|message| message.as_str()).map(str::to_owned);
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(&body).trim().to_owned());
    if message.is_empty() { "nothing".to_owned() } else { message }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}
