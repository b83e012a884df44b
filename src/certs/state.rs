//! The objects that `certs` reads and writes, in a real cluster or in memory.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::core::v1::Secret;
use serde::Serialize;

use super::keyring::{Data, SecretPatch};
use crate::pki::{Bundle, UnixTime};

/// The kinds of webhook configurations.
pub const MUTATING: &str = "MutatingWebhookConfiguration";
pub const VALIDATING: &str = "ValidatingWebhookConfiguration";

/// A webhook configuration by name; these kinds are cluster-scoped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationRef {
    /// The kind as manifests spell it.
    pub kind: &'static str,
    pub name: String,
}

impl FromStr for ConfigurationRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        let kind = match kind {
            "mutating" => MUTATING,
            "validating" => VALIDATING,
            _ => return Err("write mutating/NAME or validating/NAME".to_owned()),
        };
        if name.is_empty() {
            return Err("a name is missing after the slash".to_owned());
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl fmt::Display for ConfigurationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The objects that belong to the webhook.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// Namespace of the Secret and the Service
    #[arg(long, value_name = "NAME", env = "IPPOOL_WEBHOOK_NAMESPACE", default_value = "ippool-webhook")]
    pub namespace: String,

    /// Secret that holds the certificate
    #[arg(long, value_name = "NAME", env = "IPPOOL_WEBHOOK_SECRET", default_value = "ippool-webhook-tls")]
    pub secret: String,

    /// Service that the apiserver calls; the certificate is for NAME.NAMESPACE.svc
    #[arg(long, value_name = "NAME", env = "IPPOOL_WEBHOOK_SERVICE", default_value = "ippool-webhook")]
    pub service: String,

    /// Webhook configurations that trust the CA: mutating/NAME or validating/NAME; may be repeated
    #[arg(
        long,
        value_name = "KIND/NAME",
        env = "IPPOOL_WEBHOOK_PUBLISH_TO",
        value_delimiter = ',',
        default_value = "mutating/ippool-webhook,validating/ippool-webhook"
    )]
    pub publish_to: Vec<ConfigurationRef>,
}

impl Target {
    /// The DNS names of the certificate. The apiserver calls the first; the second is for people.
    pub fn names(&self) -> [String; 2] {
        let name = format!("{}.{}.svc", self.service, self.namespace);
        [name.clone(), format!("{name}.cluster.local")]
    }

    pub fn secret(&self) -> String {
        format!("Secret {}/{}", self.namespace, self.secret)
    }

    /// A problem with the Secret; the command shows it without its values.
    pub fn problem(&self, what: impl Into<String>) -> Problem {
        let command = format!("kubectl -n {} describe secret {}", self.namespace, self.secret);
        Problem { object: self.secret(), what: what.into(), command }
    }
}

impl ConfigurationRef {
    /// The resource as kubectl and RBAC spell it.
    pub fn resource(&self) -> String {
        format!("{}s", self.kind.to_ascii_lowercase())
    }

    pub fn show(&self) -> String {
        format!("kubectl get {} {} -o yaml", self.resource(), self.name)
    }

    /// A problem with it.
    pub fn problem(&self, what: impl Into<String>) -> Problem {
        Problem { object: self.to_string(), what: what.into(), command: self.show() }
    }
}

/// The objects as they were read, each at its own moment.
#[derive(Clone, Debug, Default)]
pub struct ClusterState {
    pub secret: Option<Secret>,
    pub configurations: Vec<Configuration>,
    /// Objects that could not be read, or that must not be written to.
    pub problems: Vec<Problem>,
    /// The objects that could not be read, so that their state is unknown. Each has one problem, which says why.
    pub unread: Vec<String>,
}

impl ClusterState {
    /// The entries of the Secret; none where it does not exist.
    pub fn data(&self) -> &Data {
        static NONE: Data = Data::new();
        self.secret.as_ref().and_then(|it| it.data.as_ref()).unwrap_or(&NONE)
    }
}

/// A configuration with those of its webhooks that call the Service.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub reference: ConfigurationRef,
    pub resource_version: String,
    /// The annotation by which another program fills in its `caBundle`.
    pub injected_by: Option<String>,
    /// Its webhooks that call the Service.
    pub webhooks: Vec<Webhook>,
}

#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its name, which is the merge key of the list.
    pub name: String,
    pub bundle: Bundle,
}

/// The names of webhooks, each with its new `caBundle` as PEM.
pub type Bundles = [(String, String)];

/// Something that is wrong with an object, and the command that shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    pub object: String,
    /// What is wrong with it, and the remedy.
    pub what: String,
    pub command: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    {}", self.object, self.what, self.command)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    Done,
    /// The object has changed since it was read; nothing is stored.
    Conflict,
}

/// A cluster. Every write is conditional on the `resourceVersion` that was read.
pub trait Cluster {
    async fn read(&mut self) -> anyhow::Result<ClusterState>;
    /// Patches the Secret, or creates it where none was seen.
    async fn write(&mut self, seen: Option<&Secret>, change: SecretPatch) -> anyhow::Result<WriteOutcome>;
    /// Writes the `caBundle` of these webhooks.
    async fn publish(&mut self, seen: &Configuration, bundles: &Bundles) -> anyhow::Result<WriteOutcome>;
    async fn wait(&mut self, time: Duration);
    fn now(&self) -> UnixTime;
}
