//! A stand-in for an apiserver with objects, and audits of it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::apiserver::{kubeconfig, start_with_queries};

use crate::cli_support::{Program, program};
use crate::objects::Audit;

/// Answers to the lists of each kind, in place of the objects.
pub type Answers = BTreeMap<&'static str, Vec<(u16, Value)>>;

/// A cluster with objects.
pub struct Cluster {
    folder: TempDir,
    /// What was asked for, with the query.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Cluster {
    pub fn of(objects: &[Value]) -> Self {
        Self::answering(objects, BTreeMap::new())
    }

    /// One that first gives these answers to lists of a resource, one after the other.
    pub fn answering(objects: &[Value], answers: Answers) -> Self {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (asked, answers, objects) = (Arc::clone(&requests), Mutex::new(answers), objects.to_vec());
        let address = start_with_queries(move |method, target, _| {
            assert_eq!(method, "get");
            asked.lock().unwrap().push(target.to_owned());
            let (path, query) = target.split_once('?').unwrap();
            let resource = path.rsplit('/').next().unwrap();
            match answers.lock().unwrap().get_mut(resource) {
                Some(answers) if !answers.is_empty() => answers.remove(0),
                _ => (200, list(&objects, path, query)),
            }
        });
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kubeconfig"), kubeconfig(&format!("http://{address}"))).unwrap();
        Self { folder, requests }
    }

    pub fn audit(&self, arguments: &[&str]) -> Audit {
        let run = program(&["audit", "--format=json", "--kubeconfig=kubeconfig"]).in_dir(self.folder.path());
        let run = arguments.iter().fold(run, Program::arg).run();
        Audit {
            report: serde_json::from_str(&run.stdout).unwrap_or_default(),
            stderr: run.stderr,
            code: run.code,
        }
    }

    /// The requests for a resource.
    pub fn asked(&self, resource: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|it| it.contains(&format!("/{resource}?"))).cloned().collect()
    }
}

/// A page of a list, as an apiserver writes it: the items do not say what they are.
pub fn list(objects: &[Value], path: &str, query: &str) -> Value {
    let resource = path.rsplit('/').next().unwrap();
    let kind = match resource {
        "ippools" => "IPPool",
        "overlappingrangeipreservations" => "OverlappingRangeIPReservation",
        "network-attachment-definitions" => "NetworkAttachmentDefinition",
        "nodeslicepools" => "NodeSlicePool",
        "pods" => "Pod",
        _ => "Node",
    };
    let namespace = path.split("/namespaces/").nth(1).map(|rest| rest.split('/').next().unwrap());
    let is_listed = |it: &&Value| {
        it["kind"] == kind && namespace.is_none_or(|namespace| it["metadata"]["namespace"] == namespace)
    };
    let all: Vec<_> = objects.iter().filter(is_listed).cloned().collect();
    let parameter = |name: &str| query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
    let (limit, start) = (parameter("limit").unwrap(), parameter("continue").unwrap());
    let (limit, start): (usize, usize) = (limit.parse().unwrap(), start.parse().unwrap_or(0));
    let end = all.len().min(start + limit);
    let next = if end < all.len() { end.to_string() } else { String::new() };
    let items: Vec<_> = all[start..end]
        .iter()
        .map(|it| {
            let mut item = it.clone();
            item.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
            item
        })
        .collect();
    json!({ "kind": format!("{kind}List"), "apiVersion": "v1", "metadata": { "continue": next }, "items": items })
}
