//! IPP507: slices of a network that belong to nodes.

use std::collections::HashMap;

use ipnet::IpNet;

use super::{AUDIT, Across, Findings, Object};
use crate::finding::{FieldPath, Report, RuleInfo};
use crate::kinds::ippool::Range;
use crate::kinds::ippool::cluster::{Meta, NodeSlices};
use crate::kinds::ippool::rules::{Check, Rule};

const ROOT: &str = "status.allocations";

/// Two nodes hand out the same addresses, or a node hands out those of another network.
pub static NODE_SLICE_WRONG: Rule = Rule {
    info: RuleInfo {
        id: "IPP507",
        name: "node-slice-wrong",
        summary: "a slice outside its range, a slice or node twice, or a node that is gone",
        page: include_str!("../IPP507-node-slice-wrong.md"),
        ..AUDIT
    },
    check: Check::Across(Across {
        kind: "NodeSlicePool",
        is_momentary: true,
        check: |facts, findings| {
            for (meta, slices) in &facts.cluster.node_slices {
                check_slices(meta, slices, findings);
                check_nodes(meta, slices, findings);
            }
            let mut assigned = facts.cluster.node_slices.values().flat_map(|it| &it.slices);
            let Some(gap) = facts.cluster.read.nodes.gap("Node") else {
                let is_gone = |node: &str| !node.is_empty() && !facts.cluster.nodes.contains(node);
                for (meta, slices) in &facts.cluster.node_slices {
                    report_gone(meta, slices, is_gone, findings);
                }
                return;
            };
            if assigned.any(|slice| !slice.node.is_empty()) {
                findings.not_done(gap);
            }
        },
    }),
};

fn object(meta: &Meta) -> Object<'_> {
    Object::of("NodeSlicePool", meta)
}

/// `status.allocations[index].field`.
fn path(index: usize, field: &'static str) -> FieldPath<'static> {
    FieldPath::entry(ROOT, index.to_string(), i64::try_from(index).ok()).field(field)
}

fn check_slices<'a>(meta: &'a Meta, slices: &'a NodeSlices, findings: &mut Findings<'_, 'a>) {
    let whole = Range::parse(&slices.range).map(|range| range.network());
    findings.on(&object(meta), 0, |report| {
        if whole.is_err() {
            report.invalid(FieldPath::of("spec.range"), slices.range.as_str(), "must be a CIDR");
        }
        let mut networks = Vec::new();
        for (index, slice) in slices.slices.iter().enumerate() {
            let written = slice.range.as_str();
            match (Range::parse(written).map(|range| range.network()), whole) {
                (Err(_), _) => {
                    report.invalid(path(index, "sliceRange"), written, "must be a CIDR");
                }
                (Ok(network), Ok(whole)) if !whole.contains(&network) => {
                    report.invalid(path(index, "sliceRange"), written, format!("must be within {whole}"));
                }
                (Ok(network), _) => networks.push((network, index)),
            }
        }
        report_shared(networks, slices, report);
    });
}

/// Reports slices that share addresses. After sorting, a network directly follows those that contain it.
fn report_shared<'a>(mut networks: Vec<(IpNet, usize)>, slices: &'a NodeSlices, report: &mut Report<'_, 'a>) {
    networks.sort_unstable();
    let mut around: Option<(IpNet, usize)> = None;
    for (network, index) in networks {
        match around {
            Some((outer, other)) if outer.contains(&network) => {
                let (first, second) = (index.min(other), index.max(other));
                let written = slices.slices.get(second).map(|it| it.range.as_str()).unwrap_or_default();
                let detail = format!("shares addresses with {}", path(first, "sliceRange"));
                report.duplicate(path(second, "sliceRange"), written, detail);
            }
            _ => around = Some((network, index)),
        }
    }
}

fn check_nodes<'a>(meta: &'a Meta, slices: &'a NodeSlices, findings: &mut Findings<'_, 'a>) {
    findings.on(&object(meta), 0, |report| {
        let mut first_of = HashMap::new();
        for (index, slice) in slices.slices.iter().enumerate().filter(|(_, it)| !it.node.is_empty()) {
            let first = *first_of.entry(slice.node.as_str()).or_insert(index);
            if first != index {
                let detail = format!("has {} already", path(first, "sliceRange"));
                report.duplicate(path(index, "nodeName"), slice.node.as_str(), detail);
            }
        }
    });
}

fn report_gone<'a>(
    meta: &'a Meta,
    slices: &'a NodeSlices,
    is_gone: impl Fn(&str) -> bool,
    findings: &mut Findings<'_, 'a>,
) {
    findings.on(&object(meta), 0, |report| {
        for (index, slice) in slices.slices.iter().enumerate().filter(|(_, it)| is_gone(&it.node)) {
            report.invalid(path(index, "nodeName"), slice.node.as_str(), "must be a node that exists");
        }
    });
}
