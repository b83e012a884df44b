//! The flags of `audit`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::listen::ListenArgs;
use crate::check::FailOn;
use crate::kube_client::ClusterArgs;

/// Find what is wrong in a cluster today: leaked addresses, addresses held twice, and what every rule finds in each pool.
///
/// Reads the pools and reservations of whereabouts, network attachment definitions, and pods, from a live cluster or, with
/// --from, from a dump of one. It writes nothing to the cluster. Exit code: 0 no finding at or above --fail-on, 1 there is
/// one, 2 the cluster or a part of the dump could not be read.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Namespace of the pools [default: that of the context]
    #[arg(
        short,
        long,
        value_name = "NS",
        env = "IPPOOL_WEBHOOK_AUDIT_NAMESPACE",
        conflicts_with = "all_namespaces"
    )]
    pub namespace: Option<String>,

    /// Audit the pools of all namespaces
    #[arg(
        short = 'A',
        long,
        env = "IPPOOL_WEBHOOK_ALL_NAMESPACES",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub all_namespaces: bool,

    /// Read a dump instead of a live cluster: the output of `kubectl get -o yaml` or `-o json`, the folder of `oc adm
    /// inspect` or of a must-gather, or - for standard input; may be repeated
    #[arg(
        long,
        value_name = "FILE|DIR|-",
        env = "IPPOOL_WEBHOOK_FROM",
        conflicts_with_all = ["kubeconfig", "context", "namespace", "all_namespaces"]
    )]
    pub from: Vec<PathBuf>,

    /// Output format
    #[arg(long, value_enum, default_value_t, env = "IPPOOL_WEBHOOK_AUDIT_FORMAT")]
    pub format: Format,

    /// File for the report [default: standard output]
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_OUTPUT")]
    pub output: Option<PathBuf>,

    /// Lowest severity of a finding that makes the exit code 1
    #[arg(long, value_enum, default_value_t, env = "IPPOOL_WEBHOOK_FAIL_ON")]
    pub fail_on: FailOn,

    /// YAML file with the severity of rules, as for `serve`
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_POLICY")]
    pub policy: Option<PathBuf>,

    /// How long a mismatch between objects of a live cluster must last: it is looked at a second time
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "IPPOOL_WEBHOOK_GRACE")]
    pub grace: u64,

    /// Namespace in which whereabouts runs; may be repeated [default: found out]
    #[arg(long, value_name = "NS", env = "IPPOOL_WEBHOOK_WHEREABOUTS_NAMESPACE", value_delimiter = ',')]
    pub whereabouts_namespace: Vec<String>,

    /// Compare the registration in the cluster with what this program serves, instead of auditing pools: the webhook
    /// configurations, the certificate, the trusted writers, and other webhooks for pools. Prints text or JSON
    #[arg(
        long,
        env = "IPPOOL_WEBHOOK_SELF_CHECK",
        value_parser = clap::builder::BoolishValueParser::new(),
        conflicts_with_all = ["from", "listen", "output"]
    )]
    pub self_check: bool,

    #[command(flatten)]
    pub watching: ListenArgs,
}

/// `--format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Tables, for an issue or a chat.
    Markdown,
    /// One file for a browser, with a picture of each pool.
    Html,
}
