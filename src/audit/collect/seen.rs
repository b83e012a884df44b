//! How much of a cluster a dump has, as far as its objects show it. A dump of one namespace looks like a dump of a cluster
//! that has no other; so what a dump does not show to be complete is not taken for it.

use std::collections::{BTreeMap, BTreeSet};

use super::ObjectKind;
use crate::kinds::ippool::cluster::{Coverage, Moment, Read, TypeMeta};

/// What a dump has shown so far.
#[derive(Debug, Default)]
pub struct Seen {
    namespaces: BTreeMap<ObjectKind, BTreeSet<String>>,
    /// The kinds of which a list of all namespaces is there.
    complete: BTreeSet<ObjectKind>,
    /// The kinds of lists without an item.
    empty_lists: BTreeSet<ObjectKind>,
    list: List,
    /// The namespaces all of whose pods are there.
    pub pods_of: BTreeSet<String>,
    /// Whether the objects are in folders of namespaces, of which the dump may have any number.
    pub is_by_namespace: bool,
    /// Why objects may be missing.
    pub cut: Option<String>,
    /// Whether there was a list, or an object of a known kind.
    pub has_any: bool,
}

/// What the current list has shown.
#[derive(Debug, Default)]
struct List {
    kinds: BTreeSet<ObjectKind>,
    namespace: Option<String>,
    has_several: bool,
}

impl Seen {
    /// Notes an object.
    pub fn object(&mut self, kind: ObjectKind, namespace: &str) {
        self.has_any = true;
        let namespaces = self.namespaces.entry(kind).or_default();
        if !namespaces.contains(namespace) {
            namespaces.insert(namespace.to_owned());
        }
        if kind == ObjectKind::Node {
            return;
        }
        self.list.kinds.insert(kind);
        match &self.list.namespace {
            None => self.list.namespace = Some(namespace.to_owned()),
            Some(first) => self.list.has_several |= first != namespace,
        }
    }

    /// Notes the end of a list, or of an object. A list with objects of two namespaces is one of all namespaces: kubectl
    /// lists one, or all.
    pub fn end(&mut self, list: &TypeMeta, is_list: bool) {
        let List { kinds, has_several, .. } = std::mem::take(&mut self.list);
        if is_list && has_several {
            self.complete.extend(kinds);
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
        let is_empty_list = namespaces.is_none() && !self.is_by_namespace && self.empty_lists.contains(&kind);
        match namespaces {
            _ if is_empty_list || self.complete.contains(&kind) => Coverage::Complete,
            None => Coverage::Incomplete(format!("the dump has no {}", kind.as_str())),
            Some(_) if kind == ObjectKind::Node => Coverage::Complete,
            // People take pods of one namespace often, and of the other kinds hardly ever.
            Some(_) if kind != ObjectKind::Pod && self.has_several_namespaces() => Coverage::Complete,
            Some(namespaces) => Coverage::Namespaces(namespaces),
        }
    }

    fn has_several_namespaces(&self) -> bool {
        let namespaced = self.namespaces.iter().filter(|(kind, _)| **kind != ObjectKind::Node);
        let namespaces: BTreeSet<_> = namespaced.flat_map(|(_, namespaces)| namespaces).collect();
        !self.is_by_namespace && namespaces.len() > 1
    }
}
