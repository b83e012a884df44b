//! A live cluster: each kind of object is listed in pages, and read while it arrives. Two kinds are listed at a time, since the
//! apiserver takes longer for a page than it takes to read it.

mod list;

use std::cell::RefCell;

use kube::Client;

use self::list::{Listed, Resource};
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

/// The kinds that are listed at the same time as those of the other lists, one after the other. Pools come before pods, since
/// they say which pods are needed.
const KINDS: [&[ObjectKind]; 2] = [
    &[ObjectKind::Pool, ObjectKind::Pod],
    &[ObjectKind::Reservation, ObjectKind::Attachment, ObjectKind::NodeSlicePool],
];

/// Reads the objects into `collector`; returns which were read.
///
/// # Errors
/// Where the apiserver cannot be reached, or allows nothing.
pub async fn read(
    client: &Client,
    scope: &Scope,
    collector: &mut Collector<'_>,
    progress: &Progress,
) -> anyhow::Result<Read> {
    // Between two waits, only one list uses it.
    let collector = RefCell::new(collector);
    let list = async |kinds: &[ObjectKind]| {
        let mut results = Vec::new();
        for kind in kinds {
            let resource = Resource::of(*kind, scope);
            let listed = list::list(client, &resource, &collector, progress).await?;
            results.push((*kind, resource.coverage(), listed));
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

/// Which kinds were read. Where even one was listed, there is something to report.
fn coverages(results: Vec<(ObjectKind, Coverage, Listed)>) -> anyhow::Result<Read> {
    let mut read = Read { moment: Moment::Live, ..Read::default() };
    let (mut refusals, all) = (Vec::new(), results.len());
    for (kind, coverage, listed) in results {
        *part(&mut read, kind) = match listed {
            Listed::All | Listed::NoSuchKind => coverage,
            Listed::Refused(why) => {
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

fn part(read: &mut Read, kind: ObjectKind) -> &mut Coverage {
    match kind {
        ObjectKind::Pool => &mut read.pools,
        ObjectKind::Reservation => &mut read.reservations,
        ObjectKind::NodeSlicePool => &mut read.node_slices,
        ObjectKind::Attachment => &mut read.attachments,
        ObjectKind::Pod => &mut read.pods,
        ObjectKind::Node => &mut read.nodes,
    }
}
