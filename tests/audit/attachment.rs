//! IPP508 and IPP509.

use serde_json::json;

use crate::objects::{NONE, attachment, audit, entry, node_slices, pool, pool_of, reserved, with};

const RANGE: &str = "10.0.9.0/24";

#[test]
fn an_address_outside_start_and_end_is_not_allowed() {
    let entries = ["9", "10", "20", "21"].map(|offset| (offset, entry(&format!("default/web-{offset}"))));
    let nad = attachment(
        "macvlan",
        json!({ "range": RANGE, "range_start": "10.0.9.10", "range_end": "10.0.9.20" }),
    );
    let audit = audit(&[pool_of(&entries), nad]);
    assert_eq!(
        audit.of("IPP508"),
        [
            "kube-system/10.0.9.0-24 spec.allocations[9] 10.0.9.9",
            "kube-system/10.0.9.0-24 spec.allocations[21] 10.0.9.21",
        ]
    );
    let message = "must be from 10.0.9.10 to 10.0.9.20, which the NetworkAttachmentDefinition default/macvlan hands out";
    assert_eq!(audit.messages("IPP508")[0], format!("Invalid value: \"9\": {message} (10.0.9.9) [IPP508]"));
}

#[test]
fn an_excluded_address_is_not_allowed() {
    let entries = ["7", "8", "12"].map(|offset| (offset, entry(&format!("default/web-{offset}"))));
    let nad = attachment("macvlan", json!({ "range": RANGE, "exclude": ["10.0.9.8/30", "10.0.9.7"] }));
    let audit = audit(&[pool_of(&entries), nad]);
    assert_eq!(audit.of("IPP508").len(), 2, "{:?}", audit.found());
    assert!(audit.messages("IPP508")[1].contains("must not be in 10.0.9.8/30, which the"));
}

#[test]
fn an_address_that_another_attachment_allows_is_allowed() {
    let narrow = attachment("narrow", json!({ "range": RANGE, "range_start": "10.0.9.100" }));
    let wide = attachment("wide", json!({ "range": RANGE }));
    assert_eq!(audit(&[pool_of(&[("9", entry("default/web-0"))]), narrow, wide]).of("IPP508"), NONE);
}

#[test]
fn a_reservation_by_hand_may_be_anywhere() {
    let nad = attachment("macvlan", json!({ "range": RANGE, "range_start": "10.0.9.100" }));
    let entries = [("1", reserved()), ("0", entry("default/web-0")), ("300", entry("default/web-1"))];
    let audit = audit(&[pool_of(&entries), nad]);
    assert_eq!(audit.of("IPP508"), NONE, "the others are IPP208's and IPP206's");
    assert_eq!((audit.of("IPP208").len(), audit.of("IPP206").len()), (1, 1));
}

#[test]
fn a_start_outside_the_range_is_ignored() {
    let nad =
        attachment("macvlan", json!({ "range": RANGE, "range_start": "10.0.8.1", "range_end": "10.0.10.1" }));
    assert_eq!(audit(&[pool_of(&[("9", entry("default/web-0"))]), nad]).of("IPP508"), NONE);
}

#[test]
fn the_slice_of_a_node_has_no_start_and_no_end() {
    let audit = audit(&[
        pool("node-1-10.0.9.0-26", "10.0.9.0/26", &[("9", entry("default/web-0"))]),
        node_slices("macvlan", RANGE, &[("node-1", "10.0.9.0/26")]),
        attachment(
            "macvlan",
            json!({ "range": RANGE, "node_slice_size": "/26", "range_start": "10.0.9.100" }),
        ),
    ]);
    assert_eq!(audit.of("IPP508"), NONE);
}

#[test]
fn an_attachment_that_nobody_can_read_may_allow_the_address() {
    let nad = attachment("macvlan", json!({ "range": RANGE, "range_start": "10.0.9.100" }));
    let in_file = with(attachment("file", json!({})), "/spec", json!({}));
    let audit = audit(&[pool_of(&[("9", entry("default/web-0"))]), nad, in_file]);
    assert_eq!(audit.of("IPP508"), NONE);
    assert_eq!(audit.not_done("IPP508").len(), 1);
}

#[test]
fn an_entry_without_ifname_beside_others_is_from_before_the_upgrade() {
    let old = |podref: &str| json!({ "id": "old", "podref": podref });
    let pool = pool_of(&[("1", entry("default/web-0")), ("2", old("default/web-1")), ("3", old(""))]);
    let audit_of_both = audit(&[pool]);
    assert_eq!(audit_of_both.of("IPP509"), ["kube-system/10.0.9.0-24 spec.allocations[2].ifname 10.0.9.2"]);
    let message = "must be the interface, without which whereabouts since 0.8 does not release it";
    assert_eq!(audit_of_both.messages("IPP509"), [format!("Required value: {message} (10.0.9.2) [IPP509]")]);
    let all_old = pool_of(&[("1", old("default/web-0")), ("2", old("default/web-1"))]);
    assert_eq!(audit(&[all_old]).of("IPP509"), NONE);
}
