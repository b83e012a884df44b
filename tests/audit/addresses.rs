//! IPP505.

use serde_json::json;

use crate::objects::{NONE, attachment, audit, entry, plain_attachment, pod, pool_of, with};

const STATUS: &str = "/metadata/annotations/k8s.v1.cni.cncf.io~1network-status";

#[test]
fn an_entry_whose_pod_shows_another_address_is_not_on_it() {
    let pool = pool_of(&[("1", entry("default/web-0")), ("2", entry("default/web-1"))]);
    let audit = audit(&[pool, pod("default/web-0", &["10.0.9.1"]), pod("default/web-1", &["10.9.9.9"])]);
    assert_eq!(audit.found(), ["IPP505 kube-system/10.0.9.0-24 spec.allocations[2].podref 10.0.9.2"]);
    let message = "must show this address, and its network-status has 10.244.0.7, 10.9.9.9";
    assert_eq!(
        audit.messages("IPP505"),
        [format!("Invalid value: \"default/web-1\": {message} (10.0.9.2) [IPP505]")]
    );
}

#[test]
fn an_entry_of_an_earlier_pod_of_the_name_is_not_on_the_new_one() {
    let pool = pool_of(&[("1", entry("default/web-0")), ("2", entry("default/web-0"))]);
    let audit = audit(&[pool, pod("default/web-0", &["10.0.9.2"])]);
    assert_eq!(audit.of("IPP505"), ["kube-system/10.0.9.0-24 spec.allocations[1].podref 10.0.9.1"]);
    assert_eq!(audit.of("IPP504"), NONE);
}

#[test]
fn a_network_status_that_cannot_be_read_shows_nothing() {
    let broken = with(pod("default/web-0", &[]), STATUS, json!("[{"));
    let audit = audit(&[pool_of(&[("1", entry("default/web-0"))]), broken]);
    assert_eq!(audit.of("IPP505"), ["kube-system/10.0.9.0-24 spec.allocations[1].podref 10.0.9.1"]);
    assert!(audit.messages("IPP505")[0].contains("its network-status cannot be read"));
}

#[test]
fn an_address_is_shown_in_any_spelling_and_among_the_pod_ips() {
    let spelled = pod("default/web-0", &["10.0.9.1/24"]);
    let own = with(pod("default/web-1", &[]), "/status/podIPs", json!([{ "ip": "10.0.9.2" }]));
    let old = with(
        pod("default/web-2", &[]),
        "/metadata/annotations",
        json!({
            "k8s.v1.cni.cncf.io/networks-status": json!([{ "name": "x", "ips": ["10.0.9.3"] }]).to_string(),
        }),
    );
    let pool = pool_of(&[
        ("1", entry("default/web-0")),
        ("2", entry("default/web-1")),
        ("3", entry("default/web-2")),
    ]);
    assert_eq!(audit(&[pool, spelled, own, old]).found(), NONE);
}

#[test]
fn a_pod_without_a_network_status_is_not_judged() {
    let silent = with(pod("default/web-0", &[]), "/metadata/annotations", json!({}));
    let audit = audit(&[pool_of(&[("1", entry("default/web-0"))]), silent]);
    assert_eq!(audit.found(), NONE);
    assert_eq!(audit.not_done("IPP505"), ["these pods have no network-status: default/web-0"]);
}

/// A pool that holds 10.0.9.1 for web-0, and a pod that shows 10.0.9.7.
fn with_stray(more: &[serde_json::Value]) -> Vec<serde_json::Value> {
    let pool = pool_of(&[("1", entry("default/web-0"))]);
    let mut objects = vec![pool, pod("default/web-0", &["10.0.9.1"]), pod("default/stray", &["10.0.9.7"])];
    objects.extend_from_slice(more);
    objects
}

const STRAY: &str = "Pod default/stray metadata.annotations[k8s.v1.cni.cncf.io/network-status] 10.0.9.7";

#[test]
fn an_address_that_no_pool_holds_is_found_by_its_attachment() {
    let audit = audit(&with_stray(&[attachment("macvlan", json!({ "range": "10.0.9.0/24" }))]));
    assert_eq!(audit.of("IPP505"), [STRAY]);
    let message = "must have an allocation in the pool kube-system/10.0.9.0-24";
    assert_eq!(
        audit.messages("IPP505"),
        [format!("Invalid value: \"10.0.9.7\": {message} (10.0.9.7) [IPP505]")]
    );
}

#[test]
fn an_address_that_no_pool_holds_is_found_by_another_pod_of_its_network() {
    assert_eq!(audit(&with_stray(&[])).found(), [format!("IPP505 {STRAY}")]);
}

#[test]
fn an_address_from_another_plugin_is_no_finding() {
    let config = json!({ "type": "macvlan", "ipam": { "type": "static", "addresses": [{ "address": "10.0.9.7/24" }] } });
    let audit = audit(&with_stray(&[plain_attachment("macvlan", &config)]));
    assert_eq!(audit.of("IPP505"), NONE);
}

#[test]
fn an_address_that_was_asked_for_is_no_finding() {
    let fixed = json!({ "range": "10.0.9.0/24", "addresses": [{ "address": "10.0.9.7/24" }] });
    assert_eq!(audit(&with_stray(&[attachment("macvlan", fixed)])).of("IPP505"), NONE);
    let networks = json!([{ "name": "macvlan", "ips": ["10.0.9.7/24"] }]).to_string();
    let mut objects = with_stray(&[attachment("macvlan", json!({ "range": "10.0.9.0/24" }))]);
    objects[2]["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] = json!(networks);
    assert_eq!(audit(&objects).of("IPP505"), NONE);
}

#[test]
fn an_address_from_an_unknown_source_is_not_judged() {
    let pool = pool_of(&[("1", entry("default/web-0"))]);
    let mut stray = pod("default/stray", &[]);
    let status = json!([{ "name": "default/unknown", "ips": ["10.0.9.7"] }]).to_string();
    stray["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"] = json!(status);
    let audit = audit(&[pool, pod("default/web-0", &["10.0.9.1"]), stray]);
    assert_eq!(audit.found(), NONE);
    assert_eq!(
        audit.not_done("IPP505"),
        ["where addresses of pods come from: the dump has no NetworkAttachmentDefinition"]
    );
}

#[test]
fn a_pod_that_has_ended_or_ends_has_given_its_address_back() {
    for (pointer, value) in
        [("/status/phase", "Succeeded"), ("/metadata/deletionTimestamp", "2026-01-01T00:00:00Z")]
    {
        let mut objects = with_stray(&[attachment("macvlan", json!({ "range": "10.0.9.0/24" }))]);
        objects[2] = with(objects[2].clone(), pointer, json!(value));
        assert_eq!(audit(&objects).of("IPP505"), NONE, "{pointer}");
    }
}

#[test]
fn an_address_whose_entry_whereabouts_cannot_read_is_held() {
    let wide =
        crate::objects::pool("fd00---48", "fd00::/48", &[("18446744073709551615", entry("default/web-0"))]);
    let nad = attachment("macvlan", json!({ "range": "fd00::/48" }));
    let audit = audit(&[wide, pod("default/web-0", &["fd00::ffff:ffff:ffff:ffff"]), nad]);
    assert_eq!(audit.of("IPP505"), NONE);
    assert_eq!(audit.of("IPP207").len(), 1);
}

#[test]
fn a_pod_whose_deletion_is_null_is_not_being_deleted() {
    let pod = with(pod("default/web-0", &["10.0.9.9"]), "/metadata/deletionTimestamp", json!(null));
    let audit = audit(&[pool_of(&[("1", entry("default/web-0"))]), pod]);
    assert_eq!(audit.of("IPP505"), ["kube-system/10.0.9.0-24 spec.allocations[1].podref 10.0.9.1"]);
}
