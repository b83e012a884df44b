//! The objects of the cluster that a self-check compares.

use std::collections::BTreeSet;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client};
use serde_json::Value;

use crate::audit::collect::ObjectKind;
use crate::audit::live::list::PAGE_OBJECTS;
use crate::audit::live::{Resource, Scope};
use crate::audit::projection::Projection;
use crate::certs::{MUTATING, VALIDATING};
use crate::kinds::ippool::cluster::runs_whereabouts;
use crate::policy::Policy;

const KINDS: [&str; 2] = [MUTATING, VALIDATING];

/// The objects that were read, as JSON.
#[derive(Debug, Default)]
pub struct Objects {
    /// The webhook configurations, of both kinds.
    pub configurations: Vec<Value>,
    /// The ConfigMaps with a policy that the Deployment of the webhook mounts.
    policies: Vec<String>,
    /// The Secret with the certificate that it mounts.
    pub secret: Option<String>,
    /// The user names of service accounts under which whereabouts runs.
    pub accounts: BTreeSet<String>,
    /// The field managers of pools.
    pub managers: BTreeSet<String>,
    /// The kind of configuration that could not be read.
    pub unread: Option<&'static str>,
    /// What could not be read, and why.
    pub not_read: Vec<String>,
}

impl Objects {
    /// Reads the objects.
    ///
    /// # Errors
    /// If no webhook configuration can be read. Nothing can be checked then.
    pub async fn read(client: &Client) -> anyhow::Result<Self> {
        let mut objects = Self::default();
        for kind in KINDS {
            match objects.read_configurations(client, kind).await {
                Ok(()) => {}
                Err(error) if objects.unread.is_none() => {
                    objects.unread = Some(kind);
                    objects.not_read.push(format!("{kind}s: {error}"));
                }
                Err(error) => anyhow::bail!("nothing can be read: {kind}s: {error}"),
            }
        }
        objects.read_accounts(client).await;
        objects.read_managers(client).await;
        objects.read_deployment(client).await;
        Ok(objects)
    }

    async fn read_configurations(&mut self, client: &Client, kind: &str) -> kube::Result<()> {
        let resource = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
        let api = Api::<DynamicObject>::all_with(client.clone(), &ApiResource::from_gvk(&resource));
        let mut objects = Vec::new();
        list(&api, |it| objects.push(it)).await?;
        for mut object in objects {
            object.types.get_or_insert_default().kind = kind.to_owned();
            self.configurations.push(serde_json::to_value(object).map_err(kube::Error::SerdeError)?);
        }
        Ok(())
    }

    /// The policy of the Deployment.
    pub fn policy(&self) -> Result<Policy, String> {
        let text = self.policies.first().ok_or("no policy was found; name the file with --policy")?;
        serde_saphyr::from_str(text)
            .map_err(|error| format!("the policy in the cluster cannot be read: {error}"))
    }

    async fn read_accounts(&mut self, client: &Client) {
        let pods = Resource::of(ObjectKind::Pod, &Scope::All).watchable(client);
        let mut accounts = BTreeSet::new();
        let each = |pod: Projection| {
            if runs_whereabouts(&pod.json) {
                accounts.extend(serde_json::from_str(&pod.json).ok().as_ref().and_then(account));
            }
        };
        match list(&pods, each).await {
            Ok(()) => self.accounts = accounts,
            Err(error) => self.not_read.push(format!("the accounts of whereabouts: {error}")),
        }
    }

    async fn read_managers(&mut self, client: &Client) {
        let pools = Resource::of(ObjectKind::Pool, &Scope::All).watchable(client);
        let mut names = BTreeSet::new();
        let each = |pool: Projection| {
            names.extend(serde_json::from_str(&pool.json).ok().as_ref().map(managers).unwrap_or_default());
        };
        match list(&pools, each).await {
            Ok(()) => self.managers = names,
            Err(error) => self.not_read.push(format!("who wrote pools: {error}")),
        }
    }

    /// The Secret and the policies that the pods of the Service mount.
    async fn read_deployment(&mut self, client: &Client) {
        let Some((namespace, service)) = super::registration::service(&self.configurations) else { return };
        let api = |group: &str, kind: &str| -> Api<DynamicObject> {
            let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
            Api::namespaced_with(client.clone(), &namespace, &kind)
        };
        let read = async {
            let selector = api("", "Service").get(&service).await?.data["spec"]["selector"].clone();
            let mut deployments = Vec::new();
            list(&api("apps", "Deployment"), |it| deployments.push(it)).await?;
            let templates = deployments.iter().filter_map(|it| it.data.pointer("/spec/template"));
            let selected = templates.filter(|it| selects(&selector, &it["metadata"]["labels"]));
            let volumes: Vec<_> =
                selected.filter_map(|it| it.pointer("/spec/volumes")?.as_array()).flatten().collect();
            let names = |pointer| volumes.iter().filter_map(move |it| it.pointer(pointer)?.as_str());
            self.secret = names("/secret/secretName").next().map(str::to_owned);
            for name in names("/configMap/name") {
                let map = api("", "ConfigMap").get(name).await?;
                let policy = map.data.pointer("/data/policy.yaml").and_then(Value::as_str);
                self.policies.extend(policy.map(str::to_owned));
            }
            Ok::<_, kube::Error>(())
        };
        if let Err(error) = read.await {
            self.not_read.push(format!("what the pods of the Service {namespace}/{service} mount: {error}"));
        }
    }
}

/// Whether a selector of a Service selects pods with these labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().filter(|selector| !selector.is_empty());
    selector.is_some_and(|selector| selector.iter().all(|(key, value)| labels[key] == *value))
}

/// Passes on all objects, page by page: there may be many pods.
async fn list<K>(api: &Api<K>, each: impl FnMut(K)) -> kube::Result<()>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let (mut each, mut parameters) = (each, ListParams::default().limit(PAGE_OBJECTS));
    loop {
        let page = api.list(&parameters).await?;
        page.items.into_iter().for_each(&mut each);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// The user name of the service account of a pod.
fn account(pod: &Value) -> Option<String> {
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str);
    let account = text("/spec/serviceAccountName").unwrap_or("default");
    Some(format!("system:serviceaccount:{}:{account}", text("/metadata/namespace")?))
}

fn managers(pool: &Value) -> Vec<String> {
    let managers = pool.pointer("/metadata/managedFields").and_then(Value::as_array);
    let name = |it: &Value| Some(it.get("manager")?.as_str()?.to_owned());
    managers.into_iter().flatten().filter_map(name).collect()
}
