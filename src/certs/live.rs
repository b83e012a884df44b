//! A real cluster, through its API: `get` and `patch` of the named objects, `create` of an absent Secret.

mod object;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use k8s_openapi::ByteString;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use super::certificate::{self, Seconds};
use super::cluster::{Cluster, Configuration, Kind, Observed, Problem, Reference, Secret, Target, Written};
use super::keyring::Change;

/// Who wrote it, in `managedFields`.
const FIELD_MANAGER: &str = "ippool-webhook-certs";
/// A call to the API; it answers in milliseconds or is in trouble.
const PATIENCE: Duration = Duration::from_secs(15);
/// The objects of one webhook in one cluster.
pub struct Live {
    client: Client,
    target: Target,
}

impl Live {
    /// Finds the cluster: of `kubeconfig` and `context` where they are given, else as kubectl does, else the
    /// one this runs in.
    ///
    /// # Errors
    ///
    /// When there is no such cluster, or its configuration cannot be used.
    pub async fn connect(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
        target: Target,
    ) -> anyhow::Result<Self> {
        let mut config = config(kubeconfig, context).await?;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        config.write_timeout = Some(PATIENCE);
        let client = Client::try_from(config).context("the configuration of the cluster cannot be used")?;
        Ok(Self { client, target })
    }

    fn secrets(&self) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret"));
        Api::namespaced_with(self.client.clone(), &self.target.namespace, &kind)
    }

    fn configurations(&self, kind: Kind) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind.as_str());
        Api::all_with(self.client.clone(), &ApiResource::from_gvk(&kind))
    }

    /// The command that says whether a verb is allowed on the Secret.
    fn may_secret(&self, verb: &str) -> String {
        let Target { namespace, secret, .. } = &self.target;
        format!("kubectl auth can-i {verb} secrets/{secret} -n {namespace}")
    }

    async fn secret(&self, observed: &mut Observed) -> anyhow::Result<()> {
        match self.secrets().get_opt(&self.target.secret).await {
            Ok(secret) => observed.secret = secret.map(object::secret).transpose()?,
            Err(error) => {
                let object = self.target.secret();
                observed.unread = true;
                observed.problems.push(unreadable(object, self.may_secret("get"), error)?);
            }
        }
        Ok(())
    }

    async fn configuration(&self, reference: &Reference, observed: &mut Observed) -> anyhow::Result<()> {
        match self.configurations(reference.kind).get_opt(&reference.name).await {
            Ok(Some(found)) => {
                let configuration = object::configuration(found, reference, &self.target)?;
                if configuration.webhooks.is_empty() {
                    observed.problems.push(self.calls_nobody(reference));
                } else {
                    observed.configurations.push(configuration);
                }
            }
            Ok(None) => observed.problems.push(missing(reference)),
            Err(error) => {
                let command = may(reference, "get");
                observed.unread = true;
                observed.problems.push(unreadable(reference.to_string(), command, error)?);
            }
        }
        Ok(())
    }

    async fn patch_secret(&self, patch: Value) -> anyhow::Result<Written> {
        let written = self.secrets().patch(&self.target.secret, &patching(), &Patch::Merge(patch)).await;
        outcome(written, || (format!("patch {}", self.target.secret()), self.may_secret("patch")))
    }

    async fn create_secret(&self, data: Value) -> anyhow::Result<Written> {
        let Target { namespace, secret, .. } = &self.target;
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": secret }, "type": "Opaque", "data": data,
        });
        let parameters =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.secrets().create(&parameters, &serde_json::from_value(object)?).await {
            // Its namespace is not there; nothing will come of looking again.
            Err(kube::Error::Api(status)) if status.code == 404 => {
                bail!(
                    "cannot create {}: {}\n    kubectl get namespaces {namespace}",
                    self.target.secret(),
                    status.message
                )
            }
            written => outcome(written, || {
                let what = format!(
                    "create {}, which is not there (the overlay self-managed has it, empty: apply it again)",
                    self.target.secret()
                );
                (what, self.may_secret("create"))
            }),
        }
    }

    fn calls_nobody(&self, reference: &Reference) -> Problem {
        let Target { namespace, service, .. } = &self.target;
        Problem {
            object: reference.to_string(),
            what: format!(
                "none of its webhooks calls the Service {namespace}/{service}; name the right ones with --service and --publish-to"
            ),
            command: reference.show(),
        }
    }
}

impl Cluster for Live {
    async fn read(&mut self) -> anyhow::Result<Observed> {
        let mut observed = Observed::default();
        self.secret(&mut observed).await?;
        for reference in &self.target.configurations {
            self.configuration(reference, &mut observed).await?;
        }
        Ok(observed)
    }

    async fn write(&mut self, seen: Option<&Secret>, change: Change) -> anyhow::Result<Written> {
        let data = |value: Option<String>| value.map(|it| ByteString(it.into_bytes()));
        let data: Value =
            change.into_iter().map(|(key, value)| (key.to_owned(), json!(data(value)))).collect();
        match seen {
            Some(seen) => {
                let patch = json!({ "metadata": { "resourceVersion": seen.version }, "data": data });
                self.patch_secret(patch).await
            }
            None => self.create_secret(data).await,
        }
    }

    async fn publish(
        &mut self,
        seen: &Configuration,
        bundles: &[(String, String)],
    ) -> anyhow::Result<Written> {
        let webhook = |(name, bundle): &(String, String)| {
            let bundle = ByteString(bundle.clone().into_bytes());
            json!({ "name": name, "clientConfig": { "caBundle": bundle } })
        };
        // Strategic: lists of webhooks are merged by name, so that nothing else of them is touched.
        let webhooks: Vec<_> = bundles.iter().map(webhook).collect();
        let patch = json!({ "metadata": { "resourceVersion": seen.version }, "webhooks": webhooks });
        let Reference { kind, name } = &seen.reference;
        let patch = Patch::Strategic(patch);
        let written = self.configurations(*kind).patch(name, &patching(), &patch).await;
        outcome(written, || (format!("patch {}", seen.reference), may(&seen.reference, "patch")))
    }

    async fn wait(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn now(&self) -> Seconds {
        certificate::now()
    }
}

/// Each error says all of its causes already.
async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| anyhow!("--kubeconfig: {error}"))?;
            let config = Config::from_custom_kubeconfig(file, &options).await;
            config.map_err(|error| anyhow!("--kubeconfig {}: {error}", path.display()))
        }
        None if context.is_some() => {
            let config = Config::from_kubeconfig(&options).await;
            config.map_err(|error| anyhow!("the kubeconfig cannot be used with --context: {error}"))
        }
        None => Config::infer().await.map_err(|error| {
            anyhow!(
                "no cluster is configured: give --kubeconfig or KUBECONFIG, or run this in a pod with a service \
                 account ({error})"
            )
        }),
    }
}

fn patching() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn missing(reference: &Reference) -> Problem {
    Problem {
        object: reference.to_string(),
        what: "it is not there; apply the manifests first, or name another with --publish-to".to_owned(),
        command: format!("kubectl get {}", reference.kind.resource()),
    }
}

fn may(reference: &Reference, verb: &str) -> String {
    format!("kubectl auth can-i {verb} {}/{}", reference.kind.resource(), reference.name)
}

/// A refusal of the apiserver is about this object; any other failure is about all of them.
fn unreadable(object: String, command: String, error: kube::Error) -> anyhow::Result<Problem> {
    match error {
        kube::Error::Api(status) => {
            Ok(Problem { object, what: format!("the apiserver says: {}", status.message), command })
        }
        other => Err(anyhow!(other).context(format!("cannot read {object}; is the apiserver reachable?"))),
    }
}

/// What became of a write. `what` names it and the command that says whether it is allowed.
fn outcome(
    written: Result<DynamicObject, kube::Error>,
    what: impl FnOnce() -> (String, String),
) -> anyhow::Result<Written> {
    let error = match written {
        Ok(_) => return Ok(Written::Done),
        // 409: changed, or made, since it was read. 404: deleted since.
        Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => return Ok(Written::Conflict),
        Err(error) => error,
    };
    let (what, command) = what();
    match error {
        kube::Error::Api(status) => {
            Err(anyhow!("cannot {what}: the apiserver says: {}\n    {command}", status.message))
        }
        other => Err(anyhow!(other).context(format!("cannot {what}; is the apiserver reachable?"))),
    }
}
