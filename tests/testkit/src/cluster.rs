//! The objects of a cluster of any size, the same at each call, with a known share of defects. Pods are as kubelets and
//! Multus write them (`tests/fixtures/pod.json`).

mod dump;
mod objects;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

pub use dump::{write_json, write_yaml};
pub use objects::without_server_fields;
use serde_json::Value;

/// Where whereabouts runs.
pub const KUBE_SYSTEM: &str = "kube-system";
/// Where the attachments are.
pub const NETWORKS: &str = "networks";
/// The namespaces of the pods.
pub const NAMESPACES: usize = 100;
/// The allocations of each pool.
pub const ALLOCATIONS: usize = 200;
/// The addresses of each pod, each of another pool.
pub const ADDRESSES: usize = 5;

/// One of this number of pods has each of these defects, and one of this number of pools.
const PODS_FOR_DEFECT: usize = 250;
const POOLS_FOR_DEFECT: usize = 10;
/// The offset of an allocation that its attachment excludes.
const EXCLUDED: usize = 77;
/// Offsets that no allocation has.
const MOVED_TO: usize = 240;
const STRAY: usize = 250;

/// A cluster whose pods each have an address of several pools.
pub struct Cluster {
    pools: usize,
    /// The allocation of each pod in the first pools, and the pod of each.
    first: Vec<usize>,
    owners: Vec<usize>,
}

/// What is the matter with a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PodState {
    Fine,
    /// It is not there any more.
    Gone,
    /// It succeeded.
    Finished,
    /// It shows another address on its first network.
    Moved,
}

/// What is the matter with a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PoolState {
    Fine,
    /// Its first allocation has no reservation.
    Unreserved,
    /// An address without an allocation is reserved.
    Stray,
    /// Its attachment no longer hands out one of its addresses.
    Excluded,
}

impl Cluster {
    /// A cluster with this many pools, with 200 allocations and 40 pods for each.
    pub fn new(pools: usize) -> Self {
        let pods = pools * ALLOCATIONS / ADDRESSES;
        // A prime number, so that the allocations of a pool are for pods all over the cluster.
        let first: Vec<_> = (0..pods).map(|pod| pod * 7_919 % pods).collect();
        let mut owners = vec![0; pods];
        first.iter().enumerate().for_each(|(pod, allocation)| owners[*allocation] = pod);
        Self { pools, first, owners }
    }

    /// How many pools there are.
    pub fn pools(&self) -> usize {
        self.pools
    }

    /// How many allocations there are.
    pub fn allocations(&self) -> usize {
        self.pools * ALLOCATIONS
    }

    /// How many pods have an allocation.
    pub fn pods(&self) -> usize {
        self.owners.len()
    }

    /// All objects, kind by kind, as the documented command lists them.
    pub fn objects(&self) -> impl Iterator<Item = Value> {
        self.pool_objects()
            .chain(self.reservation_objects())
            .chain(self.attachment_objects())
            .chain(self.pod_objects())
    }

    /// The IPPools.
    pub fn pool_objects(&self) -> impl Iterator<Item = Value> {
        (0..self.pools).map(|pool| objects::pool(self, pool))
    }

    /// The `OverlappingRangeIPReservations`.
    pub fn reservation_objects(&self) -> impl Iterator<Item = Value> {
        (0..self.pools).flat_map(move |pool| {
            let unreserved = usize::from(PoolState::of(pool) == PoolState::Unreserved);
            let stray = (PoolState::of(pool) == PoolState::Stray)
                .then(|| objects::reservation(address(pool, STRAY), "tenant-00/stray"));
            let reserved = (unreserved..ALLOCATIONS).map(move |at| {
                objects::reservation(address(pool, at + 1), &self.owner(pool * ALLOCATIONS + at))
            });
            reserved.chain(stray)
        })
    }

    /// The `NetworkAttachmentDefinitions`.
    pub fn attachment_objects(&self) -> impl Iterator<Item = Value> {
        (0..self.pools).map(objects::attachment)
    }

    /// The pods that are there.
    pub fn pod_objects(&self) -> impl Iterator<Item = Value> {
        let is_there = |pod: &usize| PodState::of(*pod) != PodState::Gone;
        (0..self.pods()).filter(is_there).map(|pod| objects::pod(self, pod))
    }

    /// What an audit must find, as `rule kind namespace/name address`.
    pub fn findings(&self) -> BTreeSet<String> {
        let of_pools = (0..self.pools).filter_map(|pool| {
            let in_pool = format!("IPPool {KUBE_SYSTEM}/{}", pool_name(pool));
            Some(match PoolState::of(pool) {
                PoolState::Fine => return None,
                PoolState::Unreserved => format!("IPP503 {in_pool} {}", address(pool, 1)),
                PoolState::Stray => {
                    let address = address(pool, STRAY);
                    format!("IPP503 OverlappingRangeIPReservation {KUBE_SYSTEM}/{address} {address}")
                }
                PoolState::Excluded => format!("IPP508 {in_pool} {}", address(pool, EXCLUDED)),
            })
        });
        of_pools.chain((0..self.pods()).flat_map(|pod| self.findings_of_pod(pod))).collect()
    }

    fn findings_of_pod(&self, pod: usize) -> Vec<String> {
        let of_entry = |rule: &str, allocation: usize| {
            let (pool, at) = (allocation / ALLOCATIONS, allocation % ALLOCATIONS);
            format!("{rule} IPPool {KUBE_SYSTEM}/{} {}", pool_name(pool), address(pool, at + 1))
        };
        match PodState::of(pod) {
            PodState::Fine => Vec::new(),
            PodState::Gone | PodState::Finished => {
                self.allocations_of(pod).map(|it| of_entry("IPP504", it)).collect()
            }
            PodState::Moved => {
                let first = self.first[pod];
                let moved = address(first / ALLOCATIONS, MOVED_TO);
                vec![of_entry("IPP505", first), format!("IPP505 Pod {} {moved}", self.pod_name(pod))]
            }
        }
    }

    /// The allocations of a pod.
    fn allocations_of(&self, pod: usize) -> impl Iterator<Item = usize> {
        (0..ADDRESSES).map(move |number| self.first[pod] + number * self.pods())
    }

    /// Which pod an allocation is for, as `namespace/name`.
    fn owner(&self, allocation: usize) -> String {
        self.pod_name(self.owners[allocation % self.pods()])
    }

    fn pod_name(&self, pod: usize) -> String {
        let namespace = pod * NAMESPACES / self.pods();
        format!("tenant-{namespace:02}/worker-7c9d8b6f5-{pod:06}")
    }
}

/// The findings of a report, as `rule kind namespace/name address`.
pub fn found(report: &Value) -> BTreeSet<String> {
    let line = |it: &Value| {
        let text = |pointer: &str| it.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let [rule, kind, namespace, name, address] =
            ["/rule", "/object/kind", "/object/namespace", "/object/name", "/address"].map(text);
        format!("{rule} {kind} {namespace}/{name} {address}")
    };
    report["findings"].as_array().unwrap().iter().map(line).collect()
}

impl PodState {
    fn of(pod: usize) -> Self {
        match pod % PODS_FOR_DEFECT {
            7 => Self::Gone,
            57 => Self::Finished,
            207 => Self::Moved,
            _ => Self::Fine,
        }
    }
}

impl PoolState {
    fn of(pool: usize) -> Self {
        match pool % POOLS_FOR_DEFECT {
            3 => Self::Unreserved,
            5 => Self::Stray,
            7 => Self::Excluded,
            _ => Self::Fine,
        }
    }
}

fn address(pool: usize, offset: usize) -> Ipv4Addr {
    let number = u32::try_from(pool * 256 + offset).unwrap();
    Ipv4Addr::from_bits(u32::from_be_bytes([10, 0, 0, 0]) + number)
}

fn range(pool: usize) -> String {
    format!("{}/24", address(pool, 0))
}

fn pool_name(pool: usize) -> String {
    range(pool).replace('/', "-")
}

fn network(pool: usize) -> String {
    format!("net-{pool:04}")
}
