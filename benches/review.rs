//! What reading and reviewing costs, beside what others take just to read; all in one run, so that the
//! ratios hold on a busy machine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

use divan::Bencher;
use divan::counter::BytesCount;
use ippool_webhook::admission::{Endpoint, answer};
use ippool_webhook::policy::Policy;
use kube::core::DynamicObject;
use kube::core::admission::AdmissionReview;
use serde::de::IgnoredAny;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

/// Recorded updates of pools with so many allocations, both objects in each.
const SIZES: [usize; 3] = [100, 1_000, 5_000];

fn main() {
    divan::main();
}

fn body(size: usize) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/reviews/large-{size}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Read, judge, answer.
#[divan::bench(args = SIZES)]
fn review(bencher: Bencher<'_, '_>, size: usize) {
    let (body, policy) = (body(size), Policy::default());
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| answer(Endpoint::Validate, divan::black_box(&body), &policy).is_ok());
}

/// A scan that only skips: the least a JSON parser can do.
#[divan::bench(args = SIZES)]
fn skip_only(bencher: Bencher<'_, '_>, size: usize) {
    let body = body(size);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| serde_json::from_slice::<IgnoredAny>(divan::black_box(&body)).is_ok());
}

/// What a webhook on kube's own types takes before it looks at anything.
#[divan::bench(args = SIZES)]
fn kube_parse(bencher: Bencher<'_, '_>, size: usize) {
    let body = body(size);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| serde_json::from_slice::<AdmissionReview<DynamicObject>>(divan::black_box(&body)).is_ok());
}
