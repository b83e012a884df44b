//! A live cluster: each kind of object is listed in pages, and read while it arrives. Two kinds are listed at a time, since the
//! apiserver takes longer for a page than it takes to read it.

pub mod list;

use std::cell::RefCell;

use kube::Client;

use self::list::Listed;
pub use self::list::Resource;
use super::AuditArgs;
use super::collect::{Collector, ObjectKind};
use super::progress::Progress;
use crate::kinds::ippool::cluster::{Coverage, Moment, Read};

/// Which pools are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces.
    All,
    /// Those of this one.
    Namespace(String),
}

/// Two sequences of kinds, listed at the same time. Pools come before pods, because they name the pods that are needed.
const KINDS: [&[ObjectKind]; 2] = [
    &[ObjectKind::Pool, ObjectKind::Pod],
    &[ObjectKind::Reservation, ObjectKind::Attachment, ObjectKind::NodeSlicePool],
];

impl Scope {
    /// The scope of the flags; by default, the namespace of the context.
    pub fn of(args: &AuditArgs, default_namespace: &str) -> Self {
        match &args.namespace {
            _ if args.all_namespaces => Self::All,
            Some(namespace) => Self::Namespace(namespace.clone()),
            None => Self::Namespace(default_namespace.to_owned()),
        }
    }
}

/// Reads the objects into `collector`; returns which were read.
///
/// # Errors
/// If the apiserver cannot be reached, or allows no list.
pub async fn read(
    client: &Client,
    scope: &Scope,
    collector: &mut Collector<'_>,
    progress: &Progress,
) -> anyhow::Result<Read> {
    // Never borrowed across an await.
    let collector = RefCell::new(collector);
    let list = async |kinds: &[ObjectKind]| {
        let mut results = Vec::new();
        for kind in kinds {
            let resource = Resource::of(*kind, scope);
            let listed = list::list(client, &resource, &collector, progress).await?;
            results.push((resource, listed));
        }
        anyhow::Ok(results)
    };
    let [of_pools, others] = KINDS;
    let (of_pools, others) = tokio::join!(list(of_pools), list(others));
    let mut results = of_pools?;
    results.extend(others?);
    if collector.borrow().has_node_slices() {
        results.extend(list(&[ObjectKind::Node]).await?);
    }
    coverages(results)
}

/// Which kinds were read. One kind is enough for a report.
fn coverages(results: Vec<(Resource, Listed)>) -> anyhow::Result<Read> {
    let mut read = Read { moment: Moment::Live, ..Read::default() };
    let (mut refusals, all) = (Vec::new(), results.len());
    for (resource, listed) in results {
        *resource.kind.coverage(&mut read) = match listed {
            Listed::All => resource.coverage(),
            Listed::NoSuchKind => resource.coverage_without_kind(),
            Listed::Forbidden(why) => {
                refusals.push(why.clone());
                Coverage::Incomplete(why)
            }
        };
    }
    match refusals.first() {
        Some(why) if refusals.len() == all => anyhow::bail!("nothing can be read: {why}"),
        _ => Ok(read),
    }
}
