//! IPP507.

use serde_json::json;

use crate::objects::{NONE, audit, audit_text, node, node_slices, with};

const OBJECT: &str = "NodeSlicePool kube-system/macvlan";

#[test]
fn slices_within_their_range_are_right() {
    let slices =
        [("node-1", "10.0.9.0/26"), ("node-2", "10.0.9.64/26"), ("", "10.0.9.128/26"), ("", "10.0.9.192/26")];
    let audit = audit(&[node_slices("macvlan", "10.0.9.0/24", &slices), node("node-1"), node("node-2")]);
    assert_eq!(audit.found(), NONE);
    assert_eq!(audit.not_done("IPP507"), NONE);
}

#[test]
fn a_slice_outside_its_range_is_wrong() {
    let slices = [("node-1", "10.0.10.0/26"), ("", "10.0.9.5"), ("", "10.0.8.0/23")];
    let audit = audit(&[node_slices("macvlan", "10.0.9.0/24", &slices), node("node-1")]);
    let path = |index| format!("{OBJECT} status.allocations[{index}].sliceRange");
    assert_eq!(audit.of("IPP507"), [path(0), path(1), path(2)]);
    assert_eq!(
        audit.messages("IPP507")[0],
        "Invalid value: \"10.0.10.0/26\": must be within 10.0.9.0/24 [IPP507]"
    );
}

#[test]
fn slices_that_share_addresses_and_a_node_with_two_are_wrong() {
    let slices = [
        ("node-2", "10.0.9.64/26"),
        ("node-1", "10.0.9.0/26"),
        ("node-1", "10.0.9.128/26"),
        ("node-3", "10.0.9.7/26"),
        ("", "10.0.9.16/28"),
    ];
    let nodes = ["node-1", "node-2", "node-3"].map(node);
    let audit = audit(&[[node_slices("macvlan", "10.0.9.0/24", &slices)].as_slice(), &nodes].concat());
    assert_eq!(
        audit.of("IPP507"),
        [
            format!("{OBJECT} status.allocations[2].nodeName"),
            format!("{OBJECT} status.allocations[3].sliceRange"),
            format!("{OBJECT} status.allocations[4].sliceRange"),
        ]
    );
    assert_eq!(
        audit.messages("IPP507")[1],
        "Duplicate value: \"10.0.9.7/26\": shares addresses with status.allocations[1].sliceRange [IPP507]"
    );
}

#[test]
fn a_slice_of_a_node_that_is_gone_is_wrong() {
    let slices =
        node_slices("macvlan", "10.0.9.0/24", &[("node-1", "10.0.9.0/26"), ("node-2", "10.0.9.64/26")]);
    let with_nodes = audit(&[slices.clone(), node("node-1")]);
    assert_eq!(with_nodes.of("IPP507"), [format!("{OBJECT} status.allocations[1].nodeName")]);
    let without = audit(std::slice::from_ref(&slices));
    assert_eq!(without.found(), NONE);
    assert_eq!(without.not_done("IPP507"), ["the dump has no Node"]);
    // As `kubectl get node node-1` prints it.
    let single = audit_text(&format!("{slices}\n{}", node("node-1")), &[]);
    assert_eq!(single.found(), NONE);
    assert_eq!(single.not_done("IPP507"), ["the dump has single Nodes, which are in no list of Nodes"]);
}

#[test]
fn a_range_that_is_no_cidr_is_wrong() {
    let slices = with(node_slices("macvlan", "x", &[]), "/spec/range", json!("10.0.9.0"));
    assert_eq!(audit(&[slices]).of("IPP507"), [format!("{OBJECT} spec.range")]);
}
