//! The time of a review, compared with what other parsers take for the same body. All are measured in one run, so that
//! the ratios hold on a busy machine. `benches/instructions` counts exact numbers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::policy::Policy;
use kube::core::DynamicObject;
use kube::core::admission::AdmissionReview;
use serde::de::IgnoredAny;
use testkit::bodies::{Case, case};

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

/// Recorded updates, and generated requests of other kinds.
const RECORDED: [&str; 4] = ["recorded-3", "recorded-100", "recorded-1000", "recorded-5000"];
const GENERATED: [&str; 7] = [
    "add-by-a-person-5000",
    "add-beside-a-reservation-5000",
    "remove-5000",
    "label-5000",
    "create-5000",
    "patch-5000",
    "deny-5000",
];

fn main() {
    divan::main();
}

fn measure(bencher: Bencher<'_, '_>, body: &[u8], mut work: impl FnMut(&[u8]) -> bool) {
    bencher.counter(BytesCount::new(body.len())).bench_local(|| assert!(work(black_box(body))));
}

fn review(bencher: Bencher<'_, '_>, name: &str) {
    let (Case { endpoint, body, .. }, policy) = (case(name), Policy::default());
    measure(bencher, &body, |body| respond(endpoint, body, &policy).is_ok());
}

/// Decode, evaluate, encode.
#[divan::bench(args = RECORDED)]
fn answer_recorded(bencher: Bencher<'_, '_>, name: &str) {
    review(bencher, name);
}

/// The same for other requests: `patch` moves every key, `deny` has as many findings as allocations.
#[divan::bench(args = GENERATED)]
fn answer_generated(bencher: Bencher<'_, '_>, name: &str) {
    review(bencher, name);
}

/// Decoding only: a connection to a subresource is allowed without evaluation.
#[divan::bench(args = RECORDED)]
fn read(bencher: Bencher<'_, '_>, name: &str) {
    let body = String::from_utf8(case(name).body).unwrap();
    let body = body.replacen("\"UPDATE\"", "\"CONNECT\"", 1);
    let policy = Policy::default();
    measure(bencher, body.as_bytes(), |body| respond(Endpoint::Validate, body, &policy).is_ok());
}

/// Any other form of JSON than the compact one of the apiserver: whitespace at the start is enough.
#[divan::bench(args = RECORDED)]
fn answer_in_another_form(bencher: Bencher<'_, '_>, name: &str) {
    let (Case { endpoint, mut body, .. }, policy) = (case(name), Policy::default());
    body.insert(0, b' ');
    measure(bencher, &body, |body| respond(endpoint, body, &policy).is_ok());
}

/// A scan that only skips, which is the minimum for a JSON parser.
#[divan::bench(args = RECORDED)]
fn skip_only(bencher: Bencher<'_, '_>, name: &str) {
    measure(bencher, &case(name).body, |body| serde_json::from_slice::<IgnoredAny>(body).is_ok());
}

/// The scan of the generated requests.
#[divan::bench(args = GENERATED)]
fn skip_only_generated(bencher: Bencher<'_, '_>, name: &str) {
    measure(bencher, &case(name).body, |body| serde_json::from_slice::<IgnoredAny>(body).is_ok());
}

/// What a webhook based on the types of `kube` takes before it evaluates anything.
#[divan::bench(args = RECORDED)]
fn kube_parse(bencher: Bencher<'_, '_>, name: &str) {
    measure(bencher, &case(name).body, |body| {
        serde_json::from_slice::<AdmissionReview<DynamicObject>>(body).is_ok()
    });
}
