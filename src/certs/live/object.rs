//! What is read of an object of the API: no more than is needed, whatever else a newer version has in it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube::api::DynamicObject;
use serde::Deserialize;

use crate::certs::certificate::Bundle;
use crate::certs::cluster::{Configuration, Reference, Secret, Target, Webhook};

/// Annotations by which others fill in `caBundle`.
const INJECTORS: [&str; 4] = [
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct SecretParts {
    data: Option<BTreeMap<String, ByteString>>,
    immutable: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigurationParts {
    webhooks: Option<Vec<WebhookParts>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WebhookParts {
    name: String,
    client_config: ClientConfig,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClientConfig {
    ca_bundle: Option<ByteString>,
    service: Option<ServiceReference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceReference {
    name: String,
    namespace: String,
}

/// A Secret as it is in the API.
///
/// # Errors
///
/// When it is of another shape than the API gives it.
pub fn secret(object: DynamicObject) -> Result<Secret, serde_json::Error> {
    let SecretParts { data, immutable } = serde_json::from_value(object.data)?;
    Ok(Secret {
        version: object.metadata.resource_version.unwrap_or_default(),
        data: data.unwrap_or_default().into_iter().map(|(key, ByteString(value))| (key, value)).collect(),
        immutable: immutable.unwrap_or_default(),
    })
}

/// A configuration as it is in the API, with those of its webhooks that call the Service of `target`.
///
/// # Errors
///
/// When it is of another shape than the API gives it.
pub fn configuration(
    object: DynamicObject,
    reference: &Reference,
    target: &Target,
) -> Result<Configuration, serde_json::Error> {
    let ConfigurationParts { webhooks } = serde_json::from_value(object.data)?;
    let annotations = object.metadata.annotations.unwrap_or_default();
    let injector = INJECTORS.iter().find(|it| annotations.contains_key(**it));
    let ours = webhooks.into_iter().flatten().filter(|it| it.calls(target));
    Ok(Configuration {
        reference: reference.clone(),
        version: object.metadata.resource_version.unwrap_or_default(),
        injected_by: injector.map(|it| (*it).to_owned()),
        webhooks: ours.map(WebhookParts::read).collect(),
    })
}

impl WebhookParts {
    fn calls(&self, target: &Target) -> bool {
        let service = self.client_config.service.as_ref();
        service.is_some_and(|it| it.name == target.service && it.namespace == target.namespace)
    }

    fn read(self) -> Webhook {
        let ByteString(bundle) = self.client_config.ca_bundle.unwrap_or_default();
        Webhook { name: self.name, bundle: Bundle::read(&bundle) }
    }
}
