//! The flags of `certs`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::cluster::{Kind, Reference, Target};
use super::plan::Renew;

/// Issue, renew and publish the serving certificate where nothing else does.
#[derive(Args, Debug)]
pub struct CertsArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: CertsVerb,
}

/// The verbs below `certs`.
#[derive(Debug, Subcommand)]
pub enum CertsVerb {
    Ensure(EnsureArgs),
    Show(ShowArgs),
}

/// Bring the certificate and its CA to where they should be; safe to run at any time and from anywhere.
///
/// Issues what is missing, renews what is past two thirds of its life (the certificate: 90 days, the CA: two
/// years), and publishes the CA to the webhook configurations before anything is served that needs it.
#[derive(Args, Debug)]
pub struct EnsureArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Say what would be done, and do nothing
    #[arg(long, env = "IPPOOL_WEBHOOK_DRY_RUN")]
    pub dry_run: bool,

    /// Replace the certificate, or the CA and the certificate, whatever their age
    #[arg(long, value_name = "WHAT", env = "IPPOOL_WEBHOOK_RENEW")]
    pub renew: Option<Renew>,

    /// Take every CA but the one that signs out of the caBundles; after a leaked key, once all pods serve the
    /// new certificate
    #[arg(long, env = "IPPOOL_WEBHOOK_DROP_OTHERS")]
    pub drop_others: bool,

    /// Take over a Secret that something else filled
    #[arg(long, env = "IPPOOL_WEBHOOK_ADOPT")]
    pub adopt: bool,

    /// From publishing a new CA to issuing from it: every apiserver must have seen it by then
    #[arg(long, value_name = "SECONDS", env = "IPPOOL_WEBHOOK_SETTLE", default_value_t = 60)]
    pub settle: u64,
}

/// Print what is stored, published and served, when each expires, and whether they fit.
///
/// Exit code: 0 they fit, 1 they do not, 2 it could not be found out.
#[derive(Args, Debug)]
pub struct ShowArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Where to look at what is served; may be repeated [default: the Service, where its name resolves]
    #[arg(long, value_name = "HOST:PORT", env = "IPPOOL_WEBHOOK_CONNECT", value_delimiter = ',')]
    pub connect: Vec<String>,

    /// Form of the report
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

/// Which cluster, and which objects of it.
#[derive(Args, Debug)]
pub struct ClusterArgs {
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
    pub publish_to: Vec<Reference>,

    /// Kubeconfig file [default: as kubectl finds it, else the cluster this runs in]
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", env = "IPPOOL_WEBHOOK_CONTEXT")]
    pub context: Option<String>,
}

impl ClusterArgs {
    /// The objects they name.
    pub fn target(&self) -> Target {
        Target {
            namespace: self.namespace.clone(),
            secret: self.secret.clone(),
            service: self.service.clone(),
            configurations: self.publish_to.clone(),
        }
    }
}

fn reference(text: &str) -> Result<Reference, String> {
    let (kind, name) = text.split_once('/').unwrap_or((text, ""));
    let kind = match kind {
        "mutating" => Kind::Mutating,
        "validating" => Kind::Validating,
        _ => return Err("write mutating/NAME or validating/NAME".to_owned()),
    };
    if name.is_empty() {
        return Err("a name is missing after the slash".to_owned());
    }
    Ok(Reference { kind, name: name.to_owned() })
}
