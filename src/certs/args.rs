//! The flags of `certs`.

use clap::{Args, Subcommand, ValueEnum};

use super::plan::Renew;
use super::state::{ConfigurationRef, Target, WebhookKind};
use crate::cluster::ClusterArgs;

/// Issue, renew and publish the serving certificate where nothing else does.
#[derive(Args, Debug)]
pub struct CertsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CertsCommand,
}

/// The subcommands of `certs`.
#[derive(Debug, Subcommand)]
pub enum CertsCommand {
    Ensure(EnsureArgs),
    Show(ShowArgs),
}

/// Issue, renew and publish the certificate and its CA where due; safe to run at any time and concurrently.
///
/// Issues what is missing, renews what is past two thirds of its lifetime (the certificate: 90 days, the CA: two
/// years), and publishes a new CA to the webhook configurations before a certificate of it is served.
#[derive(Args, Debug)]
pub struct EnsureArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    pub target: TargetArgs,

    /// Print what would be done, and write nothing
    #[arg(long, env = "IPPOOL_WEBHOOK_DRY_RUN")]
    pub dry_run: bool,

    /// Replace the certificate, or the CA and the certificate, regardless of their age
    #[arg(long, value_name = "WHAT", env = "IPPOOL_WEBHOOK_RENEW")]
    pub renew: Option<Renew>,

    /// Remove every CA but the signing one from the caBundles; after a leaked key, once all pods serve the new
    /// certificate
    #[arg(long, env = "IPPOOL_WEBHOOK_DROP_OTHERS")]
    pub drop_others: bool,

    /// Take over a Secret that another program filled
    #[arg(long, env = "IPPOOL_WEBHOOK_ADOPT")]
    pub adopt: bool,

    /// Time from publishing a new CA to issuing from it, in which every apiserver has to see it
    #[arg(long, value_name = "SECONDS", env = "IPPOOL_WEBHOOK_PROPAGATION_DELAY", default_value_t = 60)]
    pub propagation_delay: u64,
}

/// Print which certificates are stored, published and served, when each expires, and whether they match.
///
/// Exit code: 0 they match, 1 they do not, 2 an object could not be read.
#[derive(Args, Debug)]
pub struct ShowArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    pub target: TargetArgs,

    /// Server whose certificate is shown; may be repeated [default: the Service, where its name resolves]
    #[arg(long, value_name = "HOST:PORT", env = "IPPOOL_WEBHOOK_CONNECT", value_delimiter = ',')]
    pub connect: Vec<String>,

    /// Output format
    #[arg(long, env = "IPPOOL_WEBHOOK_FORMAT", default_value = "text")]
    pub format: Format,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One object, for programs.
    Json,
}

/// Which objects of the cluster.
#[derive(Args, Debug)]
pub struct TargetArgs {
    /// Namespace of the Secret and the Service
    #[arg(long, value_name = "NAME", env = "IPPOOL_WEBHOOK_NAMESPACE", default_value = "ippool-webhook")]
    pub namespace: String,

    /// Secret that holds the certificate
    #[arg(long, value_name = "NAME", env = "IPPOOL_WEBHOOK_SECRET", default_value = "ippool-webhook-tls")]
    pub secret: String,

    /// Service that the apiserver calls; the certificate is for NAME.NAMESPACE.svc
    #[arg(long, value_name = "NAME", env = "IPPOOL_WEBHOOK_SERVICE", default_value = "ippool-webhook")]
    pub service: String,

    /// Webhook configurations that trust the CA: mutating/NAME or validating/NAME; may be repeated
    #[arg(
        long,
        value_name = "KIND/NAME",
        env = "IPPOOL_WEBHOOK_PUBLISH_TO",
        value_delimiter = ',',
        default_value = "mutating/ippool-webhook,validating/ippool-webhook",
        value_parser = reference
    )]
    pub publish_to: Vec<ConfigurationRef>,
}

impl TargetArgs {
    /// The objects that these flags name.
    pub fn target(&self) -> Target {
        Target {
            namespace: self.namespace.clone(),
            secret: self.secret.clone(),
            service: self.service.clone(),
            configurations: self.publish_to.clone(),
        }
    }
}

fn reference(text: &str) -> Result<ConfigurationRef, String> {
    let (kind, name) = text.split_once('/').unwrap_or((text, ""));
    let kind = match kind {
        "mutating" => WebhookKind::Mutating,
        "validating" => WebhookKind::Validating,
        _ => return Err("write mutating/NAME or validating/NAME".to_owned()),
    };
    if name.is_empty() {
        return Err("a name is missing after the slash".to_owned());
    }
    Ok(ConfigurationRef { kind, name: name.to_owned() })
}
