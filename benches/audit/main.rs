//! The time and the memory of `audit`, for a dump of a large cluster and for a real control plane.
//!
//! What is compared is run in turns, so that other load affects all alike, and ratios are of runs that follow each other.
//! Every audit must find what the generator put into the cluster. `SCALE` is the share of the objects in percent.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]
#![allow(dead_code, reason = "the harness of the cluster tests is used in part")]

#[path = "../../tests/cluster/attachments.rs"]
mod attachments;
mod dump;
mod fill;
#[path = "../../tests/cluster/http.rs"]
mod http;
mod live;
#[path = "../../tests/cluster/plane.rs"]
mod plane;
#[path = "../../tests/cluster/process.rs"]
mod process;
mod runs;
#[path = "../../tests/cluster/tools.rs"]
mod tools;

/// The share of the objects to measure with, in percent.
fn scale() -> usize {
    std::env::var("SCALE").map_or(100, |share| share.parse().unwrap())
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let is_asked = |part: &str| {
        let parts = ["dump", "cluster"];
        !parts.iter().any(|it| arguments.iter().any(|argument| argument == it))
            || arguments.iter().any(|argument| argument == part)
    };
    if is_asked("dump") {
        dump::measure(scale());
    }
    if is_asked("cluster") {
        live::measure(scale());
    }
}
