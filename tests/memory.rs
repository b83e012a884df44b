//! What a review takes of the memory: few allocations where the pool is small, a multiple of the body that
//! is known where it is large, and also where the body was made to hurt.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use allocation_counter::{AllocationInfo, measure};
use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::policy::Policy;
use testkit::adversarial::adversarial;

/// What answering takes, the answer included.
fn taken(endpoint: Endpoint, body: &[u8]) -> AllocationInfo {
    let policy = Policy::default();
    measure(|| drop(respond(endpoint, body, &policy)))
}

/// The most memory at one time, in sizes of the body.
fn peak(endpoint: Endpoint, body: &[u8]) -> f64 {
    taken(endpoint, body).bytes_max as f64 / body.len() as f64
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/fixtures/reviews/{name}.json")).unwrap()
}

#[test]
fn a_small_review_takes_few_allocations() {
    let cases = [
        ("whereabouts-create", Endpoint::Validate, 16),
        ("whereabouts-third-allocation", Endpoint::Validate, 18),
        ("whereabouts-third-allocation", Endpoint::Mutate, 14),
        ("whereabouts-release-last", Endpoint::Validate, 18),
        // Denied by two rules with the offsets to write, and normalized with a patch.
        ("create-host-bits", Endpoint::Validate, 85),
        ("create-uppercase-v6-mutate", Endpoint::Mutate, 60),
    ];
    for (name, endpoint, at_most) in cases {
        let count = taken(endpoint, &recorded(name)).count_total;
        println!("{name} {endpoint:?}: {count}");
        assert!((1..=at_most).contains(&count), "{name}: {count} allocations, {at_most} at most");
    }
}

/// The general reader takes at least one allocation more; a space in front makes it read the body.
#[test]
fn what_an_apiserver_writes_is_read_by_the_compact_reader() {
    let names =
        ["large-100", "update-while-deleting", "whereabouts-node-slice", "whereabouts-third-allocation"];
    // A member at the very end is read byte by byte.
    let last = ["", ",\"x\":1", ",\"a longer one\":1"];
    for (name, last) in names.iter().flat_map(|name| last.map(|last| (name, last))) {
        let compact = String::from_utf8(recorded(name)).unwrap();
        let compact = format!("{}{last}}}}}", compact.trim_end().strip_suffix("}}").unwrap());
        let counts = [compact.clone(), format!(" {compact}")]
            .map(|body| taken(Endpoint::Validate, body.as_bytes()).count_total);
        assert!(counts[0] < counts[1], "{name}{last}: {counts:?}");
    }
}

#[test]
fn allocations_hardly_grow_with_the_pool() {
    let counts = ["large-100", "large-1000", "large-5000"]
        .map(|name| taken(Endpoint::Validate, &recorded(name)).count_total);
    assert!(counts.iter().all(|count| *count <= 60), "{counts:?}");
}

#[test]
fn a_large_review_takes_little_more_than_its_body_again() {
    for name in ["large-100", "large-1000", "large-5000"] {
        for endpoint in [Endpoint::Validate, Endpoint::Mutate] {
            let peak = peak(endpoint, &recorded(name));
            println!("{name} {endpoint:?}: {peak:.2}");
            assert!(peak > 0.1 && peak <= 1.2, "{name}: {peak:.2} times the body");
        }
    }
}

/// As the server has them in its limits: a multiple of the body, and in MiB.
const AT_MOST: (f64, f64) = (64.0, 48.0);

#[test]
fn a_hostile_body_takes_a_bounded_multiple_and_a_bounded_amount() {
    for size in [10_000, 64_000, 250_000, 500_000, 1_000_000, 3_000_000, 8_000_000] {
        for body in adversarial(size) {
            for endpoint in [Endpoint::Validate, Endpoint::Mutate] {
                let taken = taken(endpoint, &body.body).bytes_max as f64;
                let (times, mib) = (taken / body.body.len() as f64, taken / f64::from(1 << 20));
                println!("{size} {} {endpoint:?}: {times:.1} times, {mib:.1} MiB", body.name);
                assert!(
                    times <= AT_MOST.0 && mib <= AT_MOST.1,
                    "{}: {times:.1} times, {mib:.1} MiB",
                    body.name
                );
            }
        }
    }
}
