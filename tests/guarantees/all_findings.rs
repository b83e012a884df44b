//! Guarantee 5: all findings at once, sorted, with a bound.

use ippool_webhook::admission::Endpoint;
use ippool_webhook::kinds::ippool::{IpPool, Pool};
use ippool_webhook::lint;
use ippool_webhook::policy::Policy;
use serde_json::Value;
use testkit::review::{PERSON, allowed, ask, causes, holding, record, review, updated};

#[test]
fn causes_are_sorted_by_number_and_the_rest_is_counted() {
    let offsets: Vec<_> =
        (300..330).map(|n| n.to_string()).chain(["1000".to_owned(), "-5".to_owned()]).collect();
    let offsets: Vec<_> = offsets.iter().map(String::as_str).collect();
    let new = holding("10.0.0.0/24", &offsets);
    let response = ask(Endpoint::Validate, &review("CREATE", PERSON, &new, &Value::Null));
    let counted = record(PERSON, &new, &holding("10.0.0.0/24", &[])).findings;
    let counted: Vec<_> = counted.iter().map(|it| (it.rule.id, it.findings)).collect();
    assert_eq!(counted, [("IPP205", 1), ("IPP206", 31)]);
    let causes = causes(&response);
    assert_eq!(causes.len(), 21);
    assert!(causes[0].starts_with("spec.allocations[-5]: "), "{}", causes[0]);
    assert_eq!(
        causes[1],
        "spec.allocations[300]: Invalid value: \"300\": must be at most 255, the last offset in 10.0.0.0/24 (10.0.1.44) [IPP206]"
    );
    assert!(causes[19].starts_with("spec.allocations[318]: "), "{}", causes[19]);
    assert_eq!(causes[20], "spec: Too many: 12 more findings are left out here");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "IPPool.whereabouts.cni.cncf.io \"10.0.0.0-24\" is invalid: [spec.allocations[-5]: "
        )
    );
}

#[test]
fn twenty_warnings_are_sent_and_the_rest_is_counted() {
    let warned = |count: u32| {
        let offsets: Vec<_> = (300..300 + count).map(|n| n.to_string()).collect();
        let offsets: Vec<_> = offsets.iter().map(String::as_str).collect();
        let stored = holding("10.0.0.0/24", &offsets);
        allowed(&updated(&stored, &stored).1)
    };
    let (twenty, more) = (warned(20), warned(23));
    assert_eq!(more[..20], twenty);
    assert!(twenty.iter().all(|it| it.ends_with("[IPP206, preexisting]")), "{twenty:?}");
    assert_eq!(more[20..], ["3 more warnings about this IPPool are left out here"]);
}

#[test]
fn findings_of_one_spelling_of_an_offset_stay_together() {
    let new = holding("10.0.0.0/24", &["00300", "0300", "300"]);
    let response = ask(Endpoint::Validate, &review("CREATE", PERSON, &new, &Value::Null));
    let paths = causes(&response).into_iter().map(|cause| cause.split(": ").next().unwrap().to_owned());
    let mut paths: Vec<_> = paths.collect();
    let found = paths.len();
    paths.dedup();
    assert_eq!(
        paths,
        ["spec.allocations[00300]", "spec.allocations[0300]", "spec.allocations[300]"],
        "of {found}"
    );
    assert!(found > 6, "{found}");
}

#[test]
fn the_advice_of_a_finding_ends_with_its_address() {
    let text = holding("10.0.0.0/24", &["256"]).to_string();
    let pool = Pool::parse(&text).unwrap();
    let findings = lint::<IpPool>(&pool, &Policy::default());
    let advice: Vec<_> = findings.iter().map(|it| it.located_advice(0)).collect();
    assert_eq!(advice, ["must be at most 255, the last offset in 10.0.0.0/24 (10.0.1.0)"]);
}
