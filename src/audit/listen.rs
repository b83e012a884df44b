//! `audit --listen`: keeps watching a cluster, and serves what an audit finds as metrics and as a page.
//!
//! Watches report each change, and of each object only what the rules read is kept. After changes, at an interval, the rules are
//! evaluated on all of it, with the code of an audit that lists the cluster once: both find the same.

mod http;
mod metrics;
mod store;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use self::http::State;
use self::watcher::Watcher;
use super::AuditArgs;
use super::live::Scope;
use crate::policy::Policy;
use crate::server::{self, LogFormat, PlainServer};

/// How many requests for the report can wait; a further one gets a 503.
pub const MAX_WAITING_PAGES: usize = 4;

/// The flags of `--listen`.
#[derive(Debug, clap::Args)]
pub struct ListenArgs {
    /// Keep watching, and serve /metrics, / (the HTML report) and /readyz over plain HTTP here, as HOST:PORT or :PORT
    #[arg(
        long,
        value_name = "ADDR",
        env = "IPPOOL_WEBHOOK_AUDIT_LISTEN",
        conflicts_with_all = ["from", "format", "output", "fail_on"]
    )]
    pub listen: Option<String>,

    /// With --listen: how often to look at what has changed, at most
    #[arg(long, value_name = "SECONDS", default_value_t = 15, env = "IPPOOL_WEBHOOK_AUDIT_INTERVAL", requires = "listen", value_parser = clap::value_parser!(u64).range(1..))]
    pub interval: u64,

    /// With --listen: how many pools have metrics of their own; those that come first by namespace and name
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5_000,
        env = "IPPOOL_WEBHOOK_MAX_POOLS",
        requires = "listen"
    )]
    pub max_pools: usize,

    /// With --listen: log format
    #[arg(long, env = "IPPOOL_WEBHOOK_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// With --listen: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", env = "IPPOOL_WEBHOOK_LOG_LEVEL", default_value = "info", value_parser = server::log_level)]
    pub log_level: String,
}

/// Watches and serves until a signal ends it.
pub fn run(args: &AuditArgs, address: &str, policy: &Policy) -> anyhow::Result<()> {
    let _flush = server::start_log(args.watching.log_format, &args.watching.log_level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(serve(args, address, policy));
    runtime.shutdown_background();
    served
}

async fn serve(args: &AuditArgs, address: &str, policy: &Policy) -> anyhow::Result<()> {
    let (first, second) = server::signals().context("cannot install signal handlers")?;
    let client = args.cluster.watching_client().await?;
    let scope = Scope::of(args, client.default_namespace());
    let server = PlainServer::bind(address).await?;
    let (pages, requests) = mpsc::channel(MAX_WAITING_PAGES);
    let state = Arc::new(State::new(pages));
    let watcher = Watcher {
        policy,
        namespaces: &args.whereabouts_namespace,
        interval: Duration::from_secs(args.watching.interval),
        grace: Duration::from_secs(args.grace),
        max_pools: args.watching.max_pools,
        state: Arc::clone(&state),
    };
    tracing::info!(address = %server.address(), "serving");
    tokio::select! {
        () = server.run(http::router(state), first.cancelled_owned()) => tracing::info!("shutdown complete"),
        () = second.cancelled() => tracing::warn!("received a second signal, exiting immediately"),
        () = watcher.watch(&client, &scope, requests) => {}
    }
    Ok(())
}
