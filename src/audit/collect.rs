//! Collects the objects of a cluster or a dump, reduced to what the rules need.

mod objects;
mod seen;

use std::collections::{BTreeSet, HashMap};

use serde::de::IgnoredAny;

use self::objects::Newest;
pub use self::objects::ObjectKind;
pub use self::seen::{Part, Seen};
use crate::finding::Finding;
use crate::json::Cursor;
use crate::kinds::Kind as _;
use crate::kinds::ippool::IpPool;
use crate::kinds::ippool::cluster::{
    Attachment, Cluster, Coverage, Head, Meta, NodeSlices, Phase, Pod, PodObject, Pods, Pool, RangeIndex,
    Read, ReservationObject, Status, runs_whereabouts,
};
use crate::policy::Policy;
use crate::review::lint;

/// What the rules of the webhook find in each pool.
pub type PoolFindings = HashMap<Meta, Vec<Finding<'static>>>;

/// The objects so far.
pub struct Collector<'p> {
    policy: &'p Policy,
    cluster: Cluster,
    pools: Newest<(Pool, Vec<Finding<'static>>)>,
    attachments: Newest<Attachment>,
    node_slices: Newest<NodeSlices>,
    whereabouts_namespaces: BTreeSet<String>,
    /// What was read, for a dump, which does not say how complete it is.
    pub seen: Seen,
    /// An index of the ranges of the pools, and how many pools were in it when it was built.
    ranges: (RangeIndex, usize),
    /// Whether a pool was read after the first pod. Pods that only this pool names were dropped then.
    pub needs_pods_again: bool,
    /// Whether only pods are read, a second time.
    pub only_pods: bool,
    /// How many pods were read, including those that were not kept.
    pub pods: usize,
    /// How many copies of objects were dropped for a newer one.
    copies: usize,
}

impl<'p> Collector<'p> {
    /// Creates a collector without objects.
    pub fn new(policy: &'p Policy) -> Self {
        Self {
            policy,
            cluster: Cluster::default(),
            pools: Newest::default(),
            attachments: Newest::default(),
            node_slices: Newest::default(),
            whereabouts_namespaces: BTreeSet::new(),
            seen: Seen::default(),
            ranges: (RangeIndex::default(), 0),
            needs_pods_again: false,
            only_pods: false,
            pods: 0,
            copies: 0,
        }
    }

    /// Reads an object. One that is not JSON becomes a finding.
    pub fn object(&mut self, json: &str, kind: ObjectKind) {
        if let Err(error) = self.read(json, kind) {
            self.unreadable(json, kind, &error);
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// If the text is not JSON. Nothing of it is kept then.
    pub fn read(&mut self, json: &str, kind: ObjectKind) -> serde_json::Result<()> {
        let result = match kind {
            ObjectKind::Pod => self.pod(json),
            _ if self.only_pods => Ok(()),
            ObjectKind::Pool => self.pool(json),
            ObjectKind::Reservation => self.reservation(json),
            ObjectKind::NodeSlicePool => NodeSlices::parse(json).map(|(meta, version, it)| {
                self.seen.object(kind, &meta);
                self.node_slices.add(meta, version, it);
            }),
            ObjectKind::Attachment => Attachment::parse(json).map(|(meta, version, it)| {
                self.seen.object(kind, &meta);
                self.attachments.add(meta, version, it);
            }),
            ObjectKind::Node => self.node(json),
        };
        if let Err(error) = result {
            check(json)?;
            self.unreadable(json, kind, &error);
        }
        Ok(())
    }

    /// Drops the objects of a kind, so that they can be listed again.
    pub fn clear(&mut self, kind: ObjectKind) {
        match kind {
            ObjectKind::Pool => self.pools = Newest::default(),
            ObjectKind::Reservation => self.cluster.reservations.clear(),
            ObjectKind::NodeSlicePool => self.node_slices = Newest::default(),
            ObjectKind::Attachment => self.attachments = Newest::default(),
            ObjectKind::Node => self.cluster.nodes.clear(),
            ObjectKind::Pod => {
                self.cluster.pods = Pods::default();
                self.cluster.shown.clear();
                self.needs_pods_again = false;
            }
        }
        self.cluster.unreadable.retain(|it| it.0 != kind.as_str());
    }

    /// Whether any slice belongs to a node. Nodes are only needed then.
    pub fn has_node_slices(&self) -> bool {
        self.node_slices.values().any(|it| it.slices.iter().any(|slice| !slice.node.is_empty()))
    }

    /// The cluster, and what the rules of the webhook find in its pools. `namespaces` are those of whereabouts, if somebody
    /// said so.
    pub fn finish(mut self, mut read: Read, namespaces: &[String]) -> Collected {
        for reservations in self.cluster.reservations.values_mut() {
            self.copies += reservations.sort();
        }
        self.copies += self.pools.copies + self.attachments.copies + self.node_slices.copies;
        let mut findings = HashMap::new();
        let mut cluster = self.cluster;
        for (meta, (pool, found)) in self.pools.into_sorted() {
            findings.insert(meta, found);
            cluster.pools.push(pool);
        }
        cluster.attachments = self.attachments.into_sorted().collect();
        cluster.node_slices = self.node_slices.into_sorted().collect();
        cluster.unreadable.sort_unstable();
        cluster.unreadable.dedup();
        for (kind, Meta { namespace, name }, _) in &cluster.unreadable {
            // A pod that cannot be read still counts as present.
            let kind = ObjectKind::ALL.into_iter().find(|it| it.as_str() == *kind && *it != ObjectKind::Pod);
            let why = |kind: ObjectKind| format!("the {} {namespace}/{name} cannot be read", kind.as_str());
            kind.into_iter().for_each(|kind| *kind.coverage(&mut read) = Coverage::Incomplete(why(kind)));
        }
        // An environment variable that is set to an empty text names no namespace.
        let given: BTreeSet<_> = namespaces.iter().filter(|it| !it.is_empty()).cloned().collect();
        cluster.namespaces_are_given = !given.is_empty();
        let found = if given.is_empty() { self.whereabouts_namespaces } else { given };
        cluster.whereabouts_namespaces = Some(found).filter(|found| !found.is_empty());
        cluster.read = read;
        Collected { cluster, findings, copies: self.copies }
    }

    fn reservation(&mut self, json: &str) -> serde_json::Result<()> {
        let object = ReservationObject::parse(json)?;
        let meta = object.meta();
        self.seen.object(ObjectKind::Reservation, &meta);
        self.cluster.reservations.entry(meta.namespace).or_default().add(&object, &mut self.cluster.names);
        Ok(())
    }

    fn node(&mut self, json: &str) -> serde_json::Result<()> {
        check(json)?;
        let meta = Head::of(json).metadata.meta();
        self.seen.object(ObjectKind::Node, &meta);
        self.cluster.nodes.insert(meta.name);
        Ok(())
    }

    fn pool(&mut self, json: &str) -> serde_json::Result<()> {
        let compact = IpPool::parse_compact(&mut Cursor::new(json), None);
        let why;
        let object = match compact.map_or_else(|| IpPool::parse(json), Ok) {
            Ok(object) => object,
            Err(error) => {
                check(json)?;
                why = error.to_string();
                IpPool::unreadable(&why)
            }
        };
        let head = Head::of(json);
        let (meta, version) = (head.metadata.meta(), head.metadata.version());
        if head.metadata.is_written_by_plugin {
            self.whereabouts_namespaces.insert(meta.namespace.clone());
        }
        self.seen.object(ObjectKind::Pool, &meta);
        let findings = lint::<IpPool>(&object, self.policy).into_iter().map(Finding::into_owned).collect();
        let pool = Pool::of(meta.clone(), &object, &mut self.cluster.names);
        self.needs_pods_again |= self.pods > 0 && self.pools.is_newest(&meta, version);
        self.pools.add(meta, version, (pool, findings));
        Ok(())
    }

    fn pod(&mut self, json: &str) -> serde_json::Result<()> {
        self.pods += 1;
        // Without pools, it is not known yet which pods are needed.
        if self.pools.len() == 0 {
            check(json)?;
            self.seen.object(ObjectKind::Pod, &Head::of(json).metadata.meta());
            return Ok(());
        }
        let object = PodObject::parse(json)?;
        let meta = object.meta();
        self.seen.object(ObjectKind::Pod, &meta);
        self.look_for_whereabouts(json, &meta.namespace);
        let start = self.cluster.shown.len();
        let pod = object.pod(&mut self.cluster.names, &mut self.cluster.shown);
        let podref = format!("{}/{}", meta.namespace, meta.name);
        let is_named = self.cluster.names.find(&podref).is_some();
        if !is_named && !self.shows_address_of_pool(&pod, start) {
            self.cluster.shown.truncate(start);
            return Ok(());
        }
        let name = self.cluster.names.add(&podref);
        let kept = self.cluster.pods.get(name).map(|kept| kept.version);
        self.copies += usize::from(kept.is_some_and(|kept| kept != pod.version));
        if kept.is_none_or(|kept| kept <= pod.version) {
            self.cluster.pods.insert(name, pod);
        }
        Ok(())
    }

    /// Records an object that cannot be read.
    fn unreadable(&mut self, json: &str, kind: ObjectKind, error: &serde_json::Error) {
        let meta = Head::of(json).metadata.meta();
        self.seen.object(kind, &meta);
        match kind {
            ObjectKind::Pod => self.unreadable_pod(meta, error),
            kind => self.cluster.unreadable.push((kind.as_str(), meta, error.to_string())),
        }
    }

    /// Keeps the pod as present, without addresses.
    fn unreadable_pod(&mut self, meta: Meta, error: &serde_json::Error) {
        let podref = format!("{}/{}", meta.namespace, meta.name);
        if let Some(name) = self.cluster.names.find(&podref) {
            let pod =
                Pod { phase: Phase::Pending, status: Status::Unreadable, shown: 0..0, version: 0, stamp: 0 };
            self.cluster.pods.insert(name, pod);
            self.cluster.unreadable.push((ObjectKind::Pod.as_str(), meta, error.to_string()));
        }
    }

    /// Whether a pod that no allocation names shows an address in the range of a pool.
    fn shows_address_of_pool(&mut self, pod: &Pod, start: usize) -> bool {
        if !pod.phase.has_addresses() {
            return false;
        }
        self.index_ranges();
        let shown = self.cluster.shown.get(start..).unwrap_or_default();
        shown.iter().any(|it| it.attachment.is_some() && self.ranges.0.of(it.address).next().is_some())
    }

    fn index_ranges(&mut self) {
        if self.ranges.1 == self.pools.len() {
            return;
        }
        self.ranges = (RangeIndex::default(), self.pools.len());
        for (number, (pool, _)) in self.pools.values().enumerate() {
            if let Some(range) = pool.range.filter(|range| !range.is_mapped_too_wide()) {
                self.ranges.0.add(range.network(), number);
            }
        }
    }

    fn look_for_whereabouts(&mut self, json: &str, namespace: &str) {
        if !self.whereabouts_namespaces.contains(namespace) && runs_whereabouts(json) {
            self.whereabouts_namespaces.insert(namespace.to_owned());
        }
    }
}

/// Checks that a text is JSON, for readers that stop before its end.
///
/// # Errors
/// If it is not.
pub fn check(json: &str) -> serde_json::Result<()> {
    serde_json::from_str::<IgnoredAny>(json).map(drop)
}

/// What was collected.
#[derive(Debug)]
pub struct Collected {
    pub cluster: Cluster,
    pub findings: PoolFindings,
    /// How many copies of objects were dropped for a newer one.
    pub copies: usize,
}
