//! `certs`: the serving certificate looks after itself, where neither cert-manager nor a platform does.
//!
//! `ensure` decides each step from what is there ([`plan`]), takes it, and looks again, so that it may be cut
//! off at any moment and run by several at once. The order of its writes keeps one law: **at every moment the
//! certificate that is served is trusted by every `caBundle` that is published.**

mod args;
mod authority;
mod certificate;
mod cluster;
mod ensure;
mod keyring;
mod live;
mod plan;
mod rehearsal;
mod show;
#[cfg(test)]
mod tests;
mod trust;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

pub use self::args::CertsArgs;
use self::args::{CertsVerb, EnsureArgs, ShowArgs};
use self::cluster::Cluster as _;
use self::ensure::Run;
use self::live::Live;
use self::plan::Wish;
use self::rehearsal::Rehearsal;

/// Does what `args` ask for.
///
/// # Errors
///
/// When it could not be done; each error names the object, and the command that shows it.
pub fn run(args: &CertsArgs) -> anyhow::Result<ExitCode> {
    // One call at a time needs one thread.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &args.verb {
            CertsVerb::Ensure(args) => ensure(args).await.map(|()| ExitCode::SUCCESS),
            CertsVerb::Show(args) => show(args).await,
        }
    })
}

async fn ensure(args: &EnsureArgs) -> anyhow::Result<()> {
    let target = args.cluster.target();
    let mut live = connect(&args.cluster).await?;
    let wish = Wish { renew: args.renew, drop_others: args.drop_others };
    let settle = Duration::from_secs(args.settle);
    let run = Run { target: &target, wish, adopt: args.adopt, settle, dry_run: args.dry_run };
    let tell = &mut |line: String| {
        // Nobody reads it any more, as with `| head -1`; the work goes on.
        let _ = writeln!(anstream::stdout(), "{line}");
    };
    if args.dry_run {
        let mut rehearsal = Rehearsal::of(live.read().await?, live.now());
        return ensure::ensure(&mut rehearsal, &run, tell).await;
    }
    ensure::ensure(&mut live, &run, tell).await
}

async fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let target = args.cluster.target();
    let mut live = connect(&args.cluster).await?;
    let observed = live.read().await?;
    let report = show::examine(&observed, &target, &args.connect, live.now()).await;
    let mut out = anstream::stdout();
    match args.format {
        args::Format::Text => write!(out, "{report}")?,
        args::Format::Json => writeln!(out, "{:#}", report.json())?,
    }
    Ok(ExitCode::from(match (observed.unread, report.fits()) {
        (true, _) => 2,
        (false, fits) => u8::from(!fits),
    }))
}

async fn connect(args: &args::ClusterArgs) -> anyhow::Result<Live> {
    Live::connect(args.kubeconfig.as_deref(), args.context.as_deref(), args.target()).await
}
