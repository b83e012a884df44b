//! A replica that may open no more files, because idle connections hold them all.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::deployment::{Deployment, Replica, deployment};
use super::kubelet::is_ready;
use crate::certs::NAME;
use crate::certs::install::try_out;
use crate::http::{block_on, connect_to};
use crate::numbers::record;
use crate::process::awaited;
use testkit::client::client;

/// The most files it may have open; about twenty are its own.
const FILES: usize = 64;
/// The unit of processor time in `/proc`.
const TICK: Duration = Duration::from_millis(10);
/// How long it is watched, at least.
const WATCHED: Duration = Duration::from_secs(2);
/// The `timeoutSeconds` of the webhooks: 2 of `normalize`, 5 of `validate`.
const TIMEOUTS: Duration = Duration::from_secs(7);
/// As the kubelet's probe.
const PROBE: Duration = Duration::from_secs(2);
const PROBES: usize = 20;

/// Connections that are made and ask nothing, until it is dropped.
struct IdleCallers(#[expect(dead_code, reason = "dropping it is the sign")] oneshot::Sender<()>);

/// What a replica did while it had no files.
#[derive(Debug)]
struct Watched {
    took: Duration,
    processor: Duration,
    /// Writes while the apiserver had no connection to it, and those that succeeded.
    written: usize,
    answered: usize,
    /// Log lines that say so.
    said: usize,
}

#[test]
fn a_replica_out_of_files_neither_spins_nor_dies_and_recovers() {
    let mut deployment = deployment();
    let (idle, watched) = watched_without_files(&mut deployment);
    assert!(watched.processor * 2 < watched.took, "it spins: {watched:?}");
    let most = 20 * (1 + watched.took.as_secs() as usize);
    assert!((1..=most).contains(&watched.said), "{watched:?}");
    drop(idle);
    let [replica] = &mut deployment.replicas[..] else { panic!("one replica") };
    assert_eq!(replica.webhook.ended(), None);
    let admin = replica.webhook.admin();
    awaited("it to be ready again", || is_ready(admin, PROBE).then_some(()));
    awaited("it to review again", || (try_out(&deployment.stage, "10.70.0.0/24").0 == 201).then_some(()));
    record("out of files, milliseconds of a processor in a second", share(&watched));
    record("out of files, lines of the log in ten seconds", per_10_seconds(&watched));
}

#[test]
fn a_replica_out_of_files_still_answers_new_connections() {
    let mut deployment = deployment();
    let (_idle, watched) = watched_without_files(&mut deployment);
    assert_eq!(watched.answered, watched.written, "{watched:?}");
    record("out of files, writes over new connections", watched.written);
    record("out of files, writes that failed", watched.written - watched.answered);
}

#[test]
fn a_replica_out_of_files_still_answers_its_probes() {
    let mut deployment = deployment();
    let (_idle, watched) = watched_without_files(&mut deployment);
    let admin = deployment.replicas[0].webhook.admin();
    let answered = (0..PROBES).filter(|_| is_ready(admin, PROBE)).count();
    assert_eq!(answered, PROBES, "the kubelet would take it out: {watched:?}");
}

#[test]
fn a_replica_out_of_files_logs_it_once_in_a_while() {
    let mut deployment = deployment();
    let (_idle, watched) = watched_without_files(&mut deployment);
    assert!(watched.said <= 1 + watched.took.as_secs() as usize, "{watched:?}");
}

/// The only replica of the Service, with idle connections that hold all its files.
fn watched_without_files(deployment: &mut Deployment) -> (IdleCallers, Watched) {
    let replica = deployment.start_with_files(FILES);
    let idle = idle_callers(deployment, &replica);
    awaited("all files to be open", || (files(&replica) >= FILES - 1).then_some(()));
    // The apiserver has no connection to it yet.
    deployment.stop();
    deployment.replicas.push(replica);
    (idle, watch(deployment))
}

fn idle_callers(deployment: &Deployment, replica: &Replica) -> IdleCallers {
    let (stop, stopped) = oneshot::channel();
    let (address, tls) = (replica.webhook.address(), client(&deployment.stage.entry("ca.crt"), None));
    thread::spawn(move || {
        block_on(async {
            for _ in 0..FILES {
                let tls = tls.clone();
                tokio::spawn(async move {
                    let _connection = connect_to(NAME, address, tls).await;
                    std::future::pending::<()>().await;
                });
            }
            let _ = stopped.await;
        });
    });
    IdleCallers(stop)
}

/// Writes for [`WATCHED`], one after the other.
fn watch(deployment: &Deployment) -> Watched {
    let (replica, began) = (&deployment.replicas[0], Instant::now());
    let (mut written, mut answered) = (0, 0);
    let (processor, said) = (processor(replica), said(replica));
    while began.elapsed() < WATCHED {
        let asked = Instant::now();
        let (code, _) = try_out(&deployment.stage, "10.70.0.0/24");
        written += 1;
        answered += usize::from(code == 201 && asked.elapsed() < TIMEOUTS);
    }
    Watched {
        took: began.elapsed(),
        processor: self::processor(replica) - processor,
        written,
        answered,
        said: self::said(replica) - said,
    }
}

fn files(replica: &Replica) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", process(replica))).map_or(0, Iterator::count)
}

/// Its processor time so far, in user and in system mode.
fn processor(replica: &Replica) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process(replica))).unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ');
    // The fields are counted from the name, which is the second.
    TICK * fields.skip(14 - 3).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum::<u32>()
}

fn process(replica: &Replica) -> u32 {
    replica.webhook.process().expect("it has ended")
}

fn said(replica: &Replica) -> usize {
    replica.webhook.log().matches("no connection can be accepted").count()
}

fn share(watched: &Watched) -> usize {
    (watched.processor.as_secs_f64() / watched.took.as_secs_f64() * 1000.0) as usize
}

fn per_10_seconds(watched: &Watched) -> usize {
    (watched.said as f64 * 10.0 / watched.took.as_secs_f64()) as usize
}
