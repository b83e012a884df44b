//! From flags to a running server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::policy::Policy;
use crate::policy_file::{self, PolicyFile, PolicyLimits};
use crate::server::args::ServeArgs;
use crate::server::limits::Limits;
use crate::server::tls::{Certificates, TlsOptions, self_signed};
use crate::server::{Config, Server, log, shutdown};

/// Serves as `args` say, until a signal ends it.
///
/// # Errors
///
/// When the server cannot start; each error names the flag and the remedy. Once it serves, it ends with the signal and
/// without an error.
pub fn serve(args: ServeArgs) -> anyhow::Result<()> {
    // Dropped last, so that every line is written before the end.
    let _flush = log::start(args.log_format, &args.log_level)?;
    let PolicyFile { mut policy, limits } = match &args.policy {
        Some(path) => policy_file::load(path).context("--policy")?,
        None => PolicyFile::default(),
    };
    policy.enforcement = args.enforcement.unwrap_or(policy.enforcement);
    let config = config(&args, limits)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(run(args, config, policy));
    // Nobody waits for the response of a review that is still evaluated.
    runtime.shutdown_background();
    served
}

async fn run(args: ServeArgs, config: Config, policy: Policy) -> anyhow::Result<()> {
    let (first, second) = shutdown::signals().context("cannot install signal handlers")?;
    let (certificates, ca) = certificates(args.tls_cert, args.tls_key, args.self_signed)?;
    let server = Server::bind(config, policy.clone(), Arc::new(certificates)).await?;
    if let Some(ca) = ca {
        let ca_out = args.ca_out.display();
        std::fs::write(&args.ca_out, ca).with_context(|| {
            format!("cannot write the CA to {ca_out}; name a writable file with --ca-out")
        })?;
        let mut out = std::io::stdout().lock();
        if let Err(error) = self_signed::print_quickstart(&mut out, server.address(), &args.ca_out, &policy) {
            tracing::warn!(%error, "the example request could not be printed");
        }
    }
    tokio::select! {
        () = server.run(first.cancelled_owned()) => tracing::info!("shutdown complete"),
        () = second.cancelled() => tracing::warn!("received a second signal, exiting immediately"),
    }
    Ok(())
}

/// The serving certificate, and its CA where both were made here.
fn certificates(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    self_signed: bool,
) -> anyhow::Result<(Certificates, Option<String>)> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok((Certificates::from_files(cert, key)?, None)),
        _ if self_signed => {
            let (certificates, ca) = self_signed::certificates().context("cannot make a certificate")?;
            Ok((certificates, Some(ca)))
        }
        _ => bail!("no certificate: give --tls-cert and --tls-key, or --self-signed to try it out"),
    }
}

fn config(args: &ServeArgs, limits: PolicyLimits) -> anyhow::Result<Config> {
    Ok(Config {
        listen: args.listen.clone(),
        admin_listen: args.admin_listen.clone(),
        tls: TlsOptions {
            min_version: args.tls_min_version,
            client_ca: args.client_ca.clone(),
            client_names: args.client_name.clone(),
        },
        shutdown_delay: Duration::from_secs(args.shutdown_delay),
        limits: self::limits(args, limits)?,
    })
}

/// The default limits, overridden by those of the policy file, overridden by flags.
fn limits(args: &ServeArgs, file: PolicyLimits) -> anyhow::Result<Limits> {
    let mut limits = Limits { idle: Duration::from_secs(args.idle_timeout), ..Limits::default() };
    limits.max_body_bytes = bytes(args.max_body_bytes.or(file.max_body_bytes), limits.max_body_bytes)?;
    limits.max_in_flight_bytes =
        bytes(args.max_in_flight_bytes.or(file.max_in_flight_bytes), limits.max_in_flight_bytes)?;
    if limits.max_body_bytes == 0 {
        bail!("--max-body-bytes 0 would reject every review; the apiserver sends up to 7 MiB (7340032)");
    }
    if limits.max_in_flight_bytes < limits.max_body_bytes {
        bail!(
            "--max-in-flight-bytes {} is less than --max-body-bytes {}, so the longest body would never be read; \
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
