//! How much of a cluster a dump has, as far as its objects show it. A dump of one namespace looks like a dump of a cluster
//! with one namespace, and a single object says nothing about others; so what a dump does not show to be complete is not
//! taken for it.

use std::collections::{BTreeMap, BTreeSet};

use super::ObjectKind;
use crate::kinds::ippool::cluster::{Coverage, Meta, Moment, Read, TypeMeta};

/// What a dump has shown about its completeness so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// The namespaces from which objects of a kind were listed.
    namespaces: BTreeMap<ObjectKind, BTreeSet<String>>,
    /// The kinds of which a list of all namespaces is there.
    complete: BTreeSet<ObjectKind>,
    /// The kinds of lists without an item.
    empty_lists: BTreeSet<ObjectKind>,
    /// The kinds of which there are objects that are in no list.
    single: BTreeSet<ObjectKind>,
    /// What the current list, or object, has shown.
    list: BTreeMap<ObjectKind, BTreeSet<String>>,
    /// The namespaces all of whose pods are there.
    pub pods_of: BTreeSet<String>,
    /// Whether the objects are in folders of namespaces, of which the dump may have any number.
    pub is_by_namespace: bool,
    /// How many objects have no name.
    pub nameless: usize,
    /// Why objects may be missing.
    pub cut: Option<String>,
    /// Whether there was a list, or an object of a known kind.
    pub has_any: bool,
}

/// What an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The output of `kubectl get` without a name.
    List,
    /// A folder of an inspection, which has a file for each object.
    Folder,
    /// Nothing: it may be the output of `kubectl get` with a name.
    Nothing,
}

impl Seen {
    /// Records an object of the current list.
    pub fn object(&mut self, kind: ObjectKind, Meta { namespace, name }: &Meta) {
        self.has_any = true;
        self.nameless += usize::from(name.is_empty());
        let namespaces = self.list.entry(kind).or_default();
        if !namespaces.contains(namespace) {
            namespaces.insert(namespace.to_owned());
        }
    }

    /// Records the end of a list of this type, or of an object. A list with objects of two namespaces is a list of all
    /// namespaces, because kubectl lists one or all.
    pub fn end(&mut self, of: Part, list: &TypeMeta) {
        let objects = std::mem::take(&mut self.list);
        let namespaced = objects.iter().filter(|(kind, _)| **kind != ObjectKind::Node);
        let has_several = namespaced.flat_map(|(_, it)| it).collect::<BTreeSet<_>>().len() > 1;
        if of == Part::List && has_several {
            self.complete.extend(objects.keys());
        }
        for (kind, namespaces) in objects {
            // An inspection has folders of single pods, for their logs.
            match of {
                Part::Nothing => drop(self.single.insert(kind)),
                Part::Folder if kind == ObjectKind::Pod => drop(self.single.insert(kind)),
                _ => self.namespaces.entry(kind).or_default().extend(namespaces),
            }
        }
        self.has_any |= list.kind.ends_with("List");
        self.empty_lists.extend(ObjectKind::of_items(list));
    }

    /// What was read.
    pub fn read(&self) -> Read {
        let of = |kind| self.coverage(kind);
        Read {
            pools: of(ObjectKind::Pool),
            reservations: of(ObjectKind::Reservation),
            attachments: of(ObjectKind::Attachment),
            node_slices: of(ObjectKind::NodeSlicePool),
            pods: of(ObjectKind::Pod),
            nodes: of(ObjectKind::Node),
            moment: Moment::Dump,
        }
    }

    fn coverage(&self, kind: ObjectKind) -> Coverage {
        if let Some(cut) = &self.cut {
            return Coverage::Incomplete(cut.clone());
        }
        let mut namespaces = self.namespaces.get(&kind).cloned();
        if kind == ObjectKind::Pod && !self.pods_of.is_empty() {
            namespaces.get_or_insert_default().extend(self.pods_of.iter().cloned());
        }
        match namespaces {
            _ if self.complete.contains(&kind) || self.is_empty(kind) => Coverage::Complete,
            None if self.single.contains(&kind) => {
                let kind = kind.as_str();
                Coverage::Incomplete(format!("the dump has single {kind}s, which are in no list of {kind}s"))
            }
            None => Coverage::Incomplete(format!("the dump has no {}", kind.as_str())),
            Some(_) if kind == ObjectKind::Node => Coverage::Complete,
            Some(namespaces) => Coverage::Namespaces(namespaces),
        }
    }

    /// Whether an empty list shows that there are no objects. Every cluster has pods and nodes, so an empty list of them is a list
    /// of one namespace, or with a selector.
    fn is_empty(&self, kind: ObjectKind) -> bool {
        let is_everywhere = matches!(kind, ObjectKind::Pod | ObjectKind::Node);
        let has_any = self.namespaces.contains_key(&kind) || self.single.contains(&kind);
        !is_everywhere && !has_any && !self.is_by_namespace && self.empty_lists.contains(&kind)
    }
}
