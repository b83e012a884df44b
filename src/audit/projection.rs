//! An object reduced to the members that an audit reads, as JSON.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicResourceScope;
use kube::discovery::ApiResource;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::kinds::ippool::cluster::runs_whereabouts;

/// The members of `metadata` that count; the manager of a pool says where whereabouts runs.
const METADATA: [&str; 6] =
    ["annotations", "deletionTimestamp", "name", "namespace", "resourceVersion", "uid"];

/// The prefix of the annotations that count.
const ANNOTATIONS: &str = "k8s.v1.cni.cncf.io/network";

/// The members of `status` that count.
const STATUS: [&str; 3] = ["allocations", "phase", "podIPs"];

/// The members of a container that show whether it is whereabouts.
const CONTAINER: [&str; 3] = ["env", "image", "name"];

/// An object of any kind.
#[derive(Clone, Debug)]
pub struct Projection {
    /// The name, the namespace and the version: the watch needs them.
    metadata: ObjectMeta,
    pub json: Box<str>,
}

impl<'de> Deserialize<'de> for Projection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Map::deserialize(deserializer)?;
        let text = |key: &str| {
            object.get("metadata").and_then(|it| it.get(key)).and_then(Value::as_str).map(str::to_owned)
        };
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        reduce(&mut object);
        Ok(Self { metadata, json: Value::Object(object).to_string().into() })
    }
}

fn reduce(object: &mut Map<String, Value>) {
    let is_pod = object.get("spec").is_some_and(|spec| spec.get("containers").is_some());
    object.retain(|key, value| match key.as_str() {
        "metadata" | "status" => true,
        "spec" => !is_pod || runs_whereabouts(&format!("{{\"spec\":{value}}}")),
        _ => false,
    });
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        reduce_metadata(metadata, is_pod);
    }
    if let Some(Value::Object(status)) = object.get_mut("status") {
        status.retain(|key, _| STATUS.contains(&key.as_str()));
    }
    if let Some(Value::Object(spec)) = object.get_mut("spec").filter(|_| is_pod) {
        reduce_containers(spec);
    }
}

fn reduce_metadata(metadata: &mut Map<String, Value>, is_pod: bool) {
    if is_pod {
        // It changes with each update of the status, most of which do not concern addresses.
        metadata.remove("resourceVersion");
    }
    if let Some(Value::Array(managers)) = metadata.get_mut("managedFields") {
        managers
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(|it| it.retain(|key, _| key == "manager"));
        managers.dedup();
    }
    metadata.retain(|key, _| METADATA.contains(&key.as_str()) || (key == "managedFields" && !is_pod));
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.retain(|key, _| key.starts_with(ANNOTATIONS));
    }
}

fn reduce_containers(spec: &mut Map<String, Value>) {
    spec.retain(|key, _| matches!(key.as_str(), "containers" | "initContainers" | "serviceAccountName"));
    let containers = spec.values_mut().filter_map(Value::as_array_mut).flatten();
    for container in containers.filter_map(Value::as_object_mut) {
        container.retain(|key, _| CONTAINER.contains(&key.as_str()));
    }
}

impl Resource for Projection {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.kind)
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.group)
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.version)
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.plural)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reduced(object: &Value) -> Value {
        let projection: Projection = serde_json::from_value(object.clone()).unwrap();
        serde_json::from_str(&projection.json).unwrap()
    }

    #[test]
    fn of_a_pod_only_what_the_rules_read_is_kept() {
        let mut pod = json!({
            "metadata": {
                "name": "web-0", "namespace": "default", "uid": "u", "resourceVersion": "7", "labels": { "a": "b" },
                "annotations": { "k8s.v1.cni.cncf.io/network-status": "[]", "other": "x" },
                "managedFields": [{ "manager": "kubelet" }],
            },
            "spec": { "containers": [{ "name": "c", "image": "nginx", "command": ["x"] }] },
            "status": { "phase": "Running", "podIPs": [{ "ip": "10.244.0.7" }], "conditions": [] },
        });
        let mut expected = json!({
            "metadata": {
                "name": "web-0", "namespace": "default", "uid": "u",
                "annotations": { "k8s.v1.cni.cncf.io/network-status": "[]" },
            },
            "status": { "phase": "Running", "podIPs": [{ "ip": "10.244.0.7" }] },
        });
        assert_eq!(reduced(&pod), expected);
        pod["spec"]["containers"][0]["image"] = json!("whereabouts:v0.9.4");
        expected["spec"] = json!({ "containers": [{ "name": "c", "image": "whereabouts:v0.9.4" }] });
        assert_eq!(reduced(&pod), expected);
    }

    #[test]
    fn of_a_pool_everything_but_foreign_metadata_is_kept() {
        let pool = json!({
            "metadata": {
                "name": "p", "resourceVersion": "7",
                "managedFields": [{ "manager": "whereabouts", "time": "1" }, { "manager": "whereabouts", "time": "2" }],
            },
            "spec": { "range": "10.0.9.0/24", "allocations": { "1": { "id": "a", "unknown": 1 } } },
        });
        let mut expected = pool.clone();
        expected["metadata"]["managedFields"] = json!([{ "manager": "whereabouts" }]);
        assert_eq!(reduced(&pool), expected);
    }
}
