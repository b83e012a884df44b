//! `certs`: issues, renews and publishes the serving certificate where neither cert-manager nor a platform does.
//!
//! `ensure` reads the state of the cluster, plans one action ([`plan`]), executes it, and starts again. It may therefore be
//! interrupted at any point and run concurrently. The order of its writes keeps one invariant: **the certificate that is
//! served is always trusted by every `caBundle` that is published.**

mod args;
mod ensure;
mod in_memory_cluster;
mod keyring;
mod kube_cluster;
mod plan;
mod show;
mod state;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use kube::Client;
use tokio::signal::unix::{SignalKind, signal};

pub use self::args::CertsArgs;
use self::args::{EnsureArgs, ShowArgs};
use self::in_memory_cluster::InMemoryCluster;
use self::kube_cluster::KubeCluster;
use self::show::CertsReport;
use self::state::Cluster as _;
pub use self::state::{ConfigurationRef, MUTATING, Problem, Target, VALIDATING};
use crate::pki::DAY_SECONDS;

/// A certificate that expires this soon was not renewed as it should have been, independent of the issuer.
const WEEK_SECONDS: i64 = 7 * DAY_SECONDS;

/// Runs the subcommand of `args`. Each error names the object, and the command that shows it.
pub fn run(args: &CertsArgs) -> anyhow::Result<ExitCode> {
    // One thread is enough: calls to the API are sequential.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match args {
            CertsArgs::Ensure(args) => repeat(args).await.map(|()| ExitCode::SUCCESS),
            CertsArgs::Show(args) => show(args).await,
        }
    })
}

/// Runs `ensure` once, or with `--interval` until SIGTERM, which may come at any moment: each write is complete by itself.
async fn repeat(args: &EnsureArgs) -> anyhow::Result<()> {
    let Some(interval) = args.interval.map(Duration::from_secs) else { return ensure(args).await };
    let mut terminated = signal(SignalKind::terminate())?;
    loop {
        let pass = async {
            ensure(args).await?;
            tokio::time::sleep(interval).await;
            anyhow::Ok(())
        };
        tokio::select! {
            result = pass => result?,
            _ = terminated.recv() => return Ok(()),
        }
    }
}

async fn ensure(args: &EnsureArgs) -> anyhow::Result<()> {
    let EnsureArgs { cluster, target, options, .. } = args;
    let mut cluster = KubeCluster { client: cluster.client().await?, target: target.clone() };
    let progress = &mut |line: String| {
        // A closed stdout, as with `| head -1`, must not abort a rotation.
        let _ = writeln!(anstream::stdout(), "{line}");
    };
    if options.dry_run {
        let mut copy = InMemoryCluster { state: cluster.read().await?, now: cluster.now(), writes: 0 };
        return ensure::ensure(&mut copy, target, *options, progress).await;
    }
    ensure::ensure(&mut cluster, target, *options, progress).await
}

/// What is wrong with the certificates of a webhook, and the objects that could not be read.
pub async fn problems(client: Client, target: &Target) -> anyhow::Result<(Vec<Problem>, Vec<String>)> {
    let mut cluster = KubeCluster { client, target: target.clone() };
    let state = cluster.read().await?;
    let report = CertsReport::of(&state, target, &[], cluster.now()).await;
    let soon = report.expiring_within(WEEK_SECONDS);
    let problems = report.into_problems().into_iter().chain(soon).collect();
    Ok((problems, state.unread))
}

async fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let ShowArgs { cluster, target, connect, .. } = args;
    let mut cluster = KubeCluster { client: cluster.client().await?, target: target.clone() };
    let state = cluster.read().await?;
    let report = CertsReport::of(&state, target, connect, cluster.now()).await;
    let mut out = anstream::stdout();
    match args.format {
        args::Format::Text => write!(out, "{report}")?,
        args::Format::Json => writeln!(out, "{:#}", report.json())?,
    }
    Ok(ExitCode::from(match (!state.unread.is_empty(), report.fits()) {
        (true, _) => 2,
        (false, fits) => u8::from(!fits),
    }))
}
