//! What `certs` reads and writes, whoever holds it: a cluster, or the rehearsal of one.

use std::fmt;
use std::time::Duration;

use super::certificate::{Bundle, Seconds};
use super::keyring::{Change, Data};

/// The kinds of configuration that have a `caBundle` for each webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `MutatingWebhookConfiguration`
    Mutating,
    /// `ValidatingWebhookConfiguration`
    Validating,
}

/// One of them by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Which kind.
    pub kind: Kind,
    /// Its name; they are not in a namespace.
    pub name: String,
}

impl Kind {
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

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// Which objects belong to the webhook.
#[derive(Clone, Debug)]
pub struct Target {
    /// The namespace of Secret and Service.
    pub namespace: String,
    /// The Secret with the serving certificate.
    pub secret: String,
    /// The Service that the apiserver calls.
    pub service: String,
    /// Where the authority is published.
    pub configurations: Vec<Reference>,
}

impl Target {
    /// The names the certificate is for. The apiserver calls the first; the second is for people.
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

impl Reference {
    /// The command that shows it.
    pub fn show(&self) -> String {
        format!("kubectl get {} {} -o yaml", self.kind.resource(), self.name)
    }
}

/// What there is, as of one moment for each object.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The Secret, where it is there.
    pub secret: Option<Secret>,
    /// The configurations that could be read.
    pub configurations: Vec<Configuration>,
    /// What could not be read, or is not fit to be written to.
    pub problems: Vec<Problem>,
    /// Whether something could not be read, so that nothing can be said of it.
    pub unread: bool,
}

impl Observed {
    /// The entries of the Secret; none where it is not there.
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
    /// Whether it can never be changed.
    pub immutable: bool,
}

/// A configuration, as far as it calls the Service.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Which one.
    pub reference: Reference,
    /// Its `resourceVersion`.
    pub version: String,
    /// The annotation by which somebody else fills in its `caBundle`.
    pub injected_by: Option<String>,
    /// Its webhooks that call the Service.
    pub webhooks: Vec<Webhook>,
}

/// One webhook of a configuration.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its name, by which the list is merged.
    pub name: String,
    /// Whom it trusts.
    pub bundle: Bundle,
}

/// Something that is not as it should be: where, what, and how to see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The object.
    pub object: String,
    /// What is wrong with it, and what would be right.
    pub what: String,
    /// The command that shows it.
    pub command: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    {}", self.object, self.what, self.command)
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Done,
    /// Somebody else wrote first; nothing is stored.
    Conflict,
}

/// Where it is read from and written to. Every write holds only if the object is still as it was seen.
pub trait Cluster {
    /// Reads all of it.
    async fn read(&mut self) -> anyhow::Result<Observed>;
    /// Changes entries of the Secret, or makes it with them where none was seen.
    async fn write(&mut self, seen: Option<&Secret>, change: Change) -> anyhow::Result<Written>;
    /// Writes the `caBundle` (PEM) of the webhooks named.
    async fn publish(
        &mut self,
        seen: &Configuration,
        bundles: &[(String, String)],
    ) -> anyhow::Result<Written>;
    /// Waits.
    async fn wait(&mut self, time: Duration);
    /// The current time.
    fn now(&self) -> Seconds;
}
