//! IPP2xx: the entries of a pool.

use ippool_webhook::kinds::ippool::{IpPool, Pool};
use ippool_webhook::lint;
use ippool_webhook::policy::Policy;
use serde_json::json;
use testkit::review::{created, denied, holding};

#[test]
fn of_two_spellings_of_a_number_the_canonical_one_keeps_it() {
    let path = "spec.allocations[01]: ";
    let spelled = format!("{path}Invalid value: \"01\": must be written 1 (10.0.0.1)");
    let collides = format!("{path}Duplicate value: \"01\": is read as 1, like the key 1 (10.0.0.1)");
    let response = created("10.0.0.0-24", &holding("10.0.0.0/24", &["01", "1", "2"])).1;
    denied(&response, &[("IPP203", &spelled), ("IPP204", &collides)]);
}

#[test]
fn a_key_that_begins_as_a_large_number_is_not_one() {
    let large = "99999999999999999999";
    let number =
        format!("spec.allocations[{large}]: Invalid value: \"{large}\": must be at most 9223372036854775807");
    denied(&created("10.0.0.0-24", &holding("10.0.0.0/24", &[large])).1, &[("IPP207", &number)]);
    let word = format!("spec.allocations[{large}x]: Invalid value: \"{large}x\": must be a decimal number");
    let response = created("10.0.0.0-24", &holding("10.0.0.0/24", &[&format!("{large}x")])).1;
    denied(&response, &[("IPP202", &word)]);
}

#[test]
fn a_pool_is_near_the_size_limit_past_one_mebibyte() {
    let mut object = holding("10.0.0.0/24", &["1"]);
    object["x"] = json!("");
    let shorter = object.to_string().len();
    for (bytes, said) in [
        (1 << 20, ""),
        ((1 << 20) + 1, "1 entries take 66 % of what etcd stores; past that every write fails"),
    ] {
        object["x"] = json!("x".repeat(bytes - shorter));
        let text = object.to_string();
        let pool = Pool::parse(&text).unwrap();
        let findings = lint::<IpPool>(&pool, &Policy::default());
        let details: Vec<_> = findings.iter().map(|it| (it.rule.id, it.detail.as_ref())).collect();
        let expected: &[_] = if said.is_empty() { &[] } else { &[("IPP215", said)] };
        assert_eq!(details, expected);
    }
}
