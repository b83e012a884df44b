//! The IPPools of one file.

use std::rc::Rc;

use super::node::{Node, Value};
use super::source::Trouble;
use super::split::split;
use super::yaml;
use crate::pool::{GROUP, KIND, VERSION};

/// What a file holds.
#[derive(Debug, Default)]
pub struct Manifests {
    /// The pools, in the order of the file.
    pub pools: Vec<PoolManifest>,
    /// How many objects are something else.
    pub skipped: usize,
    /// What could not be read, and what its owner should know.
    pub troubles: Vec<Trouble>,
}

/// One IPPool of a file.
#[derive(Debug)]
pub struct PoolManifest {
    /// The document it stands in, from 1; empty documents do not count.
    pub document: usize,
    /// The object.
    pub node: Rc<Node>,
    /// The object as JSON.
    pub json: String,
}

impl Manifests {
    /// Reads the file called `file`. A document that cannot be read is a trouble; the others are read.
    pub fn read(file: &str, text: &str) -> Self {
        let mut manifests = Self::default();
        let (mut document, mut budget) = (0, yaml::Budget::default());
        for chunk in split(text) {
            let read = yaml::read(&chunk, &mut budget, |node| {
                document += 1;
                manifests.sort_out(file, document, &node, None);
            });
            if let Err(error) = read {
                let why = format!("cannot be parsed: {}", error.why);
                manifests.troubles.push(Trouble::error(file, Some(error.line), why));
                // The rest of the file could only say the same again.
                if budget.is_spent() {
                    break;
                }
            }
        }
        manifests
    }

    /// Files an object under what it is; lists are opened. `of_list` is the kind of the items of the list
    /// it came in, which stands for its own where it has none.
    fn sort_out(&mut self, file: &str, document: usize, node: &Rc<Node>, of_list: Option<&Kind>) {
        let kind = Kind::of(node).or_else(|| of_list.cloned()).unwrap_or_default();
        if let (Some(items), Some(item_kind)) = (items(node), kind.of_items()) {
            for item in items {
                self.sort_out(file, document, item, Some(&item_kind));
            }
        } else if kind.is_pool() {
            self.add(file, document, node);
        } else {
            self.skipped += 1;
            if let Some(why) = kind.almost_a_pool() {
                self.troubles.push(Trouble::note(file, Some(node.span.line), why));
            }
        }
    }

    fn add(&mut self, file: &str, document: usize, node: &Rc<Node>) {
        match serde_json::to_string(&**node) {
            Ok(json) => self.pools.push(PoolManifest { document, node: Rc::clone(node), json }),
            Err(error) => {
                let why = format!("has no form in JSON: {error}");
                self.troubles.push(Trouble::error(file, Some(node.span.line), why));
            }
        }
    }
}

/// The documents of a file as JSON up to the first that cannot be read, and why it cannot: what the tests compare
/// with kubectl's own reader.
#[cfg(feature = "cluster")]
pub fn documents(text: &str) -> (Vec<String>, Option<String>) {
    let (mut documents, mut budget) = (Vec::new(), yaml::Budget::default());
    for chunk in split(text) {
        let read =
            yaml::read(&chunk, &mut budget, |node| documents.extend(serde_json::to_string(&*node).ok()));
        if let Err(error) = read {
            return (documents, Some(error.why));
        }
    }
    (documents, None)
}

/// `apiVersion` and `kind`, either possibly empty.
#[derive(Clone, Debug, Default)]
struct Kind {
    api_version: String,
    kind: String,
}

impl Kind {
    /// What the object says it is; `None` if it says nothing.
    fn of(node: &Node) -> Option<Self> {
        let text = |key| node.text_at(key).unwrap_or_default().to_owned();
        let kind = Self { api_version: text("apiVersion"), kind: text("kind") };
        (!kind.api_version.is_empty() || !kind.kind.is_empty()).then_some(kind)
    }

    /// What the items of this list are, where they do not say it themselves.
    fn of_items(&self) -> Option<Self> {
        let kind = self.kind.strip_suffix("List")?.to_owned();
        Some(Self { api_version: self.api_version.clone(), kind })
    }

    fn is_pool(&self) -> bool {
        self.kind == KIND && self.api_version.split_once('/') == Some((GROUP, VERSION))
    }

    /// Why it is no pool although its kind is called so. Calico has one too; that is no mistake.
    fn almost_a_pool(&self) -> Option<String> {
        if self.kind != KIND {
            return None;
        }
        let right = format!("{GROUP}/{VERSION}");
        if self.api_version.is_empty() {
            return Some(format!("skipped: kind {KIND} without apiVersion; whereabouts' is {right}"));
        }
        let of_group = self.api_version.split('/').next() == Some(GROUP);
        of_group
            .then(|| format!("skipped: {KIND} of {}, which does not exist; it is {right}", self.api_version))
    }
}

fn items(node: &Node) -> Option<&[Rc<Node>]> {
    match &node.entry("items")?.value.value {
        Value::List(items) => Some(items),
        _ => None,
    }
}
