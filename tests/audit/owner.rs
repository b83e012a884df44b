//! IPP504, and the counts of a pool.

use serde_json::json;

use crate::objects::{NONE, audit, entry, in_namespace, pod, pool_of, reserved, with};

#[test]
fn an_entry_whose_pod_does_not_exist_is_leaked() {
    let pool = pool_of(&[("1", entry("default/web-0")), ("2", entry("default/web-1")), ("3", reserved())]);
    let audit = audit(&[pool, pod("default/web-0", &["10.0.9.1"])]);
    assert_eq!(audit.of("IPP504"), ["kube-system/10.0.9.0-24 spec.allocations[2].podref 10.0.9.2"]);
    assert_eq!(
        audit.messages("IPP504"),
        ["Invalid value: \"default/web-1\": must be a pod that exists (10.0.9.2) [IPP504]"]
    );
    let pool = &audit.report["pools"][0];
    let counts =
        ["allocated", "reserved", "leaked", "conflicting"].map(|count| pool[count].as_u64().unwrap());
    assert_eq!(counts, [3, 1, 1, 0]);
    assert_eq!((&pool["capacity"], audit.code), (&json!("254"), Some(0)));
}

#[test]
fn an_entry_whose_pod_has_finished_is_leaked() {
    for phase in ["Succeeded", "Failed"] {
        let finished = with(pod("default/web-0", &["10.0.9.1"]), "/status/phase", json!(phase));
        let audit = audit(&[pool_of(&[("1", entry("default/web-0"))]), finished]);
        assert_eq!(audit.of("IPP504").len(), 1, "{phase}");
        assert_eq!(audit.found().len(), 1, "{phase}: {:?}", audit.found());
    }
}

#[test]
fn an_address_that_is_kept_by_hand_or_by_a_claim_is_not_leaked() {
    let claimed = with(entry("vms/vm-a"), "/ipamclaimref", json!("vms/vm-a.net1"));
    let pool = pool_of(&[("1", claimed), ("2", reserved()), ("3", entry("no-pod"))]);
    let audit = audit(&[pool, pod("default/web-0", &[]), pod("vms/other", &[])]);
    assert_eq!(audit.of("IPP504"), NONE);
    // A podref that cannot be one is another rule's.
    assert_eq!(audit.of("IPP210").len(), 1);
    assert_eq!(audit.not_done("IPP504"), NONE);
}

#[test]
fn a_pod_that_is_pending_or_being_deleted_has_its_address() {
    let pending = with(pod("default/web-0", &[]), "/status/phase", json!("Pending"));
    let deleted =
        with(pod("default/web-1", &[]), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    let pool = pool_of(&[("1", entry("default/web-0")), ("2", entry("default/web-1"))]);
    let audit = audit(&[pool, pending, deleted]);
    assert_eq!(audit.found(), NONE);
}

#[test]
fn without_pods_no_owner_is_taken_for_gone() {
    let audit = audit(&[pool_of(&[("1", entry("default/web-0"))])]);
    assert_eq!(audit.found(), NONE);
    assert_eq!(audit.not_done("IPP504"), ["the dump has no Pod"]);
}

#[test]
fn in_a_namespace_whose_pods_were_not_read_no_owner_is_gone() {
    // As `kubectl get ippools,pods -n kube-system` lists them: pods of one namespace only.
    let other = pod("kube-system/other", &[]);
    let pool = pool_of(&[("1", entry("tenant/web-0")), ("2", entry("kube-system/gone"))]);
    let audit = audit(&[pool, other]);
    assert_eq!(audit.of("IPP504"), ["kube-system/10.0.9.0-24 spec.allocations[2].podref 10.0.9.2"]);
    assert_eq!(audit.not_done("IPP504"), ["pods of these namespaces were not read: tenant"]);
}

#[test]
fn in_a_list_of_all_namespaces_an_owner_of_any_is_gone() {
    let pool = pool_of(&[("1", entry("tenant/web-0"))]);
    let audit = audit(&[pool, in_namespace("default", pod("default/web-1", &[]))]);
    assert_eq!(audit.of("IPP504"), ["kube-system/10.0.9.0-24 spec.allocations[1].podref 10.0.9.1"]);
}
