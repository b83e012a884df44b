//! Does one thing once, so that `benches/instructions` can count its instructions.
//!
//! `review_once CASE answer` evaluates a review, `review_once CASE skip` skips over the same bytes, `review_once CASE
//! nothing` only prepares them. Without arguments it lists the cases.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]

use std::hint::black_box;

use ippool_webhook::admission::respond;
use ippool_webhook::policy::Policy;
use serde::de::IgnoredAny;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [name, what] = arguments.as_slice() else {
        testkit::bodies::names().iter().for_each(|name| println!("{name}"));
        return;
    };
    let (case, policy) = (black_box(testkit::bodies::case(name)), black_box(Policy::default()));
    match what.as_str() {
        "answer" => drop(black_box(respond(case.endpoint, &case.body, &policy))),
        "skip" => drop(black_box(serde_json::from_slice::<IgnoredAny>(&case.body))),
        "nothing" => {}
        other => panic!("{other} is not one of answer, skip, nothing"),
    }
}
