//! Field ownership under `spec` as server-side apply keeps it: sets of paths, one for each manager.
//!
//! The schema of the CRD makes `spec` a struct, `allocations` a granular map and each allocation a struct, so a
//! manifest owns `range`, each key of `allocations` and each field below a key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A path below `spec`.
pub type Path = Vec<String>;
/// The paths a manager owns.
pub type Fields = BTreeSet<Path>;
/// Each manager's name with what it owns.
pub type Owners = BTreeMap<String, Fields>;

/// The paths of a value: leaves, empty maps, and the keys of `allocations`.
pub fn fields(spec: &Value) -> Fields {
    let mut found = Fields::new();
    collect(spec, &mut Path::new(), &mut found);
    found
}

fn collect(value: &Value, path: &mut Path, found: &mut Fields) {
    let map = value.as_object().filter(|it| !it.is_empty());
    if !path.is_empty() && (map.is_none() || path.len() == 2) {
        found.insert(path.clone());
    }
    for (name, child) in map.into_iter().flatten() {
        path.push(name.clone());
        collect(child, path, found);
        path.pop();
    }
}

/// Adds `allocations` where something below it is in the set: a field that the schema names counts as a member.
fn with_parents(set: &Fields) -> Fields {
    let parents = set.iter().filter(|path| path.len() > 1).map(|path| path[..1].to_vec());
    set.iter().cloned().chain(parents).collect()
}

/// What differs between two specs.
pub struct Difference {
    /// Paths only in the new one, or with another value there.
    pub brought: Fields,
    /// Paths only in the old one.
    pub removed: Fields,
}

/// Compares two specs path by path.
pub fn difference(old: &Value, new: &Value) -> Difference {
    let (before, after) = (fields(old), fields(new));
    let changed =
        |path: &Path| at(old, path) != at(new, path) && at(new, path).is_some_and(|it| !it.is_object());
    // A map that is there before and after is not a difference, whether or not it is empty.
    let kept = |path: &Path| !(is_map(old, path) && is_map(new, path));
    let brought = after.iter().filter(|path| !before.contains(*path) || changed(path));
    let removed = before.difference(&after);
    Difference {
        brought: brought.filter(|path| kept(path)).cloned().collect(),
        removed: removed.filter(|path| kept(path)).cloned().collect(),
    }
}

fn is_map(value: &Value, path: &[String]) -> bool {
    at(value, path).is_some_and(Value::is_object)
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// Ownership after a write that is not an apply: the writer owns what it brought, others lose it.
pub fn after_update(owners: &mut Owners, manager: &str, difference: &Difference) {
    take_from_others(owners, manager, difference);
    let own = owners.entry(manager.to_owned()).or_default();
    own.extend(difference.brought.iter().cloned());
    own.retain(|path| !difference.removed.contains(path));
    owners.retain(|_, fields| !fields.is_empty());
}

fn take_from_others(owners: &mut Owners, manager: &str, difference: &Difference) {
    for (_, fields) in owners.iter_mut().filter(|(name, _)| *name != manager) {
        fields.retain(|path| !difference.brought.contains(path) && !difference.removed.contains(path));
    }
}

/// The result of an apply: the merged spec and its owners, or the fields that others own.
pub struct Applied {
    /// The spec to store.
    pub spec: Value,
    /// Who owns what of it.
    pub owners: Owners,
    /// What the manifest changes and another manager owns.
    pub conflicts: Fields,
}

/// Merges `config` into `live` for `manager` as structured-merge-diff does.
pub fn apply(live: &Value, config: &Value, owners: &Owners, manager: &str) -> Applied {
    let mut owners = owners.clone();
    let last = owners.insert(manager.to_owned(), fields(config)).unwrap_or_default();
    let merged = merge(live, config);
    let spec = prune(&merged, &last, &owners);
    let difference = difference(live, &spec);
    let others = owners.iter().filter(|(name, _)| *name != manager).flat_map(|(_, fields)| fields);
    let conflicts = others.filter(|path| difference.brought.contains(*path)).cloned().collect();
    take_from_others(&mut owners, manager, &difference);
    owners.retain(|_, fields| !fields.is_empty());
    Applied { spec, owners, conflicts }
}

fn merge(live: &Value, config: &Value) -> Value {
    let (Some(live), Some(config)) = (live.as_object(), config.as_object()) else { return config.clone() };
    let mut merged = live.clone();
    for (name, value) in config {
        let before = merged.get(name).unwrap_or(&Value::Null);
        let value = merge(before, value);
        merged.insert(name.clone(), value);
    }
    Value::Object(merged)
}

/// Takes out what the manager applied last time, does not apply this time, and nobody else owns.
fn prune(merged: &Value, last: &Fields, owners: &Owners) -> Value {
    if last.is_empty() {
        return merged.clone();
    }
    let all = with_parents(&fields(merged));
    let owned = with_parents(&owners.values().flatten().cloned().collect());
    let pruned = without(merged, &mut Path::new(), &all.difference(&owned).cloned().collect());
    let gone: Fields = all.difference(&with_parents(&fields(&pruned))).cloned().collect();
    without(merged, &mut Path::new(), &gone.intersection(&with_parents(last)).cloned().collect())
}

/// A map that loses its last key becomes null, as in structured-merge-diff.
fn without(value: &Value, path: &mut Path, gone: &Fields) -> Value {
    let Some(map) = value.as_object().filter(|_| gone.iter().any(|it| it.starts_with(path))) else {
        return value.clone();
    };
    let mut kept = Map::new();
    for (name, child) in map {
        path.push(name.clone());
        if !gone.contains(path) {
            kept.insert(name.clone(), without(child, path, gone));
        }
        path.pop();
    }
    if kept.is_empty() { Value::Null } else { Value::Object(kept) }
}
