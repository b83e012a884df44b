//! The objects of one kind in a file.

use std::rc::Rc;

use super::kubectl_yaml::{self, Node, Value, YamlError};
use crate::kinds::Kind;
use crate::output::Notification;

#[derive(Debug, Default)]
pub struct Manifests {
    /// In the order of the file.
    pub objects: Vec<Manifest>,
    pub skipped: usize,
    /// What could not be read, and notes.
    pub notifications: Vec<Notification>,
}

#[derive(Debug)]
pub struct Manifest {
    /// The number of its document, from 1; empty documents do not count.
    pub document: usize,
    pub node: Rc<Node>,
    pub json: String,
    pub namespace: String,
    pub name: String,
}

impl Manifests {
    /// Reads the file called `file`. A document that cannot be read does not hide the others.
    pub fn read<K: Kind>(file: &str, text: &str) -> Self {
        let (mut manifests, mut document) = (Self::default(), 0);
        kubectl_yaml::read(text, |read| match read {
            Ok(node) => {
                document += 1;
                manifests.classify::<K>(file, document, &node, None);
            }
            Err(YamlError { line, why }) => {
                let why = format!("cannot be parsed: {why}");
                manifests.notifications.push(Notification::error(file, Some(line), why));
            }
        });
        manifests
    }

    /// Classifies one object; descends into lists. `inherited` is the kind of an item that has none itself.
    fn classify<K: Kind>(
        &mut self,
        file: &str,
        document: usize,
        node: &Rc<Node>,
        inherited: Option<&TypeMeta>,
    ) {
        let kind = TypeMeta::of(node).or_else(|| inherited.cloned()).unwrap_or_default();
        if let (Some(items), Some(item_kind)) = (items(node), kind.of_items()) {
            for item in items {
                self.classify::<K>(file, document, item, Some(&item_kind));
            }
        } else if kind.is::<K>() {
            self.add(file, document, node);
        } else {
            self.skipped += 1;
            if let Some(why) = kind.is_almost::<K>() {
                self.notifications.push(Notification::note(file, Some(node.span.line), why));
            }
        }
    }

    fn add(&mut self, file: &str, document: usize, node: &Rc<Node>) {
        match serde_json::to_string(&**node) {
            Ok(json) => {
                let metadata = node.entry("metadata").map(|entry| &entry.value);
                let text = |key| metadata.and_then(|it| it.text_at(key)).unwrap_or_default().to_owned();
                let (namespace, name) = (text("namespace"), text("name"));
                self.objects.push(Manifest { document, node: Rc::clone(node), json, namespace, name });
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
        let (kind, group) = (K::KIND, K::GROUP);
        if self.kind != kind {
            return None;
        }
        let right = format!("{group}/{}", K::VERSION);
        if self.api_version.is_empty() {
            return Some(format!("skipped: kind {kind} without apiVersion; whereabouts' is {right}"));
        }
        let of_group = self.api_version.split('/').next() == Some(group);
        of_group
            .then(|| format!("skipped: {kind} of {}, which does not exist; it is {right}", self.api_version))
    }
}

fn items(node: &Node) -> Option<&[Rc<Node>]> {
    match &node.entry("items")?.value.value {
        Value::List(items) => Some(items),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::ippool::IpPool;

    /// The specs of the pools of a file without notifications.
    fn specs(spec: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: {}/{}\nkind: {}\nspec:\n{spec}",
            IpPool::GROUP,
            IpPool::VERSION,
            IpPool::KIND
        );
        let manifests = Manifests::read::<IpPool>("pool.yaml", &text);
        assert!(manifests.notifications.is_empty(), "{:?}", manifests.notifications);
        let spec = |pool: Manifest| serde_json::to_string(&*pool.node.entry("spec").unwrap().value).unwrap();
        manifests.objects.into_iter().map(spec).collect()
    }

    fn notification(text: &str) -> String {
        let manifests = Manifests::read::<IpPool>("pool.yaml", text);
        manifests.notifications.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_merge_overrides_the_keys_before_it_and_not_those_after_it() {
        let base = "  x: &x {a: 1, b: 2}\n  y: &y {b: 3}\n";
        for (map, read) in [
            ("{a: 0, <<: *x, b: 0}", r#"{"a":1,"b":0}"#),
            ("{<<: *x, <<: *y}", r#"{"a":1,"b":3}"#),
            ("{<<: [*x, *y]}", r#"{"b":2,"a":1}"#),
            ("{!!merge <<: *y}", r#"{"b":3}"#),
            ("{\"<<\": 1}", r#"{"<<":1}"#),
        ] {
            let specs = specs(&format!("{base}  m: {map}\n"));
            assert!(specs[0].ends_with(&format!(r#""m":{read}}}"#)), "{map}: {specs:?}");
        }
    }

    #[test]
    fn a_merge_of_an_aliased_list_is_rejected() {
        let why = notification("x: &x {a: 1}\nz: &z [*x]\nm: {<<: *z}\n");
        assert!(why.contains("`<<` takes no alias of a list"), "{why}");
    }

    #[test]
    fn a_block_scalar_at_the_end_of_the_file_gets_a_line_end() {
        assert_eq!(specs("  range: |\n    10.0.0.0/24"), [r#"{"range":"10.0.0.0/24\n"}"#]);
        assert_eq!(specs("  range: |-\n    10.0.0.0/24"), [r#"{"range":"10.0.0.0/24"}"#]);
    }

    #[test]
    fn an_invalid_separator_is_rejected_with_its_line() {
        for line in ["--- {a: 1}", "----", "---a"] {
            let why = notification(&format!("a: 1\n{line}\n"));
            assert!(
                why.starts_with("pool.yaml:2: cannot be parsed: kubectl takes no more than a comment"),
                "{why}"
            );
        }
        assert_eq!(notification("a: 1\n--- # c\nb: 1\n"), "");
    }

    #[test]
    fn a_tag_without_a_type_in_json_is_rejected() {
        for tag in ["binary", "timestamp", "set"] {
            let why = notification(&format!("a: !!{tag} 2001-12-14\n"));
            assert!(why.contains(&format!("the tag !!{tag} has no meaning")), "{why}");
        }
    }
}
