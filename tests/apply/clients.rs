//! The tools that write manifests: what each sends, and what each remembers of what it sent.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::address::entries;
use crate::owners;
use crate::store::{Outcome, Store, Writer};
use crate::three_way::{three_way, two_way};
use testkit::review::PERSON;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const CLIENT_SIDE: Writer = Writer { user: PERSON, manager: "kubectl-client-side-apply" };
const SERVER_SIDE: Writer = Writer { user: PERSON, manager: "kubectl" };
const HELM: Writer = Writer { user: PERSON, manager: "helm" };
const REPLACE: Writer = Writer { user: PERSON, manager: "kubectl-replace" };

/// A way to bring a manifest to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// `kubectl apply`.
    Apply,
    /// `kubectl apply --server-side`.
    ServerSide,
    /// `kubectl apply --server-side --force-conflicts`.
    Forced,
    /// `helm upgrade --install`.
    Helm,
    /// `kubectl replace`.
    Replace,
}

/// The manifest of the last release that succeeded.
#[derive(Default)]
pub struct Release(Option<Value>);

impl Client {
    /// Brings `manifest` to the store.
    pub fn send(self, store: &mut Store, release: &mut Release, manifest: &Value) -> Outcome {
        match self {
            Self::Apply => client_side(store, manifest),
            Self::ServerSide => server_side(store, manifest, false),
            Self::Forced => server_side(store, manifest, true),
            Self::Helm => helm(store, release, manifest),
            Self::Replace => replace(store, manifest),
        }
    }

    /// The keys that a request with this manifest speaks of: those in it, and those the client remembers.
    pub fn names(self, store: &Store, release: &Release, manifest: &Value) -> BTreeSet<String> {
        let keys = |object: &Value| entries(object).map(|(key, _)| key.clone()).collect::<BTreeSet<_>>();
        let remembered = match self {
            Self::Apply => keys(&last_applied(store)),
            Self::ServerSide | Self::Forced => owned_keys(store),
            Self::Helm => release.0.as_ref().map(keys).unwrap_or_default(),
            Self::Replace => BTreeSet::new(),
        };
        keys(manifest).into_iter().chain(remembered).collect()
    }
}

fn client_side(store: &mut Store, manifest: &Value) -> Outcome {
    let new = annotated(manifest, manifest);
    let Some(live) = &store.object else { return store.write(CLIENT_SIDE, &new) };
    patch(store, CLIENT_SIDE, &three_way(&last_applied(store), live, &new))
}

/// No request goes out where the patch is empty.
fn patch(store: &mut Store, writer: Writer, patch: &Value) -> Outcome {
    if *patch == json!({}) {
        return Outcome::Unchanged;
    }
    let mut new = store.object.clone().unwrap_or_default();
    json_patch::merge(&mut new, patch);
    store.write(writer, &new)
}

/// kubectl hands what it applied client-side before to server-side apply, then applies once more.
fn server_side(store: &mut Store, manifest: &Value, force: bool) -> Outcome {
    let first = server_side_once(store, manifest, force);
    let known = store.owners.contains_key(CLIENT_SIDE.manager);
    if !first.is_accepted() || !known {
        return first;
    }
    let migrated = store.owners.remove(CLIENT_SIDE.manager).unwrap_or_default();
    store.owners.entry(SERVER_SIDE.manager.to_owned()).or_default().extend(migrated);
    let second = server_side_once(store, manifest, force);
    if second == Outcome::Unchanged { first } else { second }
}

fn server_side_once(store: &mut Store, manifest: &Value, force: bool) -> Outcome {
    let applied = owners::apply(&store.spec(), &manifest["spec"], &store.owners, SERVER_SIDE.manager);
    let conflicts: owners::Fields =
        applied.conflicts.difference(&allowed_conflicts(store)).cloned().collect();
    if !force && !conflicts.is_empty() {
        return Outcome::Conflict(conflicts);
    }
    let mut new = store.object.clone().unwrap_or_else(|| manifest.clone());
    json_patch::merge(&mut new["metadata"], &manifest["metadata"]);
    new["spec"] = applied.spec;
    if !last_applied(store).is_null() {
        new = annotated(&new, manifest);
    }
    store.admit(SERVER_SIDE, &new, applied.owners)
}

/// Fields that client-side apply wrote and nobody changed since are not a conflict for kubectl.
fn allowed_conflicts(store: &Store) -> owners::Fields {
    let last = last_applied(store);
    let difference = owners::difference(&last["spec"], &store.spec());
    let changed =
        |path: &owners::Path| difference.brought.contains(path) || difference.removed.contains(path);
    owners::fields(&last["spec"]).into_iter().filter(|path| !changed(path)).collect()
}

/// Helm 3 compares two manifests and looks at nothing live. A pool that it finds at its first install it adopts
/// without a patch.
fn helm(store: &mut Store, release: &mut Release, manifest: &Value) -> Outcome {
    let outcome = match (&release.0, &store.object) {
        (_, None) => store.write(HELM, manifest),
        (None, Some(_)) => Outcome::Unchanged,
        (Some(before), Some(_)) => patch(store, HELM, &Value::Object(two_way(before, manifest))),
    };
    if outcome.is_accepted() {
        release.0 = Some(manifest.clone());
    }
    outcome
}

fn replace(store: &mut Store, manifest: &Value) -> Outcome {
    if store.object.is_none() {
        return Outcome::Refused(vec!["not found".to_owned()]);
    }
    store.write(REPLACE, manifest)
}

/// `object` with `manifest` as what was last applied.
fn annotated(object: &Value, manifest: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["annotations"][LAST_APPLIED] = manifest.to_string().into();
    object
}

/// The manifest that client-side apply remembers in the object, null where there is none.
fn last_applied(store: &Store) -> Value {
    let text = store.object.as_ref().and_then(|it| it["metadata"]["annotations"][LAST_APPLIED].as_str());
    text.map_or(Value::Null, |it| serde_json::from_str(it).expect("a manifest"))
}

/// The keys of which server-side apply owns anything, or will after it took over from client-side apply.
fn owned_keys(store: &Store) -> BTreeSet<String> {
    let managers = [SERVER_SIDE.manager, CLIENT_SIDE.manager];
    let fields = managers.iter().filter_map(|it| store.owners.get(*it)).flatten();
    fields.filter_map(|path| path.get(1).cloned()).collect()
}
