//! The objects in a real cluster: `get` and `patch` of the named objects, `create` of a missing Secret.

use std::time::Duration;

use anyhow::{anyhow, bail};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, WebhookClientConfig};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::keyring::SecretPatch;
use super::state::{
    Bundles, Cluster, ClusterState, Configuration, ConfigurationRef, Problem, Target, Webhook, WriteOutcome,
};
use crate::pki::{self, Bundle, UnixTime};

const FIELD_MANAGER: &str = "ippool-webhook-certs";

/// Annotations by which another program fills in `caBundle`.
const INJECTORS: [&str; 4] = [
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
];

pub struct KubeCluster {
    pub client: Client,
    pub target: Target,
}

impl KubeCluster {
    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.target.namespace)
    }

    fn configurations(&self, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
        Api::all_with(self.client.clone(), &ApiResource::from_gvk(&kind))
    }

    /// The command that says whether `verb` on the Secret is allowed.
    fn can_i_secret(&self, verb: &str) -> String {
        let Target { namespace, secret, .. } = &self.target;
        format!("kubectl auth can-i {verb} secrets/{secret} -n {namespace}")
    }

    async fn read_configuration(
        &self,
        reference: &ConfigurationRef,
        state: &mut ClusterState,
    ) -> anyhow::Result<()> {
        let found = match self.configurations(reference.kind).get_opt(&reference.name).await {
            Ok(Some(found)) => configuration(found, reference, &self.target)?,
            Ok(None) => {
                let what = "it does not exist; apply the manifests first, or name another with --publish-to";
                let command = format!("kubectl get {}", reference.resource());
                state.problems.push(Problem { command, ..reference.problem(what) });
                return Ok(());
            }
            Err(error) => return unreadable(state, reference.to_string(), can_i(reference, "get"), error),
        };
        if found.webhooks.is_empty() {
            let Target { namespace, service, .. } = &self.target;
            state.problems.push(reference.problem(format!(
                "none of its webhooks calls the Service {namespace}/{service}; name the right ones with --service and --publish-to"
            )));
        } else {
            state.configurations.push(found);
        }
        Ok(())
    }

    async fn create_secret(&self, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        let Target { namespace, secret, .. } = &self.target;
        let present = |(key, value): (&str, Option<String>)| Some((key.to_owned(), bytes(value?)));
        let new = Secret {
            metadata: ObjectMeta { name: Some(secret.clone()), ..ObjectMeta::default() },
            type_: Some("Opaque".to_owned()),
            data: Some(change.into_iter().filter_map(present).collect()),
            ..Secret::default()
        };
        let parameters =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let object = self.target.secret();
        match self.secrets().create(&parameters, &new).await {
            // The namespace does not exist, so a retry would fail as well.
            Err(kube::Error::Api(status)) if status.code == 404 => {
                bail!("cannot create {object}: {}\n    kubectl get namespaces {namespace}", status.message)
            }
            written => {
                let remedy = "(the overlay self-managed has it, empty: apply it again)";
                let what = format!("create {object}, which does not exist {remedy}");
                outcome(written, &what, &self.can_i_secret("create"))
            }
        }
    }
}

impl Cluster for KubeCluster {
    async fn read(&mut self) -> anyhow::Result<ClusterState> {
        let mut state = ClusterState::default();
        match self.secrets().get_opt(&self.target.secret).await {
            Ok(secret) => state.secret = secret,
            Err(error) => unreadable(&mut state, self.target.secret(), self.can_i_secret("get"), error)?,
        }
        for reference in &self.target.publish_to {
            self.read_configuration(reference, &mut state).await?;
        }
        Ok(state)
    }

    async fn write(&mut self, seen: Option<&Secret>, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        let Some(seen) = seen else { return self.create_secret(change).await };
        let entry = |(key, value): (&str, Option<String>)| (key.to_owned(), json!(value.map(bytes)));
        let data: Value = change.into_iter().map(entry).collect();
        let patch =
            json!({ "metadata": { "resourceVersion": seen.metadata.resource_version }, "data": data });
        let written = self
            .secrets()
            .patch(&self.target.secret, &PatchParams::apply(FIELD_MANAGER), &Patch::Merge(patch))
            .await;
        outcome(written, &format!("patch {}", self.target.secret()), &self.can_i_secret("patch"))
    }

    async fn publish(&mut self, seen: &Configuration, bundles: &Bundles) -> anyhow::Result<WriteOutcome> {
        let webhook = |(name, bundle): &(String, String)| json!({ "name": name, "clientConfig": { "caBundle": bytes(bundle.clone()) } });
        // A strategic merge patch merges webhooks by name, and so keeps every other field of them.
        let webhooks: Vec<_> = bundles.iter().map(webhook).collect();
        let patch = json!({ "metadata": { "resourceVersion": seen.resource_version }, "webhooks": webhooks });
        let ConfigurationRef { kind, name } = &seen.reference;
        let written = self
            .configurations(kind)
            .patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Strategic(patch))
            .await;
        outcome(written, &format!("patch {}", seen.reference), &can_i(&seen.reference, "patch"))
    }

    async fn wait(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn now(&self) -> UnixTime {
        pki::now()
    }
}

fn bytes(text: String) -> ByteString {
    ByteString(text.into_bytes())
}

fn can_i(reference: &ConfigurationRef, verb: &str) -> String {
    format!("kubectl auth can-i {verb} {}/{}", reference.resource(), reference.name)
}

fn unreadable(
    state: &mut ClusterState,
    object: String,
    command: String,
    error: kube::Error,
) -> anyhow::Result<()> {
    let what = message(error, &format!("read {object}"))?;
    state.unread.push(object.clone());
    state.problems.push(Problem { object, what, command });
    Ok(())
}

/// What the apiserver says about one object; any other error concerns all of them.
fn message(error: kube::Error, what: &str) -> anyhow::Result<String> {
    match error {
        kube::Error::Api(status) => Ok(format!("the apiserver says: {}", status.message)),
        other => Err(anyhow!(other).context(format!("cannot {what}; is the apiserver reachable?"))),
    }
}

/// The outcome of a write; `command` says whether it is allowed.
fn outcome<T>(written: Result<T, kube::Error>, what: &str, command: &str) -> anyhow::Result<WriteOutcome> {
    match written {
        Ok(_) => Ok(WriteOutcome::Done),
        // 409: changed or created since it was read. 404: deleted since.
        Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(WriteOutcome::Conflict),
        Err(error) => bail!("cannot {what}: {}\n    {command}", message(error, what)?),
    }
}

/// The parts of a configuration, with those of its webhooks that call the Service of `target`.
fn configuration(
    mut object: DynamicObject,
    reference: &ConfigurationRef,
    target: &Target,
) -> Result<Configuration, serde_json::Error> {
    // A mutating webhook has these fields as well.
    let webhooks = object.data.get_mut("webhooks").map(Value::take).unwrap_or_default();
    let webhooks: Option<Vec<ValidatingWebhook>> = serde_json::from_value(webhooks)?;
    let annotations = object.metadata.annotations.unwrap_or_default();
    let injector = INJECTORS.iter().find(|it| annotations.contains_key(**it));
    let webhook = |ValidatingWebhook { name, client_config, .. }| {
        let WebhookClientConfig { service, ca_bundle, .. } = client_config;
        service.filter(|it| it.name == target.service && it.namespace == target.namespace)?;
        Some(Webhook { name, bundle: Bundle::read(&ca_bundle.unwrap_or_default().0) })
    };
    Ok(Configuration {
        reference: reference.clone(),
        resource_version: object.metadata.resource_version.unwrap_or_default(),
        injected_by: injector.map(|it| (*it).to_owned()),
        webhooks: webhooks.into_iter().flatten().filter_map(webhook).collect(),
    })
}
