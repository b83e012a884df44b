//! The watched objects of each kind.

use std::collections::HashMap;

use kube::core::Status;
use kube::runtime::watcher::{self, Event};

use crate::audit::collect::{Collected, Collector, ObjectKind};
use crate::audit::live::{Resource, Scope};
use crate::audit::projection::Projection;
use crate::kinds::ippool::cluster::{Coverage, Moment, Read};
use crate::policy::Policy;

/// An object by `namespace/name`.
type Objects = HashMap<String, Box<str>>;

/// The objects of one kind, kept up to date by a watch.
#[derive(Debug)]
pub struct Watched {
    pub resource: Resource,
    objects: Objects,
    /// The objects of a list that is still being received.
    listed: Objects,
    pub state: State,
    /// How often the watch failed.
    pub errors: u64,
}

/// The state of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The first list is still being received.
    Listing,
    /// The objects are known.
    Synced,
    /// The cluster does not know the kind, so there is none.
    NoSuchKind,
    /// The apiserver does not allow it; this is its message.
    Forbidden(String),
}

impl Watched {
    pub fn new(kind: ObjectKind, scope: &Scope) -> Self {
        let resource = Resource::of(kind, scope);
        Self { resource, objects: Objects::new(), listed: Objects::new(), state: State::Listing, errors: 0 }
    }

    /// Applies an event of the watch. Returns whether an object changed.
    pub fn take(&mut self, event: Result<Event<Projection>, watcher::Error>) -> bool {
        match event {
            Ok(Event::Init) => self.listed.clear(),
            Ok(Event::InitApply(object)) => drop(self.listed.insert(key(&object), object.json)),
            Ok(Event::InitDone) => {
                let listed = std::mem::take(&mut self.listed);
                let has_changed = self.state != State::Synced || self.objects != listed;
                (self.objects, self.state) = (listed, State::Synced);
                return has_changed;
            }
            Ok(Event::Apply(object)) => {
                let key = key(&object);
                let has_changed = self.objects.get(&key) != Some(&object.json);
                self.objects.insert(key, object.json);
                return has_changed;
            }
            Ok(Event::Delete(object)) => return self.objects.remove(&key(&object)).is_some(),
            Err(error) => return self.fail(&error),
        }
        false
    }

    /// While a watch is broken, its objects are kept. If the kind may no longer be read, they are dropped.
    fn fail(&mut self, error: &watcher::Error) -> bool {
        let kind = self.resource.kind.as_str();
        let state = match status(error) {
            Some(Status { code: 401 | 403, message, .. }) => {
                State::Forbidden(format!("{kind}s cannot be listed: {message}"))
            }
            Some(Status { code: 404, .. }) => State::NoSuchKind,
            _ => {
                self.errors += 1;
                tracing::warn!(kind, %error, "the watch broke, it is resumed");
                return false;
            }
        };
        // The watch retries; the log has each reason once.
        if self.state == state {
            return false;
        }
        tracing::warn!(kind, ?state, "the kind cannot be watched");
        (self.state, self.objects) = (state, Objects::new());
        true
    }

    fn coverage(&self) -> Coverage {
        match &self.state {
            State::Synced => self.resource.coverage(),
            State::NoSuchKind => self.resource.coverage_without_kind(),
            State::Listing => Coverage::default(),
            State::Forbidden(why) => Coverage::Incomplete(why.clone()),
        }
    }
}

fn key(object: &Projection) -> String {
    let metadata = kube::Resource::meta(object);
    format!(
        "{}/{}",
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default()
    )
}

/// The `Status` that the apiserver responded with.
fn status(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status),
        watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

/// Why there can be no report yet; `None` if there can be one.
pub fn not_ready(kinds: &[Watched]) -> Option<String> {
    let listing = kinds.iter().find(|it| it.state == State::Listing);
    listing.map(|it| format!("{}s are not listed yet", it.resource.kind.as_str()))
}

/// Collects what the rules need from all watched objects.
pub fn collect(kinds: &[Watched], policy: &Policy, namespaces: &[String]) -> Collected {
    let mut collector = Collector::new(policy);
    let mut read = Read { moment: Moment::Live, ..Read::default() };
    for watched in kinds {
        let kind = watched.resource.kind;
        watched.objects.values().for_each(|json| collector.object(json, kind));
        *kind.coverage(&mut read) = watched.coverage();
    }
    collector.finish(read, namespaces)
}
