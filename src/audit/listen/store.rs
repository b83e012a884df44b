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

/// The objects of one kind, as its watch has them.
#[derive(Debug)]
pub struct Watched {
    pub resource: Resource,
    objects: Objects,
    /// The objects of a list that has not ended.
    listed: Objects,
    pub state: State,
    /// How often the watch failed.
    pub errors: u64,
}

/// How far a watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its first list has not ended.
    Listing,
    /// Its objects are known.
    Synced,
    /// The cluster does not know the kind, so there is none.
    NoSuchKind,
    /// The apiserver does not allow it, in its words.
    Refused(String),
}

impl Watched {
    pub fn new(kind: ObjectKind, scope: &Scope) -> Self {
        let resource = Resource::of(kind, scope);
        Self { resource, objects: Objects::new(), listed: Objects::new(), state: State::Listing, errors: 0 }
    }

    /// Takes an event of the watch; returns whether an object has changed.
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
                let json = object.json.clone();
                return self.objects.insert(key(&object), object.json) != Some(json);
            }
            Ok(Event::Delete(object)) => return self.objects.remove(&key(&object)).is_some(),
            Err(error) => return self.fail(&error),
        }
        false
    }

    /// Objects that are known stay so while the watch is broken; a kind that may no longer be read is not known.
    fn fail(&mut self, error: &watcher::Error) -> bool {
        let kind = self.resource.kind.as_str();
        let state = match status(error) {
            Some(Status { code: 401 | 403, message, .. }) => {
                State::Refused(format!("{kind}s cannot be listed: {message}"))
            }
            Some(Status { code: 404, .. }) => State::NoSuchKind,
            _ => {
                self.errors += 1;
                tracing::warn!(kind, %error, "the watch broke, it is resumed");
                return false;
            }
        };
        // Asked for again and again, but said once.
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
            State::Refused(why) => Coverage::Incomplete(why.clone()),
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

/// What the apiserver answered.
fn status(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status),
        watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

/// Why nothing can be said yet, if that is so.
pub fn not_ready(kinds: &[Watched]) -> Option<String> {
    let listing = kinds.iter().find(|it| it.state == State::Listing);
    listing.map(|it| format!("{}s are not listed yet", it.resource.kind.as_str()))
}

/// What the rules need of all objects.
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
