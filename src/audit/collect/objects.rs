//! The kinds of objects that an audit reads, and the newest copy of each object.

use std::collections::HashMap;

use crate::kinds::Kind as _;
use crate::kinds::ippool::IpPool;
use crate::kinds::ippool::cluster::{Coverage, Meta, Read, TypeMeta};

/// A kind of object that an audit reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    Pool,
    Reservation,
    NodeSlicePool,
    Attachment,
    Pod,
    Node,
}

impl ObjectKind {
    pub const ALL: [Self; 6] =
        [Self::Pool, Self::Reservation, Self::NodeSlicePool, Self::Attachment, Self::Pod, Self::Node];

    /// The kind of an object of this type.
    pub fn of(meta: &TypeMeta) -> Option<Self> {
        let group = meta.api_version.split_once('/').map_or("", |(group, _)| group);
        Self::ALL.into_iter().find(|it| it.as_str() == meta.kind && it.group() == group)
    }

    /// The kind of the items of a list of this type.
    pub fn of_items(list: &TypeMeta) -> Option<Self> {
        let kind = list.kind.strip_suffix("List")?.to_owned();
        Self::of(&TypeMeta { api_version: list.api_version.clone(), kind })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pool => IpPool::KIND,
            Self::Reservation => "OverlappingRangeIPReservation",
            Self::NodeSlicePool => "NodeSlicePool",
            Self::Attachment => "NetworkAttachmentDefinition",
            Self::Pod => "Pod",
            Self::Node => "Node",
        }
    }

    /// How many objects of the kind were read.
    pub fn coverage(self, read: &mut Read) -> &mut Coverage {
        match self {
            Self::Pool => &mut read.pools,
            Self::Reservation => &mut read.reservations,
            Self::NodeSlicePool => &mut read.node_slices,
            Self::Attachment => &mut read.attachments,
            Self::Pod => &mut read.pods,
            Self::Node => &mut read.nodes,
        }
    }

    pub const fn group(self) -> &'static str {
        match self {
            Self::Pool | Self::Reservation | Self::NodeSlicePool => IpPool::GROUP,
            Self::Attachment => "k8s.cni.cncf.io",
            Self::Pod | Self::Node => "",
        }
    }
}

/// Objects by name, of which the newest copy counts.
#[derive(Debug)]
pub struct Newest<T> {
    objects: HashMap<Meta, (u64, T)>,
    /// How many older copies were dropped.
    pub copies: usize,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self { objects: HashMap::new(), copies: 0 }
    }
}

impl<T> Newest<T> {
    /// Keeps an object, unless a newer copy is kept. Of two copies with one version, the last counts.
    pub fn add(&mut self, meta: Meta, version: u64, object: T) {
        match self.objects.get_mut(&meta) {
            None => drop(self.objects.insert(meta, (version, object))),
            Some(kept) => {
                self.copies += usize::from(kept.0 != version);
                if kept.0 <= version {
                    *kept = (version, object);
                }
            }
        }
    }

    /// Whether an object of this version would replace the copy that is kept.
    pub fn is_newest(&self, meta: &Meta, version: u64) -> bool {
        self.objects.get(meta).is_none_or(|kept| kept.0 < version || version == 0)
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.objects.values().map(|(_, object)| object)
    }

    /// The objects, by namespace and name.
    pub fn into_sorted(self) -> impl Iterator<Item = (Meta, T)> {
        let mut objects: Vec<_> =
            self.objects.into_iter().map(|(meta, (_, object))| (meta, object)).collect();
        objects.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        objects.into_iter()
    }
}
