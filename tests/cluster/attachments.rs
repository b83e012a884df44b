//! NetworkAttachmentDefinitions, which Multus brings.

use serde_json::json;

use super::plane::Plane;

/// Has a control plane know them.
pub fn define(plane: &Plane) {
    let schema =
        json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "network-attachment-definitions.k8s.cni.cncf.io" },
        "spec": {
            "group": "k8s.cni.cncf.io",
            "scope": "Namespaced",
            "names": {
                "plural": "network-attachment-definitions",
                "singular": "network-attachment-definition",
                "kind": "NetworkAttachmentDefinition",
            },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": schema }],
        },
    });
    plane.kubectl_with(&["create", "-f", "-"], &definition.to_string(), &[]).ok();
    plane.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).ok();
}
