//! IPP506.

use serde_json::{Value, json};

use crate::objects::{
    NONE, attachment, audit, audit_text, audit_with, entry, in_namespace, node_slices, plain_attachment, pod,
    pool, pool_of, with,
};

/// A pod of whereabouts in `kube-system`.
fn whereabouts(container: &Value) -> Value {
    with(pod("kube-system/x", &[]), "/spec", json!({ "containers": [container] }))
}

#[test]
fn a_pool_where_no_whereabouts_runs_is_unused() {
    let pool = in_namespace("default", pool_of(&[]));
    for container in [
        json!({ "name": "whereabouts", "image": "x" }),
        json!({ "name": "x", "image": "ghcr.io/k8snetworkplumbingwg/whereabouts:v0.9.4" }),
        json!({ "name": "x", "image": "x", "env": [{ "name": "WHEREABOUTS_NAMESPACE" }] }),
    ] {
        let audit = audit(&[pool.clone(), whereabouts(&container)]);
        assert_eq!(audit.found(), ["IPP506 default/10.0.9.0-24 metadata.namespace"], "{container}");
        assert_eq!(
            audit.messages("IPP506"),
            ["Invalid value: \"default\": must be where whereabouts runs: kube-system [IPP506]"]
        );
    }
}

#[test]
fn the_writer_of_a_pool_shows_where_whereabouts_runs() {
    let managed =
        |manager: &str| json!([{ "manager": manager, "operation": "Update", "fieldsV1": { "f:spec": {} } }]);
    let written = |manager: &str| with(pool_of(&[]), "/metadata/managedFields", managed(manager));
    let other = in_namespace("default", pool("10.0.10.0-24", "10.0.10.0/24", &[]));
    let audit_of_plugin = audit(&[written("whereabouts"), other.clone()]);
    assert_eq!(audit_of_plugin.found(), ["IPP506 default/10.0.10.0-24 metadata.namespace"]);
    // The reconciler writes to pools of any namespace.
    let audit = audit(&[written("ip-control-loop"), other]);
    assert_eq!(audit.found(), NONE);
}

#[test]
fn the_flag_says_where_whereabouts_runs() {
    let pools = [pool_of(&[]), in_namespace("openshift-multus", pool("10.0.10.0-24", "10.0.10.0/24", &[]))];
    let found = |flags: &[&str]| audit_with(&pools, flags).found();
    assert_eq!(
        found(&["--whereabouts-namespace=kube-system"]),
        ["IPP506 openshift-multus/10.0.10.0-24 metadata.namespace"]
    );
    assert_eq!(
        found(&["--whereabouts-namespace=kube-system", "--whereabouts-namespace=openshift-multus"]),
        NONE
    );
    assert_eq!(found(&["--whereabouts-namespace="]), NONE, "as a variable that is set to nothing");
}

#[test]
fn without_a_sign_of_whereabouts_no_namespace_is_judged() {
    let audit = audit(&[in_namespace("default", pool_of(&[]))]);
    assert_eq!(audit.found(), NONE);
    assert_eq!(
        audit.not_done("IPP506"),
        [
            "nothing shows in which namespaces whereabouts runs; name them with --whereabouts-namespace",
            "the dump has no NetworkAttachmentDefinition",
        ]
    );
}

#[test]
fn a_pool_to_which_no_attachment_leads_is_unused() {
    let objects = |ipam: Value| {
        [
            pool("10.0.9.0-24", "10.0.9.0/24", &[]),
            pool("blue-10.0.9.0-24", "10.0.9.0/24", &[]),
            attachment("macvlan", ipam),
        ]
    };
    let unnamed = audit(&objects(json!({ "range": "10.0.9.7/24" })));
    assert_eq!(unnamed.of("IPP506"), ["kube-system/blue-10.0.9.0-24 metadata.name"]);
    let named = audit(&objects(json!({ "range": "10.0.9.0/24", "network_name": "blue" })));
    assert_eq!(named.of("IPP506"), ["kube-system/10.0.9.0-24 metadata.name"]);
    assert_eq!(
        named.messages("IPP506"),
        [
            "Invalid value: \"10.0.9.0-24\": must be a name to which a NetworkAttachmentDefinition leads [IPP506]"
        ]
    );
    let ranges = json!({ "ipRanges": [{ "range": "10.0.8.0/24" }, { "range": "10.0.9.1-10.0.9.9/24" }] });
    assert_eq!(audit(&objects(ranges)).of("IPP506"), ["kube-system/blue-10.0.9.0-24 metadata.name"]);
}

#[test]
fn attachments_with_slices_lead_to_the_pool_of_each_node() {
    let audit = audit(&[
        pool("node-1-10.0.9.0-26", "10.0.9.0/26", &[]),
        pool("node-9-10.0.9.64-26", "10.0.9.64/26", &[]),
        node_slices("macvlan", "10.0.9.0/24", &[("node-1", "10.0.9.0/26"), ("", "10.0.9.64/26")]),
        attachment("macvlan", json!({ "range": "10.0.9.0/24", "node_slice_size": "/26" })),
    ]);
    assert_eq!(audit.of("IPP506"), ["kube-system/node-9-10.0.9.64-26 metadata.name"]);
}

#[test]
fn a_pool_from_which_a_pod_has_its_address_is_used() {
    let used = pool("10.0.9.0-24", "10.0.9.0/24", &[("1", entry("default/web-0"))]);
    let nad = attachment("other", json!({ "range": "10.0.8.0/24" }));
    let running = pod("default/web-0", &["10.0.9.1"]);
    assert_eq!(audit(&[used.clone(), nad.clone(), running.clone()]).of("IPP506"), NONE);
    // Another pool holds the address as well, and an attachment leads there.
    let better = pool("blue-10.0.9.0-24", "10.0.9.0/24", &[("1", entry("default/web-0"))]);
    let blue = attachment("blue", json!({ "range": "10.0.9.0/24", "network_name": "blue" }));
    assert_eq!(
        audit(&[used, nad, running, better, blue]).of("IPP506"),
        ["kube-system/10.0.9.0-24 metadata.name"]
    );
}

#[test]
fn an_attachment_that_nobody_can_read_may_lead_anywhere() {
    let pool = pool_of(&[]);
    let in_file = with(attachment("file", json!({})), "/spec", json!({}));
    let nested =
        plain_attachment("nested", &json!({ "type": "x", "inner": { "ipam": { "type": "whereabouts" } } }));
    let broken = with(attachment("broken", json!({})), "/spec/config", json!("{"));
    for (attachment, why) in [
        (in_file, "default/file: its configuration is in a file on the nodes"),
        (nested, "default/nested: it uses whereabouts in a part that only its plugin knows"),
        (broken, "default/broken: its configuration is not JSON: "),
    ] {
        let audit = audit(&[pool.clone(), attachment]);
        assert_eq!(audit.of("IPP506"), NONE, "{why}");
        let reasons = audit.not_done("IPP506");
        assert!(reasons.iter().any(|it| it.contains(why)), "{reasons:?}");
    }
}

#[test]
fn attachments_of_one_namespace_do_not_show_what_is_unused() {
    // As `kubectl get ippools,net-attach-def -n kube-system` lists them.
    let nad = in_namespace("kube-system", attachment("macvlan", json!({ "range": "10.0.8.0/24" })));
    let audit = audit(&[pool_of(&[]), nad]);
    assert_eq!(audit.found(), NONE);
    let reason = "only the NetworkAttachmentDefinitions of these namespaces were read: kube-system";
    assert!(audit.not_done("IPP506").contains(&reason.to_owned()), "{:?}", audit.not_done("IPP506"));
}

#[test]
fn a_list_of_attachments_of_one_namespace_is_not_taken_for_all() {
    // As `kubectl get ippools -A` and `kubectl get net-attach-def` list them, one after the other.
    let pools = [pool_of(&[]), in_namespace("default", pool("10.0.10.0-24", "10.0.10.0/24", &[]))];
    let nad = attachment("macvlan", json!({ "range": "10.0.8.0/24" }));
    let list = |items: &[Value]| json!({ "kind": "List", "apiVersion": "v1", "items": items }).to_string();
    let audit = audit_text(&format!("{}\n{}", list(&pools), list(&[nad])), &[]);
    assert_eq!(audit.found(), NONE);
    let reason = "only the NetworkAttachmentDefinitions of these namespaces were read: default";
    assert_eq!(audit.not_done("IPP508"), [reason]);
}

#[test]
fn a_program_with_whereabouts_in_its_name_does_not_show_where_it_runs() {
    let exporter =
        in_namespace("monitoring", whereabouts(&json!({ "name": "x", "image": "whereabouts-exporter" })));
    // As one list of pools and one of pods show it.
    let lists = [pool_of(&[]), exporter].map(|it| format!(r#"{{"kind":"List","items":[{it}]}}"#)).join("\n");
    let audit = audit_text(&lists, &[]);
    assert_eq!(audit.found(), NONE);
    assert!(audit.not_done("IPP506")[0].starts_with("nothing shows in which namespaces whereabouts runs"));
}
