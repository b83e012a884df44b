//! The objects that `certs` reads and writes, in a real cluster or in memory.

use std::fmt;
use std::time::Duration;

use super::keyring::{Data, SecretPatch};
use crate::pki::{Bundle, UnixTime};

/// The kinds of configuration that have a `caBundle` for each webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// `MutatingWebhookConfiguration`
    Mutating,
    /// `ValidatingWebhookConfiguration`
    Validating,
}

/// A webhook configuration by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationRef {
    /// Which kind.
    pub kind: WebhookKind,
    /// Its name; these kinds are cluster-scoped.
    pub name: String,
}

impl WebhookKind {
    /// The kind as manifests spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mutating => "MutatingWebhookConfiguration",
            Self::Validating => "ValidatingWebhookConfiguration",
        }
    }

    /// The resource as kubectl and RBAC spell it.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Mutating => "mutatingwebhookconfigurations",
            Self::Validating => "validatingwebhookconfigurations",
        }
    }
}

impl fmt::Display for ConfigurationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// The objects that belong to the webhook.
#[derive(Clone, Debug)]
pub struct Target {
    /// The namespace of Secret and Service.
    pub namespace: String,
    /// The Secret with the serving certificate.
    pub secret: String,
    /// The Service that the apiserver calls.
    pub service: String,
    /// The configurations that the CA is published to.
    pub configurations: Vec<ConfigurationRef>,
}

impl Target {
    /// The DNS names of the certificate. The apiserver calls the first; the second is for people.
    pub fn names(&self) -> [String; 2] {
        let name = format!("{}.{}.svc", self.service, self.namespace);
        [name.clone(), format!("{name}.cluster.local")]
    }

    /// The Secret, for a sentence.
    pub fn secret(&self) -> String {
        format!("Secret {}/{}", self.namespace, self.secret)
    }

    /// The command that shows the Secret without its values.
    pub fn show_secret(&self) -> String {
        format!("kubectl -n {} describe secret {}", self.namespace, self.secret)
    }
}

impl ConfigurationRef {
    /// The command that shows it.
    pub fn show(&self) -> String {
        format!("kubectl get {} {} -o yaml", self.kind.resource(), self.name)
    }
}

/// The objects as they were read, each at its own moment.
#[derive(Clone, Debug, Default)]
pub struct ClusterState {
    /// The Secret, where it exists.
    pub secret: Option<Secret>,
    /// The configurations that could be read.
    pub configurations: Vec<Configuration>,
    /// Objects that could not be read, or that must not be written to.
    pub problems: Vec<Problem>,
    /// Whether an object could not be read, so that its state is unknown.
    pub unread: bool,
}

impl ClusterState {
    /// The entries of the Secret; none where it does not exist.
    pub fn data(&self) -> &Data {
        static NONE: Data = Data::new();
        self.secret.as_ref().map_or(&NONE, |it| &it.data)
    }
}

/// A Secret.
#[derive(Clone, Debug, Default)]
pub struct Secret {
    /// Its `resourceVersion`.
    pub version: String,
    /// Its entries.
    pub data: Data,
    /// Whether the API rejects every change of it.
    pub immutable: bool,
}

/// A configuration with those of its webhooks that call the Service.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Which one.
    pub reference: ConfigurationRef,
    /// Its `resourceVersion`.
    pub version: String,
    /// The annotation by which another program fills in its `caBundle`.
    pub injected_by: Option<String>,
    /// Its webhooks that call the Service.
    pub webhooks: Vec<Webhook>,
}

/// One webhook of a configuration.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its name, which is the merge key of the list.
    pub name: String,
    /// The CAs it trusts.
    pub bundle: Bundle,
}

/// Something that is wrong with an object, and the command that shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The object.
    pub object: String,
    /// What is wrong with it, and the remedy.
    pub what: String,
    /// The command that shows it.
    pub command: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    {}", self.object, self.what, self.command)
    }
}

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The object is stored.
    Done,
    /// The object has changed since it was read; nothing is stored.
    Conflict,
}

/// A cluster. Every write is conditional on the `resourceVersion` that was read.
pub trait Cluster {
    /// Reads all objects.
    async fn read(&mut self) -> anyhow::Result<ClusterState>;
    /// Patches the Secret, or creates it where none was seen.
    async fn write(&mut self, seen: Option<&Secret>, change: SecretPatch) -> anyhow::Result<WriteOutcome>;
    /// Writes the `caBundle` of these webhooks, given as (name, PEM).
    async fn publish(
        &mut self,
        seen: &Configuration,
        bundles: &[(String, String)],
    ) -> anyhow::Result<WriteOutcome>;
    /// Waits for this long.
    async fn wait(&mut self, time: Duration);
    /// The current time.
    fn now(&self) -> UnixTime;
}
