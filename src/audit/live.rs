//! A live cluster: each kind of object is listed in pages, and read while it arrives.

mod list;

use kube::Client;

use self::list::Listed;
pub use self::list::Resource;
use super::AuditArgs;
use super::collect::{Collector, ObjectKind};
use super::progress::Progress;
use crate::kinds::ippool::cluster::{Coverage, Moment, Read};

/// Pools come first, since they say which pods are needed.
pub const ORDER: [ObjectKind; 6] = [
    ObjectKind::Pool,
    ObjectKind::Reservation,
    ObjectKind::Attachment,
    ObjectKind::NodeSlicePool,
    ObjectKind::Pod,
    ObjectKind::Node,
];

/// Which pools are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces.
    All,
    /// Those of this one.
    Namespace(String),
}

impl Scope {
    /// What the flags say; without one, the namespace of the context.
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
/// Where the apiserver cannot be reached, or allows nothing.
pub async fn read(
    client: &Client,
    scope: &Scope,
    collector: &mut Collector<'_>,
    progress: &Progress,
) -> anyhow::Result<Read> {
    let mut read = Read { moment: Moment::Live, ..Read::default() };
    let mut refusals = Vec::new();
    for kind in ORDER {
        if kind == ObjectKind::Node && !collector.has_node_slices() {
            continue;
        }
        let resource = Resource::of(kind, scope);
        let coverage = match list::list(client, &resource, collector, progress).await? {
            // Whereabouts is not installed, or so old that it does not reserve.
            Listed::NoSuchKind if matches!(kind, ObjectKind::Pool | ObjectKind::Reservation) => {
                Coverage::Incomplete(format!("the cluster does not know the kind {}", kind.as_str()))
            }
            Listed::All | Listed::NoSuchKind => resource.coverage(),
            Listed::Refused(why) => {
                refusals.push(why.clone());
                Coverage::Incomplete(why)
            }
        };
        *kind.coverage(&mut read) = coverage;
    }
    // Where even one kind was listed, there is something to report.
    let all = ObjectKind::ALL.len() - usize::from(!collector.has_node_slices());
    match refusals.first() {
        Some(why) if refusals.len() == all => anyhow::bail!("nothing can be read: {why}"),
        _ => Ok(read),
    }
}
