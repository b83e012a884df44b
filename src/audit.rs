//! `audit`: what is wrong in a cluster today.
//!
//! Objects come from a live cluster ([`live`]) or from a dump of one ([`dump`]), object by object, and a [`collect::Collector`]
//! keeps of each what the rules need. Then [`evaluation`] runs every rule on what was collected and makes a [`report::Report`].
//! A mismatch that may be momentary in a live cluster is checked a second time.

mod args;
mod collect;
mod dump;
mod evaluation;
mod json;
mod listen;
mod live;
mod output;
mod progress;
mod projection;
pub mod report;
mod self_check;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

pub use self::args::AuditArgs;
use self::args::Format;
use self::collect::{Collected, Collector};
use self::evaluation::{Evaluation, Options, evaluate};
use self::live::Scope;
use self::progress::Progress;
use self::report::Report;
use crate::output::{Notification, errors, text};
use crate::policy::Policy;
use crate::policy_file;

/// Audits and reports.
pub fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let policy = args.policy.as_deref().map(policy_file::load).transpose()?.map(|file| file.policy);
    if args.self_check {
        return self_check::run(args, policy);
    }
    let policy = policy.unwrap_or_default();
    if let Some(address) = &args.watching.listen {
        return listen::run(args, address, &policy).map(|()| ExitCode::SUCCESS);
    }
    let progress = Progress::new();
    let audited = audit(args, &policy, &progress);
    progress.end();
    let (report, notifications) = audited?;
    // A closed stdout, as with `audit | head`, does not change the exit code.
    write(args, &report, &notifications).or_else(unless_broken_pipe)?;
    text::write_notifications(&notifications, &mut anstream::stderr().lock())?;
    let failed = errors(&notifications).next().is_some();
    Ok(ExitCode::from(if failed { 2 } else { u8::from(args.fail_on.is_met(&report.findings)) }))
}

fn audit(
    args: &AuditArgs,
    policy: &Policy,
    progress: &Progress,
) -> anyhow::Result<(Report, Vec<Notification>)> {
    let options = Options { policy, keeps_entries: args.format == Format::Html, before: None };
    if args.from.is_empty() {
        // One thread is enough: objects are checked after all of them were read.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(audit_live(args, options, progress));
    }
    let mut collector = Collector::new(policy);
    let mut notifications = dump::read(&args.from, &mut collector, progress);
    if !collector.seen.has_any {
        text::write_notifications(&notifications, &mut anstream::stderr().lock())?;
        bail!("the dump has no object that an audit reads: no IPPool, no Pod, no list");
    }
    let read = collector.seen.read();
    let collected = collector.finish(read, &args.whereabouts_namespace);
    notifications.extend(copies(&collected));
    progress.say(|| "checking".to_owned());
    Ok((evaluate(collected, options).report, notifications))
}

/// Audits once, and again after the grace period if a finding may have been momentary.
async fn audit_live(
    args: &AuditArgs,
    options: Options<'_>,
    progress: &Progress,
) -> anyhow::Result<(Report, Vec<Notification>)> {
    let client = args.cluster.client_without_retries().await?;
    let scope = Scope::of(args, client.default_namespace());
    let collect = async || {
        let mut collector = Collector::new(options.policy);
        let read = live::read(&client, &scope, &mut collector, progress).await?;
        progress.say(|| "checking".to_owned());
        anyhow::Ok(collector.finish(read, &args.whereabouts_namespace))
    };
    let Evaluation { mut report, momentary } = evaluate(collect().await?, options);
    if args.grace > 0 && !momentary.is_empty() {
        drop(report);
        progress.say(|| format!("waiting {} s to look at some findings again", args.grace));
        tokio::time::sleep(Duration::from_secs(args.grace)).await;
        report = evaluate(collect().await?, Options { before: Some(&momentary), ..options }).report;
    }
    let notifications = no_pools(&report, &scope).into_iter().collect();
    Ok((report, notifications))
}

/// A hint, if the namespace has no pools.
fn no_pools(report: &Report, scope: &Scope) -> Option<Notification> {
    let Scope::Namespace(namespace) = scope else { return None };
    let why = "has no IPPool; -A audits the pools of all namespaces".to_owned();
    report.pools.is_empty().then(|| Notification::note(format!("namespace {namespace}"), None, why))
}

/// A note, if the dump has several copies of an object.
fn copies(collected: &Collected) -> Option<Notification> {
    let copies = collected.copies;
    let what = if copies == 1 { "an object is" } else { "some objects are" };
    let why = format!("{what} there more than once; the newest resourceVersion counts");
    (copies > 0).then(|| Notification::note("the dump", None, why))
}

fn unless_broken_pipe(error: anyhow::Error) -> anyhow::Result<()> {
    let io = error.downcast_ref::<io::Error>();
    if io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) { Ok(()) } else { Err(error) }
}

fn write(args: &AuditArgs, report: &Report, notifications: &[Notification]) -> anyhow::Result<()> {
    let Some(path) = &args.output else {
        let mut out = BufWriter::new(anstream::stdout().lock());
        output::write(report, notifications, args.format, &mut out)?;
        return Ok(out.flush()?);
    };
    let write = || {
        let mut out = BufWriter::new(anstream::StripStream::new(File::create(path)?));
        output::write(report, notifications, args.format, &mut out)?;
        out.flush()
    };
    write().with_context(|| format!("--output {}", path.display()))
}
