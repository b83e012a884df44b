//! The time of a PATCH of a pool in a real control plane: without a webhook, with a policy in CEL, with a webhook in Go on
//! controller-runtime, and with this one.
//!
//! Each subject guards a namespace of its own in one control plane. They are measured in turns, one PATCH each, so that
//! other load affects all alike. The time that the apiserver reports for its calls and the processor time of the called
//! program are shown, too. `--write` writes the plot to `docs/performance.svg`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by panicking")]
#![allow(dead_code, reason = "the harness of the cluster tests is used in part")]

mod calls;
mod correctness;
#[path = "../../tests/cluster/http.rs"]
mod http;
#[path = "../../tests/cluster/plane.rs"]
mod plane;
mod plot;
#[path = "../../tests/cluster/process.rs"]
mod process;
#[path = "../../tests/cluster/rendered.rs"]
mod rendered;
mod subjects;
#[path = "../../tests/cluster/tools.rs"]
mod tools;
#[path = "../../tests/cluster/webhook.rs"]
mod webhook;

use std::time::Instant;

use calls::Calls;
use plane::{Identity, Plane};
use serde_json::{Value, json};
use subjects::{HOOKS, Subjects};
use testkit::client::KeepAlive;
use tokio::runtime::Runtime;

/// The subjects of the comparison; each has a namespace.
pub const SUBJECTS: [&str; 4] = ["nothing", "policy", "peer", "ours"];
/// Allocations of the pools.
pub const SIZES: [usize; 3] = [100, 1_000, 5_000];
/// PATCHes of each pool, half of them adding and half of them removing an entry.
const ROUNDS: usize = 60;
/// PATCHes before those, which do not count.
const WARM_UP: usize = 10;

/// An allocation as whereabouts writes it.
fn allocation(number: usize) -> Value {
    json!({
        "id": format!("{number:064x}"),
        "podref": format!("workloads/worker-{}-{number:05}", number % 40),
        "ifname": "net1",
    })
}

fn pool(namespace: &str, allocations: usize) -> Value {
    let entries: serde_json::Map<_, _> =
        (1..=allocations).map(|number| (number.to_string(), allocation(number))).collect();
    json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": name(allocations), "namespace": namespace },
        "spec": { "range": "10.0.0.0/16", "allocations": entries },
    })
}

fn name(allocations: usize) -> String {
    format!("pool-{allocations}")
}

fn path(namespace: &str, allocations: usize) -> String {
    let name = name(allocations);
    format!("/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/{namespace}/ippools/{name}")
}

/// Applies a JSON patch. Returns the milliseconds to the end of the response.
async fn patch(client: &mut KeepAlive, path: &str, patch: &Value) -> f64 {
    let started = Instant::now();
    let (status, text) =
        client.send("PATCH", path, "application/json-patch+json", patch.to_string().into()).await;
    let took = started.elapsed();
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&text));
    took.as_secs_f64() * 1e3
}

/// Milliseconds by subject, of one size.
pub struct Measured {
    /// Allocations of the pool.
    pub allocations: usize,
    /// In the order of [`SUBJECTS`], one entry a round.
    pub took: [Vec<f64>; 4],
    /// What the apiserver spent on calls, for each PATCH; 0 where nobody is called.
    waited: [f64; 4],
    /// Processor time of the program called, for each PATCH; 0 where nobody is called.
    processor: [f64; 4],
}

impl Measured {
    /// The median of a subject.
    pub fn median(&self, subject: usize) -> f64 {
        quantile(&self.took[subject], 0.5)
    }

    /// What a subject adds to `nothing`: the median of the differences, turn by turn.
    pub fn added(&self, subject: usize) -> f64 {
        let pairs = self.took[subject].iter().zip(&self.took[0]);
        quantile(&pairs.map(|(took, nothing)| took - nothing).collect::<Vec<_>>(), 0.5)
    }
}

fn quantile(of: &[f64], share: f64) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// PATCHes in turns: milliseconds by subject, without the rounds that do not count.
async fn take_turns(client: &mut KeepAlive, allocations: usize) -> [Vec<f64>; 4] {
    let mut took = [const { Vec::new() }; 4];
    let entry = "/spec/allocations/60000";
    let add = json!([{ "op": "add", "path": entry, "value": allocation(60_000) }]);
    let remove = json!([{ "op": "remove", "path": entry }]);
    for round in 0..WARM_UP + ROUNDS {
        let patch = if round.is_multiple_of(2) { &add } else { &remove };
        // The order changes with each round, so that no subject always follows the same one.
        for turn in 0..SUBJECTS.len() {
            let subject = (turn + round) % SUBJECTS.len();
            let milliseconds = self::patch(client, &path(SUBJECTS[subject], allocations), patch).await;
            if round >= WARM_UP {
                took[subject].push(milliseconds);
            }
        }
    }
    took
}

/// Measures pools of one size, and asserts which webhooks were called for every PATCH.
fn measure(
    plane: &Plane,
    subjects: &Subjects,
    client: &mut KeepAlive,
    runtime: &Runtime,
    size: usize,
) -> Measured {
    eprintln!("measuring pools of {size} allocations");
    let processor = || subjects.programs().map(|it| it.processor_time().as_secs_f64() * 1e3);
    let (calls, before) = (Calls::so_far(plane), processor());
    let took = runtime.block_on(take_turns(client, size));
    let (after, calls_after) = (processor(), Calls::so_far(plane));
    let patches = (WARM_UP + ROUNDS) as f64;
    let mut measured = Measured { allocations: size, took, waited: [0.0; 4], processor: [0.0; 4] };
    for (subject, name) in SUBJECTS.iter().enumerate().skip(2) {
        for hook in HOOKS {
            let webhook = subjects::webhook(name, hook);
            // A PATCH that does not change the range is a call to one of the two.
            let expected = if hook == "validate" { patches } else { 0.0 };
            assert_eq!(calls_after.answered(&webhook) - calls.answered(&webhook), expected, "{webhook}");
            let waited = calls_after.waited(&webhook) - calls.waited(&webhook);
            measured.waited[subject] += waited * 1e3 / patches;
        }
        measured.processor[subject] = (after[subject - 2] - before[subject - 2]) / patches;
    }
    measured
}

/// Creates the pools before the subjects are registered.
fn fill(plane: &Plane) {
    for namespace in SUBJECTS {
        plane.kubectl(&["create", "namespace", namespace]).ok();
        for allocations in SIZES {
            let pool = pool(namespace, allocations).to_string();
            let path = path(namespace, allocations);
            let path = path.rsplit_once('/').unwrap().0;
            let (code, answer) = plane.request("POST", path, "application/json", &pool, Identity::Admin);
            assert_eq!(code, 201, "{answer}");
        }
    }
}

fn report(all: &[Measured]) {
    println!("\na PATCH that adds or removes one allocation, milliseconds");
    println!("takes: median (and quartiles) of {ROUNDS}; adds: median of the differences to nothing");
    println!("calls: what the apiserver spends on them; processor: what the program called takes of it\n");
    println!("| allocations | subject | takes | adds | times what ours adds | calls | processor |");
    println!("|---:|---|---:|---:|---:|---:|---:|");
    for measured in all {
        for subject in 0..SUBJECTS.len() {
            println!("{}", row(measured, subject));
        }
    }
}

fn row(measured: &Measured, subject: usize) -> String {
    let took = &measured.took[subject];
    let (low, high) = (quantile(took, 0.25), quantile(took, 0.75));
    let takes = format!("{:.1} ({low:.1} to {high:.1})", measured.median(subject));
    let (adds, ours) = (measured.added(subject), measured.added(3));
    let adds = if subject == 0 { " | ".into() } else { format!("{adds:.1} | {:.2}", adds / ours) };
    let called = if subject < 2 {
        " | ".into()
    } else {
        format!("{:.1} | {:.1}", measured.waited[subject], measured.processor[subject])
    };
    format!("| {} | {} | {takes} | {adds} | {called} |", measured.allocations, SUBJECTS[subject])
}

fn main() {
    let plane = Plane::start("compare");
    fill(&plane);
    let subjects = Subjects::register(&plane);
    correctness::await_all(&plane);
    correctness::assert_that_sizes_are_judged(&plane);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut client = runtime.block_on(plane.connect());
    let all = SIZES.map(|size| measure(&plane, &subjects, &mut client, &runtime, size));
    report(&all);
    subjects.report();
    correctness::report(&plane);
    correctness::report_long_names(&plane);
    if std::env::args().any(|argument| argument == "--write") {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.svg");
        std::fs::write(file, plot::svg(&all)).unwrap();
        println!("\nwritten: {file}");
    }
}
