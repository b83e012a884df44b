//! The objects of the cluster that a self-check compares.

use std::collections::BTreeSet;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client};
use serde_json::Value;

use crate::audit::collect::ObjectKind;
use crate::audit::live::{Resource, Scope};
use crate::audit::projection::Projection;
use crate::kinds::ippool::cluster::runs_whereabouts;
use crate::policy::Policy;

/// The objects of a page.
const PAGE: u32 = 500;

/// What was read, as JSON.
#[derive(Debug, Default)]
pub struct Objects {
    /// The webhook configurations, of both kinds.
    pub configurations: Vec<Value>,
    /// The ConfigMaps with a policy that the Deployment of the webhook mounts.
    policies: Vec<String>,
    /// The user names of service accounts under which whereabouts runs.
    pub accounts: BTreeSet<String>,
    /// The field managers of pools.
    pub managers: BTreeSet<String>,
    /// What could not be read, and why.
    pub not_read: Vec<String>,
}

impl Objects {
    /// Reads them.
    ///
    /// # Errors
    /// Where no webhook configuration can be read: then nothing can be checked.
    pub async fn read(client: &Client) -> anyhow::Result<Self> {
        let mut objects = Self::default();
        for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
            let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
            let listed =
                list(&Api::<DynamicObject>::all_with(client.clone(), &ApiResource::from_gvk(&kind))).await?;
            for mut object in listed {
                object.types.get_or_insert_default().kind.clone_from(&kind.kind);
                objects.configurations.push(serde_json::to_value(object)?);
            }
        }
        objects.read_accounts(client).await;
        objects.read_managers(client).await;
        objects.read_policies(client).await;
        Ok(objects)
    }

    /// The policy of the Deployment.
    pub fn policy(&self) -> Result<Policy, String> {
        let text = self.policies.first().ok_or("no policy was found; name the file with --policy")?;
        serde_saphyr::from_str(text)
            .map_err(|error| format!("the policy in the cluster cannot be read: {error}"))
    }

    async fn read_accounts(&mut self, client: &Client) {
        match list(&Resource::of(ObjectKind::Pod, &Scope::All).watchable(client)).await {
            Err(error) => self.not_read.push(format!("the accounts of whereabouts: {error}")),
            Ok(pods) => {
                let pods = pods.iter().filter(|pod| runs_whereabouts(&pod.json));
                self.accounts =
                    pods.filter_map(|pod| account(&serde_json::from_str(&pod.json).ok()?)).collect();
            }
        }
    }

    async fn read_managers(&mut self, client: &Client) {
        match list::<Projection>(&Resource::of(ObjectKind::Pool, &Scope::All).watchable(client)).await {
            Err(error) => self.not_read.push(format!("who wrote pools: {error}")),
            Ok(pools) => {
                let pools = pools.iter().filter_map(|pool| serde_json::from_str::<Value>(&pool.json).ok());
                self.managers = pools.flat_map(|pool| managers(&pool)).collect();
            }
        }
    }

    /// The policies that the Deployments behind the Service mount.
    async fn read_policies(&mut self, client: &Client) {
        let Some((namespace, service)) = super::registration::service(&self.configurations) else { return };
        let api = |group: &str, kind: &str| -> Api<DynamicObject> {
            let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
            Api::namespaced_with(client.clone(), &namespace, &kind)
        };
        let read = async {
            let deployment = api("apps", "Deployment").get(&service).await?;
            let volumes = deployment.data.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
            let names =
                volumes.into_iter().flatten().filter_map(|it| it.pointer("/configMap/name")?.as_str());
            for name in names {
                let map = api("", "ConfigMap").get(name).await?;
                let policy = map.data.pointer("/data/policy.yaml").and_then(Value::as_str);
                self.policies.extend(policy.map(str::to_owned));
            }
            Ok::<_, kube::Error>(())
        };
        if let Err(error) = read.await {
            self.not_read.push(format!("the policy of the Deployment {namespace}/{service}: {error}"));
        }
    }
}

/// All objects, page by page.
async fn list<K>(api: &Api<K>) -> kube::Result<Vec<K>>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let (mut objects, mut parameters) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let page = api.list(&parameters).await?;
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(objects),
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
