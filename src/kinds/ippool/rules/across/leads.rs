//! Which attachments lead whereabouts to which pool. It finds a pool only by its name, which it derives from the
//! configuration.

use std::collections::HashMap;

use crate::kinds::ippool::cluster::{Cluster, Config, Ipam, Meta, NodeSlices, RangeConfig, listed};

/// A configuration that leads to a pool.
#[derive(Clone, Copy, Debug)]
pub struct Lead<'a> {
    /// Its attachment.
    pub attachment: &'a Meta,
    /// The configuration.
    pub config: &'a Config,
    /// The range; `None` if the pool is the slice of a node, of which whereabouts hands out every address.
    pub range: Option<&'a RangeConfig>,
}

/// The configurations that lead to each pool, by its name.
#[derive(Debug, Default)]
pub struct Leads<'a> {
    by_name: HashMap<String, Vec<Lead<'a>>>,
    /// Why there may be more configurations.
    pub gaps: Vec<String>,
}

impl<'a> Leads<'a> {
    /// Derives the configurations of a cluster.
    pub fn of(cluster: &'a Cluster) -> Self {
        let mut leads = Self::default();
        leads.gaps.extend(cluster.read.attachments.gap("NetworkAttachmentDefinition"));
        if cluster.attachments.is_empty() && leads.gaps.is_empty() {
            // Whereabouts works without attachments. Then no object names the ranges.
            leads.gaps.push(
                "there is no NetworkAttachmentDefinition: the configurations are on the nodes".to_owned(),
            );
        }
        let mut unknown = Vec::new();
        for (meta, attachment) in &cluster.attachments {
            match &attachment.ipam {
                Ipam::Other => {}
                Ipam::Whereabouts(configs) => configs.iter().for_each(|it| leads.add(meta, it, cluster)),
                Ipam::Unknown(why) => unknown.push(format!("{}/{}: {why}", meta.namespace, meta.name)),
            }
        }
        if !unknown.is_empty() {
            let unknown: Vec<_> = unknown.iter().map(String::as_str).collect();
            let attachments = listed(&unknown);
            leads
                .gaps
                .push(format!("some NetworkAttachmentDefinitions may lead to any pool ({attachments})"));
        }
        leads
    }

    /// The configurations that lead to the pool called `name`.
    pub fn to(&self, name: &str) -> &[Lead<'a>] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn add(&mut self, attachment: &'a Meta, config: &'a Config, cluster: &'a Cluster) {
        let network = Some(config.network.as_str()).filter(|network| !network.is_empty());
        let Some(slices) = &config.node_slices else {
            for range in &config.ranges {
                let name = joined(network, None, &range.network.to_string());
                self.by_name.entry(name).or_default().push(Lead { attachment, config, range: Some(range) });
            }
            return;
        };
        let coverage = &cluster.read.node_slices;
        if !cluster.pools.iter().all(|pool| coverage.has(&pool.meta.namespace)) {
            let gap = coverage.gap("NodeSlicePool").filter(|gap| !self.gaps.contains(gap));
            self.gaps.extend(gap);
        }
        let is_it = |(meta, _): &(&Meta, &NodeSlices)| meta.name == *slices;
        for (_, NodeSlices { slices, .. }) in cluster.node_slices.iter().filter(is_it) {
            for slice in slices.iter().filter(|slice| !slice.node.is_empty()) {
                let name = joined(network, Some(&slice.node), &slice.range);
                self.by_name.entry(name).or_default().push(Lead { attachment, config, range: None });
            }
        }
    }
}

/// The name of a pool: `[network-][node-]range`.
fn joined(network: Option<&str>, node: Option<&str>, range: &str) -> String {
    let range = range.replace([':', '/'], "-");
    network.into_iter().chain(node).chain([range.as_str()]).collect::<Vec<_>>().join("-")
}
