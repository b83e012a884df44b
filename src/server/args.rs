//! The flags of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::limits::{self, Limits};
use super::log::{self, LogFormat};
use super::{Config, TlsVersion};
use crate::policy::Enforcement;

/// The flags of `serve`. Every flag has an environment variable of the same name.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Where the webhook listens (HTTPS): HOST:PORT, or :PORT for all addresses, IPv6 included
    #[arg(
        long,
        value_name = "ADDR",
        env = "IPPOOL_WEBHOOK_LISTEN",
        default_value = "0.0.0.0:8443",
        value_parser = address
    )]
    pub listen: String,

    /// Where /livez, /readyz and /metrics are served (plain HTTP): HOST:PORT or :PORT
    #[arg(
        long,
        value_name = "ADDR",
        env = "IPPOOL_WEBHOOK_ADMIN_LISTEN",
        default_value = "0.0.0.0:8080",
        value_parser = address
    )]
    pub admin_listen: String,

    /// Certificate chain, PEM; read again when its content changes
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Its private key, PEM (PKCS#8, PKCS#1 or SEC1)
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// For trying it out: make a certificate for localhost, and print an example request
    #[arg(long, env = "IPPOOL_WEBHOOK_SELF_SIGNED", conflicts_with_all = ["tls_cert", "tls_key"])]
    pub self_signed: bool,

    /// Where --self-signed writes its CA, PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "IPPOOL_WEBHOOK_CA_OUT",
        default_value = "./ippool-webhook-ca.pem"
    )]
    pub ca_out: PathBuf,

    /// Serve only clients with a certificate of this CA, PEM; read again when its content changes
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,

    /// Serve only clients whose certificate has one of these names (DNS, URI, e-mail or CN); may be repeated
    #[arg(
        long,
        value_name = "NAME",
        env = "IPPOOL_WEBHOOK_CLIENT_NAME",
        value_delimiter = ',',
        requires = "client_ca"
    )]
    pub client_name: Vec<String>,

    /// Severity of each rule, trusted writers, normalizing, limits: YAML [default: built in]
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_POLICY")]
    pub policy: Option<PathBuf>,

    /// Whether a finding of severity deny denies the request [default: from the policy, else deny]
    #[arg(long, env = "IPPOOL_WEBHOOK_ENFORCEMENT")]
    pub enforcement: Option<Enforcement>,

    /// Longest body in bytes; a longer one gets 413 [default: from the policy, else 8388608]
    #[arg(long, value_name = "N", env = "IPPOOL_WEBHOOK_MAX_BODY_BYTES")]
    pub max_body_bytes: Option<u64>,

    /// Memory for reviews in bytes; beyond it, requests wait, then get 503 [default: from the policy, else 67108864]
    #[arg(long, value_name = "N", env = "IPPOOL_WEBHOOK_MAX_IN_FLIGHT_BYTES")]
    pub max_in_flight_bytes: Option<u64>,

    /// How long to serve after SIGTERM, not ready any more, before draining
    #[arg(
        long,
        value_name = "SECONDS",
        env = "IPPOOL_WEBHOOK_SHUTDOWN_DELAY",
        default_value_t = Config::default().shutdown_delay.as_secs()
    )]
    pub shutdown_delay: u64,

    /// Keep-alive; at least 100: the apiserver reuses a connection for 90 s
    #[arg(
        long,
        value_name = "SECONDS",
        env = "IPPOOL_WEBHOOK_IDLE_TIMEOUT",
        default_value_t = Limits::default().idle.as_secs(),
        value_parser = idle_seconds
    )]
    pub idle_timeout: u64,

    /// Minimum TLS version
    #[arg(long, env = "IPPOOL_WEBHOOK_TLS_MIN_VERSION", default_value = "1.3")]
    pub tls_min_version: TlsVersion,

    /// Log format
    #[arg(long, env = "IPPOOL_WEBHOOK_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// error, warn, info, debug or trace, or levels of parts such as "info,ippool_webhook=debug"
    #[arg(long, value_name = "LEVEL", env = "IPPOOL_WEBHOOK_LOG_LEVEL", default_value = "info", value_parser = log::level)]
    pub log_level: String,
}

/// Written by hand, since the core does not depend on clap.
impl ValueEnum for Enforcement {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Deny, Self::Warn]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Deny => PossibleValue::new("deny").help("Findings of severity deny deny the request"),
            Self::Warn => PossibleValue::new("warn").help(
                "They are warnings, logged and counted; only an update that would move stored allocations (IPP301) \
                 is still denied",
            ),
        })
    }
}

/// An address to listen on. A host is resolved only at the start.
fn address(text: &str) -> Result<String, String> {
    let is_named = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.contains([':', '[']) && port.parse::<u16>().is_ok());
    if is_named || text.parse::<SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("write HOST:PORT, [IPv6]:PORT, or :PORT for all addresses".to_owned())
}

fn idle_seconds(text: &str) -> Result<u64, String> {
    let seconds: u64 = text.parse().map_err(|_| "not a whole number of seconds".to_owned())?;
    if seconds < limits::MIN_IDLE_SECONDS {
        return Err(format!(
            "at least {}: the apiserver reuses a connection for 90 s, and a request on one that was just closed fails",
            limits::MIN_IDLE_SECONDS
        ));
    }
    Ok(seconds)
}
