//! The objects of one kind in a file.

use std::rc::Rc;

use super::kubectl_yaml::{self, Node, Value, YamlError};
use crate::kinds::Kind;
use crate::output::{Notification, ObjectName};

#[derive(Debug, Default)]
pub struct Manifests {
    /// The documents so far; empty ones do not count.
    documents: usize,
    /// In the order of the file.
    pub objects: Vec<Manifest>,
    pub skipped: usize,
    /// What could not be read, and notes.
    pub notifications: Vec<Notification>,
}

#[derive(Debug)]
pub struct Manifest {
    /// The number of its document, from 1.
    pub document: usize,
    pub node: Rc<Node>,
    pub json: String,
    pub name: ObjectName,
}

impl Manifests {
    /// Reads the file called `file`. A document that cannot be read does not hide the others.
    pub fn read<K: Kind>(file: &str, text: &str) -> Self {
        let mut manifests = Self::default();
        kubectl_yaml::read(text, |read| match read {
            Ok(node) => {
                manifests.documents += 1;
                manifests.classify::<K>(file, &node, None);
            }
            Err(YamlError { line, why }) => {
                let why = format!("cannot be parsed: {why}");
                manifests.notifications.push(Notification::error(file, Some(line), why));
            }
        });
        manifests
    }

    /// Classifies one object; descends into lists. `inherited` is the kind of an item that has none itself.
    fn classify<K: Kind>(&mut self, file: &str, node: &Rc<Node>, inherited: Option<&TypeMeta>) {
        let kind = TypeMeta::of(node).or_else(|| inherited.cloned()).unwrap_or_default();
        if let (Some(items), Some(item_kind)) = (items(node), kind.of_items()) {
            for item in items {
                self.classify::<K>(file, item, Some(&item_kind));
            }
        } else if kind.is::<K>() {
            self.add(file, node);
        } else {
            self.skipped += 1;
            if let Some(why) = kind.is_almost::<K>() {
                self.notifications.push(Notification::note(file, Some(node.span.line), why));
            }
        }
    }

    fn add(&mut self, file: &str, node: &Rc<Node>) {
        match serde_json::to_string(&**node) {
            Ok(json) => {
                let metadata = node.entry("metadata").map(|entry| &entry.value);
                let text = |key| metadata.and_then(|it| it.text_at(key)).unwrap_or_default().to_owned();
                let document = self.documents;
                let name = ObjectName { namespace: text("namespace"), name: text("name") };
                self.objects.push(Manifest { document, node: Rc::clone(node), json, name });
            }
            Err(error) => {
                let why = format!("cannot be written as JSON: {error}");
                self.notifications.push(Notification::error(file, Some(node.span.line), why));
            }
        }
    }
}

/// `apiVersion` and `kind`, either possibly empty.
#[derive(Clone, Debug, Default)]
struct TypeMeta {
    api_version: String,
    kind: String,
}

impl TypeMeta {
    /// The kind of an object; `None` where it has neither field.
    fn of(node: &Node) -> Option<Self> {
        let text = |key| node.text_at(key).unwrap_or_default().to_owned();
        let kind = Self { api_version: text("apiVersion"), kind: text("kind") };
        (!kind.api_version.is_empty() || !kind.kind.is_empty()).then_some(kind)
    }

    /// The kind of the items of this list, where they have none themselves.
    fn of_items(&self) -> Option<Self> {
        let kind = self.kind.strip_suffix("List")?.to_owned();
        Some(Self { api_version: self.api_version.clone(), kind })
    }

    fn is<K: Kind>(&self) -> bool {
        self.kind == K::KIND && self.api_version.split_once('/') == Some((K::GROUP, K::VERSION))
    }

    /// Why it is not of this kind although it has the name. Calico has an IPPool as well, which is not a mistake.
    fn is_almost<K: Kind>(&self) -> Option<String> {
        let (kind, right) = (K::KIND, format!("{}/{}", K::GROUP, K::VERSION));
        match self.api_version.as_str() {
            _ if self.kind != kind => None,
            "" => Some(format!("skipped: kind {kind} without apiVersion; whereabouts' is {right}")),
            other if other.split('/').next() == Some(K::GROUP) => {
                Some(format!("skipped: {kind} of {other}, which does not exist; it is {right}"))
            }
            _ => None,
        }
    }
}

fn items(node: &Node) -> Option<&[Rc<Node>]> {
    match &node.entry("items")?.value.value {
        Value::List(items) => Some(items),
        _ => None,
    }
}
