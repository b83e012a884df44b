//! `audit`: what is wrong in a cluster today.
//!
//! Objects come from a live cluster ([`live`]) or from a dump of one ([`dump`]), object by object, and a [`collect::Collector`]
//! keeps of each what the rules need. A look ([`look`]) runs every rule on what was collected and makes a [`report::Report`].
//! What may be a mismatch of a moment in a live cluster is looked at a second time.

mod args;
mod collect;
mod dump;
mod json;
mod look;
mod output;
mod progress;
#[allow(dead_code, reason = "the HTML report shows each entry")]
pub mod report;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};

pub use self::args::AuditArgs;
use self::collect::{Collected, Collector};
use self::look::{Look, Options, look};
use self::progress::Progress;
use self::report::Report;
use crate::check::unless_broken_pipe;
use crate::output::{Notification, errors, text};
use crate::policy::Policy;
use crate::policy_file;

/// Audits and reports.
pub fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let policy = args.policy.as_deref().map(policy_file::load).transpose()?.unwrap_or_default().policy;
    let progress = Progress::new();
    let audited = audit(args, &policy, &progress);
    progress.end();
    let (report, notifications) = audited?;
    // A closed stdout, as with `audit | head`, does not change the exit code.
    write(args, &report, &notifications).or_else(|error| match error.downcast::<io::Error>() {
        Ok(error) => unless_broken_pipe(error).map_err(anyhow::Error::from),
        Err(error) => Err(error),
    })?;
    text::write_notifications(&notifications, &mut anstream::stderr().lock())?;
    let failed = errors(&notifications).next().is_some();
    Ok(ExitCode::from(if failed { 2 } else { u8::from(args.fail_on.is_met(&report.findings)) }))
}

fn audit(
    args: &AuditArgs,
    policy: &Policy,
    progress: &Progress,
) -> anyhow::Result<(Report, Vec<Notification>)> {
    let options = Options { policy, keeps_entries: false, before: None };
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
    let Look { report, .. } = look(collected, options);
    Ok((report, notifications))
}

/// Says that some objects are there more than once.
fn copies(collected: &Collected) -> Option<Notification> {
    let copies = collected.copies;
    let what = if copies == 1 { "an object is" } else { "some objects are" };
    let why = format!("{what} there more than once; the newest resourceVersion counts");
    (copies > 0).then(|| Notification::note("the dump", None, why))
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
