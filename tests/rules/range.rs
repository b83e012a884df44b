//! IPP1xx: what is wrong with a range, and what would be right.

use ippool_webhook::admission::Endpoint;
use ippool_webhook::kinds::ippool::{IpPool, Pool};
use ippool_webhook::lint;
use ippool_webhook::policy::Policy;
use serde_json::Value;
use testkit::review::{PERSON, allowed, ask, causes, created, denied, holding, review};

#[test]
fn a_common_mistake_in_a_range_is_named_with_what_would_be_right() {
    let slips = [
        ("10.0.0.1", "with a prefix length after the address, for example 10.0.0.0/24"),
        ("10.0.0.0/33", "with a prefix length from 0 to 32 for IPv4"),
        ("fd00::/-1", "with a prefix length from 0 to 128 for IPv6"),
        ("10.0.0.0/255.255.254.0", "with a prefix length in place of the netmask: 10.0.0.0/23"),
        ("010.0.0.5/24", "without leading zeros: 10.0.0.5/24, if that is meant"),
        (" 10.0.0.5/24\t", "without whitespace around it: 10.0.0.5/24"),
        (
            "10.0.0.9-10.0.0.20/24",
            "not start-end: 10.0.0.0/24 here, range_start and range_end in the network",
        ),
        ("fd00::1%eth0/64", "without a zone"),
        ("10.0.0.9-10.0.0.20", "not start-end: write the network, for example 10.0.0.0/24"),
        ("fd00::/255.255.255.0", "with a prefix length in place of the netmask"),
        ("10..0.5/24", "for example 10.0.0.0/24 or fd00:1::/64"),
        ("10.0.0.0/24,10.0.1.0/24", "one network only: each has a pool of its own"),
        ("10.0.0.0/24/", "for example 10.0.0.0/24 or fd00:1::/64"),
        ("a network", "for example 10.0.0.0/24 or fd00:1::/64"),
    ];
    for (range, right) in slips {
        let response = ask(Endpoint::Validate, &review("CREATE", PERSON, &holding(range, &[]), &Value::Null));
        let said = causes(&response);
        assert_eq!(said.len(), 1, "{range}: {said:?}");
        assert!(said[0].ends_with(&format!("must be a valid CIDR value, {right} [IPP102]")), "{said:?}");
    }
}

#[test]
fn a_text_of_more_than_128_bytes_is_not_taken_for_a_mistyped_range() {
    let padded = |bytes: usize| format!("{}10.0.0.5/24", "0".repeat(bytes - 11));
    let right = |text: &str| causes(&created("a", &holding(text, &[])).1)[0].clone();
    assert!(right(&padded(128)).contains("without leading zeros: 10.0.0.5/24"), "{}", right(&padded(128)));
    assert!(right(&padded(129)).contains("CIDR value, for example 10.0.0.0/24"), "{}", right(&padded(129)));
}

#[test]
fn a_list_keeps_twenty_items_and_counts_the_rest() {
    let offsets: Vec<_> = (1..=23).map(|n| n.to_string()).collect();
    let offsets: Vec<_> = offsets.iter().map(String::as_str).collect();
    let text = holding("10.0.0.5/24", &offsets).to_string();
    let pool = Pool::parse(&text).unwrap();
    let findings = lint::<IpPool>(&pool, &Policy::default());
    let host_bits = findings.iter().find(|it| it.rule.id == "IPP104").unwrap();
    let shown = host_bits.advice(23);
    assert!(shown.ends_with("\"20\" becomes \"25\" (10.0.0.25) and 3 more"), "{shown}");
    assert_eq!(host_bits.to_string(), format!("spec.range: {}", host_bits.message()));
}

#[test]
fn an_empty_range_is_missing() {
    let start = "spec.range: Required value: must be the network in CIDR notation";
    denied(&created("a", &holding("", &[])).1, &[("IPP101", start)]);
}

#[test]
fn a_range_wider_than_offsets_is_shorter_than_64_bits() {
    for (range, name, said) in
        [("fd00::/63", "fd00---63", 1), ("fd00::/64", "fd00---64", 0), ("fd00::/65", "fd00---65", 0)]
    {
        let warned = allowed(&created(name, &holding(range, &[])).1);
        assert_eq!(warned.len(), said, "{warned:?}");
        assert!(
            warned.iter().all(|it| it.starts_with("spec.range: ") && it.ends_with("[IPP107]")),
            "{warned:?}"
        );
    }
}
