//! An apiserver with one pool in its store and the webhook registered in front of it.

use std::collections::BTreeMap;

use ippool_webhook::admission::Endpoint;
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};

use crate::owners::{self, Fields, Owners};
use testkit::review::{WHEREABOUTS, ask_under, causes, patch, review, warnings};

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Stored, with the warnings of the webhook.
    Stored(Vec<String>),
    /// Accepted, and equal to the stored object in all but bookkeeping.
    Unchanged,
    /// Refused by the schema or by the webhook, with the causes.
    Refused(Vec<String>),
    /// Refused by server-side apply: others own these fields.
    Conflict(Fields),
}

impl Outcome {
    /// Whether the request succeeded.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Stored(_) | Self::Unchanged)
    }
}

/// Who sends a request, and under which field manager.
#[derive(Clone, Copy)]
pub struct Writer {
    /// The authenticated user.
    pub user: &'static str,
    /// The name in `managedFields`.
    pub manager: &'static str,
}

/// The store.
pub struct Store {
    policy: Policy,
    /// The pool, if there is one.
    pub object: Option<Value>,
    /// Its `managedFields`, only those below `spec`.
    pub owners: Owners,
    /// How often `mutate` and `validate` were called.
    pub calls: BTreeMap<&'static str, u32>,
}

impl Store {
    /// An empty store under a policy.
    pub fn new(policy: &Value) -> Self {
        let policy = serde_json::from_value(policy.clone()).expect("a policy");
        Self { policy, object: None, owners: Owners::new(), calls: BTreeMap::new() }
    }

    /// A store with a pool from before the webhook.
    pub fn holding(policy: &Value, object: &Value) -> Self {
        let mut store = Self::new(policy);
        let mut object = object.clone();
        object["metadata"]["generation"] = json!(1);
        let manager = "kubectl-create".to_owned();
        store.owners.insert(manager, owners::fields(&object["spec"]));
        store.object = Some(object);
        store
    }

    /// The stored spec, null where there is no pool.
    pub fn spec(&self) -> Value {
        self.object.as_ref().map_or(Value::Null, |it| it["spec"].clone())
    }

    /// The generation of the pool, 0 where there is none.
    pub fn generation(&self) -> u64 {
        self.object.as_ref().and_then(|it| it["metadata"]["generation"].as_u64()).unwrap_or(0)
    }

    /// A POST, PUT or PATCH that leaves ownership to the apiserver.
    pub fn write(&mut self, writer: Writer, new: &Value) -> Outcome {
        let mut owners = self.owners.clone();
        owners::after_update(&mut owners, writer.manager, &owners::difference(&self.spec(), &new["spec"]));
        self.admit(writer, new, owners)
    }

    /// Passes a complete new object through mutation, schema and validation, and stores it.
    ///
    /// `managedFields` are settled before the webhook rewrites anything, as in the apiserver.
    pub fn admit(&mut self, writer: Writer, new: &Value, owners: Owners) -> Outcome {
        let old = self.object.clone().unwrap_or(Value::Null);
        let mut new = without_nulls(new);
        let mut said = self.mutate(writer, &mut new, &old);
        set_generation(&mut new, &old);
        let refused = schema_errors(&new);
        if !refused.is_empty() {
            return Outcome::Refused(refused);
        }
        match self.validate(writer, &new, &old) {
            Err(causes) => return Outcome::Refused(causes),
            Ok(warnings) => said.extend(warnings),
        }
        self.owners = owners;
        let unchanged = new == old;
        self.object = Some(new);
        if unchanged { Outcome::Unchanged } else { Outcome::Stored(said) }
    }

    /// CREATE by anyone; UPDATE by writers that are not trusted, where the text of the range changes.
    fn mutate(&mut self, writer: Writer, new: &mut Value, old: &Value) -> Vec<String> {
        let range = &new["spec"]["range"];
        let called = old.is_null()
            || (writer.user != WHEREABOUTS && !range.is_null() && *range != old["spec"]["range"]);
        if !called {
            return Vec::new();
        }
        *self.calls.entry("mutate").or_default() += 1;
        let response =
            ask_under(&self.policy, Endpoint::Mutate, &review(operation(old), writer.user, new, old));
        assert_eq!(response["allowed"], true, "mutate denies nothing");
        if let Some(patch) = patch(&response) {
            json_patch::patch(new, &patch).expect("the patch fits the object");
        }
        warnings(&response)
    }

    /// Not for trusted writers, and not where only metadata changes.
    fn validate(&mut self, writer: Writer, new: &Value, old: &Value) -> Result<Vec<String>, Vec<String>> {
        let same = !old.is_null() && new["metadata"]["generation"] == old["metadata"]["generation"];
        if writer.user == WHEREABOUTS || same {
            return Ok(Vec::new());
        }
        *self.calls.entry("validate").or_default() += 1;
        let response =
            ask_under(&self.policy, Endpoint::Validate, &review(operation(old), writer.user, new, old));
        if response["allowed"] == true { Ok(warnings(&response)) } else { Err(causes(&response)) }
    }
}

fn operation(old: &Value) -> &'static str {
    if old.is_null() { "CREATE" } else { "UPDATE" }
}

/// The apiserver drops nulls from fields that the schema does not call nullable.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, it)| !it.is_null());
            Value::Object(kept.map(|(name, it)| (name.clone(), without_nulls(it))).collect())
        }
        other => other.clone(),
    }
}

/// One more wherever anything but metadata differs.
fn set_generation(new: &mut Value, old: &Value) {
    let before = old["metadata"]["generation"].as_u64().unwrap_or(0);
    let changed = new["spec"] != old["spec"] || new["status"] != old["status"];
    new["metadata"]["generation"] = json!(before + u64::from(changed));
}

/// What the CRD's own schema refuses.
fn schema_errors(object: &Value) -> Vec<String> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    let mut require = |present: bool, path: String| {
        if !present {
            errors.push(format!("{path}: Required value"));
        }
    };
    require(spec["range"].is_string(), "spec.range".to_owned());
    require(spec["allocations"].is_object(), "spec.allocations".to_owned());
    for (key, entry) in spec["allocations"].as_object().into_iter().flatten() {
        for field in ["id", "podref"] {
            require(entry[field].is_string(), format!("spec.allocations.{key}.{field}"));
        }
    }
    errors
}
