//! A real control plane: an audit, beside a program in Go that lists the same objects and keeps them as an informer does,
//! and beside `kubectl get`.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::MIB;
use testkit::cluster::Cluster;
use testkit::process::Process;
use testkit::program_path;
use testkit::release::go_program;

use super::fill::fill;
use super::plane::{Plane, free};
use super::process::{Leashed, awaited};
use super::runs::{Taken, audit, median, run};
use super::tools::tools;

/// The pools of the cluster.
const POOLS: usize = 1_000;
/// Runs of each program.
const ROUNDS: usize = 5;
/// How long memory has to be the same.
const SETTLED: Duration = Duration::from_secs(5);
/// The programs, in the order of their runs.
const PROGRAMS: [&str; 3] = ["audit", "client-go", "kubectl"];
/// What is listed.
const KINDS: &str = "ippools.whereabouts.cni.cncf.io,overlappingrangeipreservations,nodeslicepools,\
                     network-attachment-definitions,pods";

/// Fills a control plane and measures the programs.
pub fn measure(percent: usize) {
    let peer = go_program("peer");
    let plane = Plane::start("audit-bench");
    let cluster = Cluster::new(POOLS * percent / 100);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(fill(&plane, &cluster));
    drop(runtime);
    let kubeconfig = format!("--kubeconfig={}", plane.admin_kubeconfig.display());
    let report = plane.scratch.join("report");
    let run_of = |program: usize| match PROGRAMS[program] {
        "audit" => audit(&cluster, &["-A", "--grace=0", &kubeconfig], &report),
        "client-go" => run(Command::new(&peer).arg(&kubeconfig)),
        _ => run(Command::new(&tools().kubectl)
            .args([kubeconfig.as_str(), "get", KINDS, "-A", "-o", "json"])
            .env("HOME", &plane.scratch)),
    };
    let mut runs = [const { Vec::new() }; PROGRAMS.len()];
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        // The order changes with each round, so that no program always follows the same one.
        for turn in 0..PROGRAMS.len() {
            let program = (turn + round) % PROGRAMS.len();
            runs[program].push(run_of(program));
        }
    }
    let (allocations, pods) = (cluster.allocations(), cluster.pods());
    println!(
        "\n{} pools with {allocations} allocations, {pods} pods; medians of {ROUNDS}\n",
        cluster.pools()
    );
    println!("| program | takes, s | times ours | processor, s | peak, MiB | times ours |");
    println!("|---|---:|---:|---:|---:|---:|");
    (0..PROGRAMS.len()).for_each(|program| println!("{}", row(&runs, program)));
    println!("\n{}", at_rest(&plane));
}

/// The medians of a program, and of its ratios to the audit of the same round.
fn row(runs: &[Vec<Taken>; PROGRAMS.len()], program: usize) -> String {
    let rounds: Vec<_> = runs[program].iter().zip(&runs[0]).collect();
    format!(
        "| {} | {:.1} | {:.2} | {:.1} | {:.0} | {:.1} |",
        PROGRAMS[program],
        median(&rounds, |(it, _)| it.seconds),
        median(&rounds, |(it, ours)| it.seconds / ours.seconds),
        median(&rounds, |(it, _)| it.processor),
        median(&rounds, |(it, _)| it.peak),
        median(&rounds, |(it, ours)| it.peak / ours.peak),
    )
}

/// The memory of an audit that serves its report, once it is ready.
fn at_rest(plane: &Plane) -> String {
    let address = free();
    let (kubeconfig, listen) = (plane.admin_kubeconfig.display().to_string(), address.to_string());
    let arguments = ["audit", "-A", "--kubeconfig", &kubeconfig, "--listen", &listen];
    let mut serving = Leashed::start(&program_path(), &arguments, &plane.scratch.join("listen.log"));
    awaited("audit --listen to be ready", || {
        assert_eq!(serving.ended(), None, "audit --listen");
        is_ready(address).then_some(())
    });
    let process = Process(serving.process("ippool-webhook").unwrap());
    let (now, peak) = (settled(process) / MIB, process.memory("VmHWM") / MIB);
    format!("audit --listen: {now:.0} MiB resident at rest, {peak:.0} MiB at most until then")
}

/// The resident memory of a process, once it is the same for a while.
fn settled(process: Process) -> f64 {
    let (mut memory, mut since) = (0.0, Instant::now());
    awaited("the memory to settle", || {
        let now = process.memory("VmRSS");
        if now != memory {
            (memory, since) = (now, Instant::now());
        }
        (since.elapsed() > SETTLED).then_some(memory)
    })
}

fn is_ready(address: SocketAddr) -> bool {
    let request = super::plane::get(&format!("http://{address}"), "/readyz");
    super::http::exchange(address, None, request).is_ok_and(|(code, _)| code == 200)
}
