//! The flags of `check`.

use std::path::PathBuf;

use clap::ValueEnum;
use glob::Pattern;

use crate::finding::Severity;
use crate::output::Diagnostic;

/// Check manifests against the rules, without a cluster.
///
/// Reads YAML (with several documents, and lists) and JSON. Objects of other kinds are skipped and counted. Exit code: 0
/// clean, 1 findings at or above --fail-on, 2 something could not be read.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Files, directories (searched for .yaml, .yml and .json; hidden entries, symbolic links and the templates of Helm
    /// charts are skipped), or - for standard input.
    #[arg(value_name = "FILE|DIR|-", default_value = ".")]
    pub paths: Vec<PathBuf>,

    /// Skip what matches in directories: the name of an entry, such as *.tpl.yaml, or its path, such as apps/**/rendered;
    /// may be repeated.
    #[arg(long, value_name = "GLOB", env = "IPPOOL_WEBHOOK_EXCLUDE", value_delimiter = ',')]
    pub exclude: Vec<Pattern>,

    /// Output format.
    #[arg(long, value_enum, default_value_t, env = "IPPOOL_WEBHOOK_CHECK_FORMAT")]
    pub format: Format,

    /// Lowest severity of a finding that makes the exit code 1.
    #[arg(long, value_enum, default_value_t, env = "IPPOOL_WEBHOOK_FAIL_ON")]
    pub fail_on: FailOn,

    /// Show what normalizing would change, as a diff that `patch -p1` applies. Needs --format text.
    #[arg(long, env = "IPPOOL_WEBHOOK_DIFF", value_parser = clap::builder::BoolishValueParser::new())]
    pub diff: bool,

    /// YAML file with the severity of rules, as for `serve`.
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_POLICY")]
    pub policy: Option<PathBuf>,
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
    /// Workflow commands of GitHub: annotations on a pull request.
    Github,
}

/// `--fail-on`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// What the webhook denies, and host bits in the range of a pool without entries, which it normalizes.
    #[default]
    Deny,
    /// Any finding.
    Warn,
    /// No finding: only report.
    Never,
}

impl FailOn {
    /// Whether one of these makes the exit code 1.
    pub fn is_met(self, diagnostics: &[Diagnostic]) -> bool {
        let lowest = match self {
            Self::Deny => Severity::Deny,
            Self::Warn => Severity::Warn,
            Self::Never => return false,
        };
        diagnostics.iter().any(|it| it.finding.severity >= lowest)
    }
}
