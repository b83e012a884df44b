//! Programs that run to their end, with what they take.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::MIB;
use testkit::cluster::{Cluster, found};
use testkit::process::Process;
use testkit::program_path;

/// Between two looks at a program. Its peak only grows, so that the last look is less than this from its end.
const LOOK: Duration = Duration::from_millis(2);

/// What a program took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// From its start to its end, in seconds.
    pub seconds: f64,
    /// Its processor time, in seconds.
    pub processor: f64,
    /// Its peak memory, in MiB.
    pub peak: f64,
}

/// Runs a program to its end. Its exit code may be 1, by which an audit says that there are findings.
pub fn run(command: &mut Command) -> Taken {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let mut taken = Taken { seconds: 0.0, processor: 0.0, peak: 0.0 };
    let status = loop {
        look(&child, &mut taken);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        thread::sleep(LOOK);
    };
    taken.seconds = started.elapsed().as_secs_f64();
    assert!(status.code().is_some_and(|code| code < 2), "{command:?}: {status}");
    taken
}

/// What has been taken so far; a program that has ended takes no memory any more.
fn look(child: &Child, taken: &mut Taken) {
    let process = Process(child.id());
    if let Some(peak) = process.memory_if_any("VmHWM") {
        taken.peak = taken.peak.max(peak / MIB);
    }
    taken.processor = process.processor_time().as_secs_f64();
}

/// Runs an audit with these arguments, and asserts that it finds what is in the cluster.
pub fn audit(cluster: &Cluster, arguments: &[&str], report: &Path) -> Taken {
    let mut command = Command::new(program_path());
    command.args(["audit", "--format=json", "--output"]).arg(report).args(arguments);
    let taken = run(&mut command);
    let written: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(written["notDone"], serde_json::json!([]));
    let (found, expected) = (found(&written), cluster.findings());
    let difference: Vec<_> = found.symmetric_difference(&expected).take(5).collect();
    assert!(difference.is_empty(), "{difference:?}");
    taken
}

/// The median of a figure.
pub fn median<T>(runs: &[T], of: impl Fn(&T) -> f64) -> f64 {
    let mut figures: Vec<_> = runs.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
