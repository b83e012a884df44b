//! From flags to a running server: what is read, made and printed before the first request.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use super::args::{LogFormat, ServeArgs};
use super::certificates::Certificates;
use super::limits::Limits;
use super::log_writer::{Flush, LogWriter};
use super::tls::TlsOptions;
use super::{Config, Server, self_signed, signals};
use crate::policy::Policy;
use crate::policy_file;

/// Serves as `args` say, until a signal ends it.
///
/// # Errors
///
/// When the server cannot start; each error names the flag and what would be right. Once it serves, it
/// ends with the signal and without an error.
pub fn serve(args: ServeArgs) -> anyhow::Result<()> {
    // Dropped last: what was logged is written before the end.
    let _flush = start_logging(&args)?;
    let policy = policy(&args)?;
    let config = config(&args, &policy)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(run(args, config, policy));
    // A review that is still computing has nobody left to answer.
    runtime.shutdown_background();
    served
}

async fn run(args: ServeArgs, config: Config, policy: Policy) -> anyhow::Result<()> {
    let (first, second) = signals::first_and_second().context("signals cannot be handled")?;
    let (certificates, ca) = certificates(args.tls_cert, args.tls_key, args.self_signed)?;
    let server = Server::bind(config, policy.clone(), Arc::new(certificates)).await?;
    if let Some(ca) = ca {
        self_signed::write_ca(&ca, &args.ca_out)?;
        let mut out = std::io::stdout().lock();
        if let Err(error) = self_signed::print_quickstart(&mut out, server.address(), &args.ca_out, &policy) {
            tracing::warn!(%error, "the quickstart could not be printed");
        }
    }
    tokio::select! {
        () = server.run(first.cancelled_owned()) => tracing::info!("drained; bye"),
        () = second.cancelled() => tracing::warn!("a second signal: ended at once"),
    }
    Ok(())
}

/// The certificates, and their CA where they were made here.
fn certificates(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    self_signed: bool,
) -> anyhow::Result<(Certificates, Option<String>)> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok((Certificates::from_files(cert, key)?, None)),
        _ if self_signed => {
            let (certificates, ca) = self_signed::certificates().context("no certificate could be made")?;
            Ok((certificates, Some(ca)))
        }
        _ => bail!("no certificate: give --tls-cert and --tls-key, or --self-signed to try it out"),
    }
}

/// The policy of `--policy`, with what flags override.
fn policy(args: &ServeArgs) -> anyhow::Result<Policy> {
    let mut policy = args.policy.as_deref().map_or_else(|| Ok(Policy::default()), read_policy)?;
    if let Some(enforcement) = args.enforcement {
        policy.enforcement = enforcement.into();
    }
    policy.limits.max_body_bytes = args.max_body_bytes.or(policy.limits.max_body_bytes);
    policy.limits.max_in_flight_bytes = args.max_in_flight_bytes.or(policy.limits.max_in_flight_bytes);
    Ok(policy)
}

fn read_policy(path: &Path) -> anyhow::Result<Policy> {
    policy_file::load(path).context("--policy")
}

fn config(args: &ServeArgs, policy: &Policy) -> anyhow::Result<Config> {
    Ok(Config {
        listen: args.listen,
        admin_listen: args.admin_listen,
        tls: TlsOptions {
            min_version: args.tls_min_version.into(),
            client_ca: args.client_ca.clone(),
            client_names: args.client_name.clone(),
        },
        shutdown_delay: Duration::from_secs(args.shutdown_delay),
        limits: limits(args, policy)?,
    })
}

fn limits(args: &ServeArgs, policy: &Policy) -> anyhow::Result<Limits> {
    let mut limits = Limits { idle: Duration::from_secs(args.idle_timeout), ..Limits::default() };
    limits.max_body_bytes = bytes(policy.limits.max_body_bytes, limits.max_body_bytes)?;
    limits.max_in_flight_bytes = bytes(policy.limits.max_in_flight_bytes, limits.max_in_flight_bytes)?;
    if limits.max_body_bytes == 0 {
        bail!("--max-body-bytes 0 would refuse every review; the apiserver sends up to 7 MiB (7340032)");
    }
    if limits.max_in_flight_bytes < limits.max_body_bytes {
        bail!(
            "--max-in-flight-bytes {} is less than --max-body-bytes {}: the longest body would never find room; \
             raise the first or lower the second",
            limits.max_in_flight_bytes,
            limits.max_body_bytes
        );
    }
    Ok(limits)
}

fn bytes(set: Option<u64>, default: usize) -> anyhow::Result<usize> {
    set.map_or(Ok(default), usize::try_from).context("more bytes than this machine can address")
}

/// Logs go to stderr; stdout is for what a person asked to see.
fn start_logging(args: &ServeArgs) -> anyhow::Result<Flush> {
    let filter: Targets = directives(&args.log_level).parse().context("--log-level")?;
    let json = args.log_format == LogFormat::Json;
    let (writer, flush) = LogWriter::new(std::io::stderr(), json);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = if json { lines.json().flatten_event(true).boxed() } else { lines.boxed() };
    let started = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    started.map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))?;
    // The usual hook writes to stderr itself, and waits for who reads it. What panicked is logged where it is answered.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic; this is a bug");
    }));
    Ok(flush)
}

/// What a bare level means: that level for this program. Its libraries describe every frame at `debug`.
fn directives(level: &str) -> String {
    match level.parse::<tracing::Level>() {
        Ok(level) => format!("warn,ippool_webhook={level}"),
        Err(_) => level.to_owned(),
    }
}
