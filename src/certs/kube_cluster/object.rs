//! The parts of the API's objects that are read here.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::WebhookClientConfig;
use k8s_openapi::api::core;
use kube::api::DynamicObject;
use serde::Deserialize;

use crate::certs::state::{Configuration, ConfigurationRef, Secret, Target, Webhook};
use crate::pki::Bundle;

/// Annotations by which another program fills in `caBundle`.
const INJECTORS: [&str; 4] = [
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
];

/// One shape for both kinds of configuration, which `k8s-openapi` types apart.
#[derive(Deserialize)]
struct ConfigurationParts {
    webhooks: Option<Vec<WebhookParts>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookParts {
    name: String,
    client_config: WebhookClientConfig,
}

pub fn secret(object: core::v1::Secret) -> Secret {
    Secret {
        resource_version: object.metadata.resource_version.unwrap_or_default(),
        data: object.data.into_iter().flatten().map(|(key, ByteString(value))| (key, value)).collect(),
        immutable: object.immutable.unwrap_or_default(),
    }
}

/// The parts of a configuration, with those of its webhooks that call the Service of `target`.
pub fn configuration(
    object: DynamicObject,
    reference: &ConfigurationRef,
    target: &Target,
) -> Result<Configuration, serde_json::Error> {
    let ConfigurationParts { webhooks } = serde_json::from_value(object.data)?;
    let annotations = object.metadata.annotations.unwrap_or_default();
    let injector = INJECTORS.iter().find(|it| annotations.contains_key(**it));
    let ours = webhooks.into_iter().flatten().filter(|it| it.calls(target));
    Ok(Configuration {
        reference: reference.clone(),
        resource_version: object.metadata.resource_version.unwrap_or_default(),
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
