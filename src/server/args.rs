//! The flags of `serve`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::limits;
use super::tls::TlsVersion;
use crate::policy::Enforcement;

/// What `serve` is told. Every flag has an environment variable of the same name.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Where the webhook listens (HTTPS)
    #[arg(long, value_name = "ADDR", env = "IPPOOL_WEBHOOK_LISTEN", default_value_t = any(8443))]
    pub listen: SocketAddr,

    /// Where /livez, /readyz and /metrics are served (plain HTTP)
    #[arg(long, value_name = "ADDR", env = "IPPOOL_WEBHOOK_ADMIN_LISTEN", default_value_t = any(8080))]
    pub admin_listen: SocketAddr,

    /// Certificate chain, PEM; read again when its content changes
    #[arg(
        long,
        value_name = "FILE",
        env = "IPPOOL_WEBHOOK_TLS_CERT",
        requires = "tls_key",
        required_unless_present = "self_signed"
    )]
    pub tls_cert: Option<PathBuf>,

    /// Its private key, PEM (PKCS#8, PKCS#1 or SEC1)
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// For trying it out: make a certificate for localhost, and print what to send
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

    /// Answer only callers with a certificate of this CA, PEM; read again when its content changes
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,

    /// And only those whose certificate has one of these names (DNS, URI, e-mail or CN); may be repeated
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

    /// With "warn", what would be denied is a warning, logged and counted; only an update that would move
    /// stored allocations (IPP301) is denied all the same
    /// [default: of the policy, else deny]
    #[arg(long, env = "IPPOOL_WEBHOOK_ENFORCEMENT")]
    pub enforcement: Option<EnforcementArg>,

    /// Longest body in bytes; 413 past it [default: of the policy, else 8388608]
    #[arg(long, value_name = "N", env = "IPPOOL_WEBHOOK_MAX_BODY_BYTES")]
    pub max_body_bytes: Option<u64>,

    /// Bodies held at once in bytes; past it requests wait, then 503 [default: of the policy, else 67108864]
    #[arg(long, value_name = "N", env = "IPPOOL_WEBHOOK_MAX_IN_FLIGHT_BYTES")]
    pub max_in_flight_bytes: Option<u64>,

    /// From SIGTERM: not ready at once, but serving for so long, then drained
    #[arg(
        long,
        value_name = "SECONDS",
        env = "IPPOOL_WEBHOOK_SHUTDOWN_DELAY",
        default_value_t = limits::SHUTDOWN_DELAY.as_secs()
    )]
    pub shutdown_delay: u64,

    /// Keep-alive; at least 100: the apiserver reuses a connection for 90 s
    #[arg(
        long,
        value_name = "SECONDS",
        env = "IPPOOL_WEBHOOK_IDLE_TIMEOUT",
        default_value_t = limits::IDLE.as_secs(),
        value_parser = idle_seconds
    )]
    pub idle_timeout: u64,

    /// Oldest TLS version
    #[arg(long, env = "IPPOOL_WEBHOOK_TLS_MIN_VERSION", default_value = "1.3")]
    pub tls_min_version: TlsVersionArg,

    /// Form of the log on stderr
    #[arg(long, env = "IPPOOL_WEBHOOK_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// error, warn, info, debug or trace; or for parts, such as "info,ippool_webhook=debug"
    #[arg(long, value_name = "LEVEL", env = "IPPOOL_WEBHOOK_LOG_LEVEL", default_value = "info", value_parser = log_level)]
    pub log_level: String,
}

/// `--enforcement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EnforcementArg {
    /// Findings that deny refuse the request.
    Deny,
    /// Only an update that would move stored allocations is denied.
    Warn,
}

impl From<EnforcementArg> for Enforcement {
    fn from(arg: EnforcementArg) -> Self {
        match arg {
            EnforcementArg::Deny => Self::Deny,
            EnforcementArg::Warn => Self::Warn,
        }
    }
}

/// `--tls-min-version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsVersionArg {
    /// TLS 1.2.
    #[value(name = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[value(name = "1.3")]
    V1_3,
}

impl From<TlsVersionArg> for TlsVersion {
    fn from(arg: TlsVersionArg) -> Self {
        match arg {
            TlsVersionArg::V1_2 => Self::V1_2,
            TlsVersionArg::V1_3 => Self::V1_3,
        }
    }
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// An object a line, for collectors.
    Json,
}

const fn any(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}

fn idle_seconds(text: &str) -> Result<u64, String> {
    let seconds: u64 = text.parse().map_err(|_| "not a whole number of seconds".to_owned())?;
    if seconds < limits::LEAST_IDLE_SECONDS {
        return Err(format!(
            "at least {}: the apiserver reuses a connection for 90 s, and a request on one that was just closed fails",
            limits::LEAST_IDLE_SECONDS
        ));
    }
    Ok(seconds)
}

fn log_level(text: &str) -> Result<String, String> {
    let right = "write error, warn, info, debug or trace, or for parts PART=LEVEL";
    // A bare word that is no level would be taken for a part, and everything else be silent.
    let bare = |part: &&str| !part.contains('=') && part.parse::<LevelFilter>().is_err();
    if let Some(part) = text.split(',').find(bare) {
        return Err(format!("{part:?} is no level; {right}"));
    }
    text.parse::<Targets>().map_err(|error| format!("{error}; {right}"))?;
    Ok(text.to_owned())
}
