//! The client of the Kubernetes API, configured as kubectl is.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Timeout of a call to the API, which answers in milliseconds unless something is wrong.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The longest silence of a watch: the apiserver ends one after 290 s, as it was asked to.
const WATCH_TIMEOUT: Duration = Duration::from_secs(300);

/// Which cluster.
#[derive(Args, Debug)]
pub struct ClusterArgs {
    /// Kubeconfig file [default: as kubectl finds it, else the cluster this runs in]
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", env = "IPPOOL_WEBHOOK_CONTEXT")]
    context: Option<String>,
}

impl ClusterArgs {
    /// A client of the cluster; nothing is sent yet.
    pub async fn client(&self) -> anyhow::Result<Client> {
        connect(self.config().await?, TIMEOUT)
    }

    /// A client for watches, in which nothing may happen for minutes.
    pub async fn watching_client(&self) -> anyhow::Result<Client> {
        connect(self.config().await?, WATCH_TIMEOUT)
    }

    /// A client that leaves it to the caller to try again. The other one does so for minutes, in silence, where the
    /// apiserver is overloaded.
    pub async fn client_without_retries(&self) -> anyhow::Result<Client> {
        let mut config = self.config().await?;
        config.default_retry = false;
        connect(config, TIMEOUT)
    }

    /// Kube's errors are formatted, not wrapped: each already repeats its causes.
    async fn config(&self) -> anyhow::Result<Config> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        match &self.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).map_err(|error| anyhow!("--kubeconfig: {error}"))?;
                let config = Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(|error| anyhow!("--kubeconfig {}: {error}", path.display()))
            }
            None if self.context.is_some() => {
                let config = Config::from_kubeconfig(&options).await;
                config.map_err(|error| anyhow!("the kubeconfig cannot be used with --context: {error}"))
            }
            None => Config::infer().await.map_err(|error| {
                anyhow!(
                    "no cluster is configured: give --kubeconfig or KUBECONFIG, or run this in a pod with a \
                     service account ({error})"
                )
            }),
        }
    }
}

fn connect(mut config: Config, read_timeout: Duration) -> anyhow::Result<Client> {
    config.connect_timeout = Some(TIMEOUT);
    config.read_timeout = Some(read_timeout);
    config.write_timeout = Some(TIMEOUT);
    let mut without_roots = config.clone();
    let client = Client::try_from(config).or_else(|error| {
        // An image without root certificates: they are needed only for TLS, and only where no CA is given.
        if without_roots.root_cert.is_some() {
            return Err(error);
        }
        without_roots.root_cert = Some(Vec::new());
        Client::try_from(without_roots)
    });
    client.context("the configuration of the cluster cannot be used")
}
