//! The CNI plugin of whereabouts, run as a container runtime runs it, with its own service account.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::plane::Plane;
use super::process::{Ran, command};
use super::tools::tools;

/// The plugin, as it is installed on every node.
pub struct Plugin {
    kubeconfig: PathBuf,
    flat_file: PathBuf,
    operations: AtomicUsize,
}

/// A secondary network that pods are attached to.
pub struct Network<'a> {
    plugin: &'a Plugin,
    config: Value,
    node: Option<String>,
}

impl Plugin {
    /// Installs it as upstream's manifests do.
    pub fn new(plane: &Plane) -> Self {
        Self::of(plane, "kube-system", "whereabouts")
    }

    /// Installs it in a namespace, with a kubeconfig of a service account as its own installer writes it. What the account
    /// may do is up to the test, unless it is upstream's.
    pub fn of(plane: &Plane, namespace: &str, account: &str) -> Self {
        let token = plane.token(namespace, account);
        let kubeconfig = plane.scratch.join(format!("{namespace}-{account}.kubeconfig"));
        plane.write_kubeconfig_in(namespace, &kubeconfig, &json!({ "token": token }));
        // Without a flat file of ours it would look for one of the machine's.
        let flat_file = plane.scratch.join("whereabouts.conf");
        std::fs::write(&flat_file, "{}").unwrap();
        Self { kubeconfig, flat_file, operations: AtomicUsize::new(0) }
    }

    /// A network called `name` with these settings of `ipam`.
    pub fn network(&self, name: &str, mut ipam: Value) -> Network<'_> {
        ipam["type"] = json!("whereabouts");
        ipam["kubernetes"] = json!({ "kubeconfig": self.kubeconfig });
        ipam["configuration_path"] = json!(self.flat_file);
        let config = json!({ "cniVersion": "1.0.0", "name": name, "type": "bridge", "ipam": ipam });
        Network { plugin: self, config, node: None }
    }

    /// How often it was run.
    pub fn operations(&self) -> usize {
        self.operations.load(Ordering::Relaxed)
    }
}

impl Network<'_> {
    /// The same network on a node, for pools that each belong to one.
    pub fn on_node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// Attaches a container of the pod `default/<pod>`; its addresses with the length of the network's prefix,
    /// or the plugin's error.
    pub fn add(&self, container: &str, pod: &str) -> Result<Vec<IpNet>, String> {
        let ran = self.run("ADD", container, pod);
        let answer: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
        if ran.code != 0 {
            return Err(answer["msg"].as_str().unwrap_or(&ran.stdout).to_owned());
        }
        let ips = answer["ips"].as_array().unwrap();
        Ok(ips.iter().map(|ip| ip["address"].as_str().unwrap().parse().unwrap()).collect())
    }

    /// Detaches it. The plugin calls this a success whatever happens: look at the pool.
    pub fn del(&self, container: &str, pod: &str) {
        let ran = self.run("DEL", container, pod);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }

    fn run(&self, verb: &str, container: &str, pod: &str) -> Ran {
        self.plugin.operations.fetch_add(1, Ordering::Relaxed);
        let mut command = command(&tools().whereabouts);
        let pod = format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}");
        let environment = HashMap::from([
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", container),
            ("CNI_IFNAME", "net1"),
            // Neither is looked into, but both must be set.
            ("CNI_PATH", "/nonexistent"),
            ("CNI_NETNS", "/run/netns/nonexistent"),
            ("CNI_ARGS", &pod),
        ]);
        command.envs(environment);
        if let Some(node) = &self.node {
            command.env("NODENAME", node);
        }
        Ran::of(command, &self.config.to_string())
    }
}
