//! The flags of `certs`.

use clap::{Args, Subcommand, ValueEnum};

use super::plan::Options;
use super::state::Target;
use crate::kube_client::ClusterArgs;

/// Issue, renew and publish the serving certificate where nothing else does.
#[derive(Debug, Subcommand)]
pub enum CertsArgs {
    Ensure(EnsureArgs),
    Show(ShowArgs),
}

/// Issue, renew and publish the certificate and its CA where due; safe to run at any time and concurrently.
///
/// Issues what is missing, renews what is past two thirds of its lifetime (the certificate: 90 days, the CA: two
/// years), and publishes a new CA to the webhook configurations before a certificate of it is served.
/// With --interval it runs until SIGTERM or its first error.
#[derive(Args, Debug)]
pub struct EnsureArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    pub target: Target,

    #[command(flatten)]
    pub options: Options,

    /// Keep running, and repeat this long after each success [default: run once]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "IPPOOL_WEBHOOK_INTERVAL",
        value_parser = clap::value_parser!(u64).range(1..),
        conflicts_with_all = ["dry_run", "renew", "drop_others"]
    )]
    pub interval: Option<u64>,
}

/// Print which certificates are stored, published and served, when each expires, and whether they match.
///
/// Exit code: 0 they match, 1 they do not, 2 an object could not be read.
#[derive(Args, Debug)]
pub struct ShowArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    pub target: Target,

    /// Server whose certificate is shown; may be repeated [default: the Service, where its name resolves]
    #[arg(long, value_name = "HOST:PORT", env = "IPPOOL_WEBHOOK_CONNECT", value_delimiter = ',')]
    pub connect: Vec<String>,

    /// Output format
    #[arg(long, env = "IPPOOL_WEBHOOK_CERTS_FORMAT", default_value = "text")]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One object, for programs.
    Json,
}
