//! The IPPools of one file.

use std::rc::Rc;

use super::node::{Node, Value};
use super::source::Trouble;
use super::split::split;
use super::yaml;
use crate::kinds::Kind as _;
use crate::kinds::ippool::IpPool;

const GROUP: &str = IpPool::GROUP;
const VERSION: &str = IpPool::VERSION;
const KIND: &str = IpPool::KIND;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// The specs of the pools of a file, which has no troubles.
    fn specs(spec: &str) -> Vec<String> {
        let text = format!("apiVersion: {GROUP}/{VERSION}\nkind: {KIND}\nspec:\n{spec}");
        let manifests = Manifests::read("pool.yaml", &text);
        assert!(manifests.troubles.is_empty(), "{:?}", manifests.troubles);
        let spec =
            |pool: PoolManifest| serde_json::to_string(&*pool.node.entry("spec").unwrap().value).unwrap();
        manifests.pools.into_iter().map(spec).collect()
    }

    fn trouble(text: &str) -> String {
        let manifests = Manifests::read("pool.yaml", text);
        manifests.troubles.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_merge_key_wins_over_keys_before_it_and_not_over_keys_after_it() {
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
    fn a_merge_key_takes_no_alias_of_a_list() {
        let why = trouble("x: &x {a: 1}\nz: &z [*x]\nm: {<<: *z}\n");
        assert!(why.contains("`<<` takes no alias of a list"), "{why}");
    }

    /// kubectl reads by lines, each with its end.
    #[test]
    fn a_block_scalar_at_the_end_of_the_file_ends_its_line() {
        assert_eq!(specs("  range: |\n    10.0.0.0/24"), [r#"{"range":"10.0.0.0/24\n"}"#]);
        assert_eq!(specs("  range: |-\n    10.0.0.0/24"), [r#"{"range":"10.0.0.0/24"}"#]);
    }

    #[test]
    fn a_line_that_begins_like_a_separator_is_refused_with_its_number() {
        for line in ["--- {a: 1}", "----", "---a"] {
            let why = trouble(&format!("a: 1\n{line}\n"));
            assert!(
                why.starts_with("pool.yaml:2: cannot be parsed: kubectl takes no more than a comment"),
                "{why}"
            );
        }
        assert_eq!(trouble("a: 1\n--- # c\nb: 1\n"), "");
    }

    #[test]
    fn a_tag_of_no_type_of_json_is_refused() {
        for tag in ["binary", "timestamp", "set"] {
            let why = trouble(&format!("a: !!{tag} 2001-12-14\n"));
            assert!(why.contains(&format!("the tag !!{tag} has no meaning")), "{why}");
        }
    }
}
