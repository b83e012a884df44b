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

/// The findings about a pool of one entry that belongs to `podref`.
fn about_podref(podref: &str) -> Vec<String> {
    let mut object = holding("10.0.0.0/24", &["1"]);
    object["spec"]["allocations"]["1"]["podref"] = json!(podref);
    let text = object.to_string();
    let pool = Pool::parse(&text).unwrap();
    lint::<IpPool>(&pool, &Policy::default()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_podref_is_a_namespace_and_a_name_as_kubernetes_allows_them() {
    let long = |namespace: usize, name: usize| format!("{}/{}", "a".repeat(namespace), "b".repeat(name));
    let sixteen = "abcdefgh01234567";
    for podref in [
        "a/b",
        "0/1",
        "kube-system/a.b-c.d",
        "a-b/c-d",
        &long(63, 253),
        &format!("a/{sixteen}"),
        &format!("a/{sixteen}-8"),
    ] {
        assert_eq!(about_podref(podref), [""; 0], "{podref}");
    }
    for podref in [
        "a",
        "/b",
        "a/",
        "a/b/c",
        "A/b",
        "a/B",
        "a.b/c",
        "-a/b",
        "a-/b",
        "a/-b",
        "a/b-",
        "a/b.",
        "a/b..c",
        "a/b.-c",
        "a/b-.c",
        "a/b.c_d",
        &long(64, 1),
        &long(1, 254),
        &format!("a/{sixteen}_"),
        &format!("a/_{sixteen}"),
        "a/abc_efgh0123_567",
        &format!("a/{sixteen}_{sixteen}"),
        &format!("a/ab__efgh01234567{sixteen}"),
    ] {
        let said = about_podref(podref);
        assert_eq!(said.len(), 1, "{podref}: {said:?}");
        let detail = "must be namespace/name of the pod, or the address is freed (10.0.0.1) [IPP210]";
        assert!(said[0].starts_with("spec.allocations[1].podref: ") && said[0].ends_with(detail), "{said:?}");
    }
}

#[test]
fn an_ifname_is_the_name_of_a_linux_interface() {
    let about = |ifname: &str| {
        let mut object = holding("10.0.0.0/24", &["1"]);
        object["spec"]["allocations"]["1"]["ifname"] = json!(ifname);
        let text = object.to_string();
        let pool = Pool::parse(&text).unwrap();
        lint::<IpPool>(&pool, &Policy::default()).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for ifname in ["net1", "a", "...", "fifteen-letters", "eth0.100"] {
        assert_eq!(about(ifname), [""; 0], "{ifname}");
    }
    for ifname in ["", ".", "..", "sixteen-letters!", "a/b", "a:b", "a b", "a\u{b}b", "a\0b"] {
        let said = about(ifname);
        assert_eq!(said.len(), 1, "{ifname}: {said:?}");
        let detail = "must be an interface name: 1 to 15 bytes, no /, : or whitespace (10.0.0.1) [IPP214]";
        assert!(said[0].starts_with("spec.allocations[1].ifname: ") && said[0].ends_with(detail), "{said:?}");
    }
}

#[test]
fn an_entry_that_is_not_an_object_is_named_with_its_type() {
    let mut object = holding("10.0.0.0/24", &["1", "2", "3"]);
    object["spec"]["allocations"]["1"] = json!([]);
    object["spec"]["allocations"]["2"] = json!("text");
    object["spec"]["allocations"]["3"] = json!(null);
    let wanted = "must be an object with id and podref";
    let [list, text] = ["1", "2"].map(|key| format!("spec.allocations[{key}]: Invalid value: "));
    let (list, text) = (format!("{list}\"array\": {wanted}"), format!("{text}\"string\": {wanted}"));
    let null = format!("spec.allocations[3]: Required value: {wanted}");
    let response = created("10.0.0.0-24", &object).1;
    denied(&response, &[("IPP209", &list), ("IPP209", &text), ("IPP209", &null)]);
}
