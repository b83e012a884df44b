//! IPP4xx: the name by which whereabouts finds a pool.

use ippool_webhook::admission::Endpoint;
use serde_json::{Value, json};
use testkit::review::{PERSON, allowed, ask, created, denied, holding, review};

#[test]
fn a_name_with_another_spelling_is_denied_with_the_right_one() {
    for (name, range, right) in [
        ("192.168.2.225-28", "192.168.2.224/28", "192.168.2.224-28"),
        ("2001-db8-0-0---64", "2001:db8::/64", "2001-db8---64"),
        ("blue-2001-db8-0-0---64", "2001:db8::/64", "blue-2001-db8---64"),
    ] {
        let start =
            format!("metadata.name: Invalid value: \"{name}\": must be {right}, or whereabouts never");
        denied(&created(name, &holding(range, &[])).1, &[("IPP401", &start)]);
    }
}

#[test]
fn a_name_with_host_bits_is_whereabouts_own_after_a_prefix() {
    for name in ["blue-10.0.0.5-24", "node-1-10.0.0.5-24", "10.0.0.0-24", "blue-node-1-10.0.0.0-24"] {
        assert_eq!(allowed(&created(name, &holding("10.0.0.0/24", &[])).1), [""; 0], "{name}");
    }
    assert_eq!(allowed(&created("blue-fd00--5-64", &holding("fd00::/64", &[])).1), [""; 0]);
}

#[test]
fn the_name_of_another_network_is_denied_on_create() {
    let start = "metadata.name: Invalid value: \"10.9.0.0-24\": \
                 must end in 10.0.0.0-24: this is the name of the pool of 10.9.0.0/24";
    denied(&created("10.9.0.0-24", &holding("10.0.0.0/24", &[])).1, &[("IPP401", start)]);
}

#[test]
fn a_name_longer_than_the_apiserver_accepts_is_left_to_it() {
    let name = |bytes: usize| format!("{}-10.9.0.0-24", "a".repeat(bytes - 12));
    let start = "metadata.name: Invalid value: ";
    denied(&created(&name(253), &holding("10.0.0.0/24", &[])).1, &[("IPP401", start)]);
    assert_eq!(allowed(&created(&name(254), &holding("10.0.0.0/24", &[])).1), [""; 0]);
}

#[test]
fn a_name_that_the_apiserver_completes_is_checked_as_far_as_it_is_known() {
    let mut object = holding("10.0.0.0/24", &[]);
    object["metadata"] = json!({ "generateName": "10.9.0.0-24" });
    let response = ask(Endpoint::Validate, &review("CREATE", PERSON, &object, &Value::Null));
    denied(
        &response,
        &[("IPP401", "metadata.name: Invalid value: \"10.9.0.0-24\": must end in 10.0.0.0-24")],
    );
}
