//! The merge that `kubectl apply` computes for custom resources, field by field as its JSON merge does it.

use serde_json::{Map, Value};

/// Additions and changes against the live object, deletions against the last applied one.
pub fn three_way(last_applied: &Value, live: &Value, new: &Value) -> Value {
    let mut patch = keep_values(&two_way(live, new));
    overlay(&mut patch, keep_nulls(&two_way(last_applied, new)));
    Value::Object(patch)
}

/// The JSON merge patch from one object to the other.
pub fn two_way(old: &Value, new: &Value) -> Map<String, Value> {
    let nothing = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&nothing), new.as_object().unwrap_or(&nothing));
    let mut patch = Map::new();
    for (name, value) in new {
        match old.get(name) {
            Some(before) if before == value => {}
            Some(before) if before.is_object() && value.is_object() => {
                patch.insert(name.clone(), Value::Object(two_way(before, value)));
            }
            _ => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    patch.extend(old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Value::Null)));
    patch
}

/// Nulls dropped. A map left empty by that is dropped too; one that was empty is a value.
fn keep_values(patch: &Map<String, Value>) -> Map<String, Value> {
    let kept = patch.iter().filter(|(_, value)| !value.is_null()).filter_map(|(name, value)| {
        let Some(map) = value.as_object().filter(|it| !it.is_empty()) else {
            return Some((name.clone(), value.clone()));
        };
        let kept = keep_values(map);
        (!kept.is_empty()).then(|| (name.clone(), Value::Object(kept)))
    });
    kept.collect()
}

fn keep_nulls(patch: &Map<String, Value>) -> Map<String, Value> {
    let kept = patch.iter().filter_map(|(name, value)| match value {
        Value::Null => Some((name.clone(), Value::Null)),
        Value::Object(map) => {
            let kept = keep_nulls(map);
            (!kept.is_empty()).then(|| (name.clone(), Value::Object(kept)))
        }
        _ => None,
    });
    kept.collect()
}

fn overlay(patch: &mut Map<String, Value>, nulls: Map<String, Value>) {
    for (name, value) in nulls {
        match (patch.get_mut(&name), value) {
            (Some(Value::Object(below)), Value::Object(nulls)) => overlay(below, nulls),
            (Some(_), _) => {}
            (None, value) => {
                patch.insert(name, value);
            }
        }
    }
}
