//! A dump: JSON and YAML as kubectl writes them, of half the cluster and of all of it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use serde::de::IgnoredAny;
use serde_json::Value;
use testkit::cluster::{Cluster, write_json, write_yaml};

use super::runs::{Taken, audit, median};

/// The pools of the largest dump.
const POOLS: usize = 5_000;
/// Runs of each program for each dump.
const ROUNDS: usize = 5;

type Writing = fn(&mut dyn Iterator<Item = Value>, &mut dyn Write) -> io::Result<()>;

/// The runs of one dump, in turns.
struct Measured {
    allocations: usize,
    bytes: u64,
    rounds: Vec<(Taken, Option<Skipped>)>,
}

/// How long a reader took that only skips over JSON, in seconds.
#[derive(Clone, Copy)]
struct Skipped {
    /// With reading the file into memory.
    with_reading: f64,
    /// After that.
    in_memory: f64,
}

/// Measures dumps in both formats, of half the objects and of all.
pub fn measure(percent: usize) {
    let formats: [(&str, Writing); 2] = [
        ("JSON", |objects, out| write_json(objects, out)),
        ("YAML", |objects, out| write_yaml(objects, out)),
    ];
    let sizes = [POOLS * percent / 200, POOLS * percent / 100];
    let measured =
        formats.map(|(format, write)| (format, sizes.map(|pools| measure_dump(format, write, pools))));
    println!(
        "\n| dump | allocations | pods | MB | audit, s | processor, s | peak, MiB | skipping, s | times | in memory, s | times |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (format, sizes) in &measured {
        sizes.iter().for_each(|it| println!("{}", it.row(format)));
    }
    println!();
    for (format, [half, all]) in &measured {
        let growth = |of: fn(&Taken) -> f64| {
            let of = |(audit, _): &(Taken, _)| of(audit);
            median(&all.rounds, of) / median(&half.rounds, of)
        };
        let (seconds, processor, peak) =
            (growth(|it| it.seconds), growth(|it| it.processor), growth(|it| it.peak));
        println!(
            "{format}, twice the objects: {seconds:.2} the time, {processor:.2} the processor time, {peak:.2} the memory"
        );
    }
}

impl Measured {
    fn row(&self, format: &str) -> String {
        let audit = |of: fn(&Taken) -> f64| median(&self.rounds, |(audit, _)| of(audit));
        let beside: Vec<_> =
            self.rounds.iter().filter_map(|(audit, skipped)| Some((audit.seconds, (*skipped)?))).collect();
        let beside = match beside.as_slice() {
            // There is no such reader of YAML.
            [] => " | | | ".to_owned(),
            all => [
                median(all, |(_, skipped)| skipped.with_reading),
                median(all, |(seconds, skipped)| seconds / skipped.with_reading),
                median(all, |(_, skipped)| skipped.in_memory),
                median(all, |(seconds, skipped)| seconds / skipped.in_memory),
            ]
            .map(|figure| format!("{figure:.2}"))
            .join(" | "),
        };
        format!(
            "| {format} | {} | {} | {:.0} | {:.2} | {:.2} | {:.1} | {beside} |",
            self.allocations,
            self.allocations / testkit::cluster::ADDRESSES,
            self.bytes as f64 / 1e6,
            audit(|it| it.seconds),
            audit(|it| it.processor),
            audit(|it| it.peak),
        )
    }
}

fn measure_dump(format: &str, write: Writing, pools: usize) -> Measured {
    let cluster = Cluster::new(pools);
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    eprintln!("writing a dump of {} allocations as {format}", cluster.allocations());
    let mut file = BufWriter::new(File::create(&dump).unwrap());
    write(&mut cluster.objects(), &mut file).unwrap();
    file.flush().unwrap();
    let bytes = dump.metadata().unwrap().len();
    eprintln!("measuring {} MB, {ROUNDS} times", bytes / 1_000_000);
    let rounds = (0..ROUNDS).map(|round| measure_round(&cluster, &dump, format == "JSON", round)).collect();
    Measured { allocations: cluster.allocations(), bytes, rounds }
}

/// An audit and, of JSON, a reader that only skips, in another order in each round.
fn measure_round(cluster: &Cluster, dump: &Path, is_json: bool, round: usize) -> (Taken, Option<Skipped>) {
    let report = dump.with_file_name("report");
    let audit = || audit(cluster, &["--from", dump.to_str().unwrap()], &report);
    let skip = || is_json.then(|| skip(dump));
    if round.is_multiple_of(2) {
        let skipped = skip();
        (audit(), skipped)
    } else {
        (audit(), skip())
    }
}

/// Reads a file into memory and skips over the JSON in it.
fn skip(file: &Path) -> Skipped {
    let started = Instant::now();
    let text = std::fs::read(file).unwrap();
    let read = Instant::now();
    serde_json::from_slice::<IgnoredAny>(&text).unwrap();
    Skipped { with_reading: started.elapsed().as_secs_f64(), in_memory: read.elapsed().as_secs_f64() }
}
