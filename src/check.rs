//! `check`: the rules on manifests, without a cluster.
//!
//! Files become documents ([`split`], [`yaml`]), documents become pools ([`manifest`]), pools are examined
//! by the same rules as requests, and every finding is led back to its line ([`place`]).

mod diff;
mod frame;
mod github;
mod json;
mod manifest;
mod node;
mod place;
mod sarif;
mod scalar;
mod source;
mod split;
mod text;
mod yaml;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

#[cfg(feature = "cluster")]
pub use self::manifest::documents;
use self::manifest::{Manifests, PoolManifest};
use self::place::{Places, Snippet};
use self::source::{Input, Trouble};
use crate::finding::{RuleInfo, Severity};
use crate::kinds::ippool::IpPool;
use crate::kinds::ippool::Pool;
use crate::policy::Policy;
use crate::policy_file;
use crate::review::lint;

/// The rules on manifests, without a cluster.
///
/// YAML (many documents, lists) and JSON. Objects of other kinds are skipped and counted. Exit code: 0
/// clean, 1 findings at or above --fail-on, 2 something could not be read.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Files, directories (walked for .yaml, .yml and .json; hidden entries and symbolic links are passed
    /// over), or - for standard input.
    #[arg(value_name = "FILE|DIR|-", default_value = ".")]
    paths: Vec<PathBuf>,

    /// How findings are written.
    #[arg(long, value_enum, default_value_t, env = "IPPOOL_WEBHOOK_FORMAT")]
    format: Format,

    /// The weight from which findings make the exit code 1.
    #[arg(long, value_enum, default_value_t, env = "IPPOOL_WEBHOOK_FAIL_ON")]
    fail_on: FailOn,

    /// Show what normalizing would change, as a diff that `patch -p1` takes. Needs --format text.
    #[arg(long, env = "IPPOOL_WEBHOOK_DIFF", value_parser = clap::builder::BoolishValueParser::new())]
    diff: bool,

    /// YAML file with the severity of rules, as for `serve`.
    #[arg(long, value_name = "FILE", env = "IPPOOL_WEBHOOK_POLICY")]
    policy: Option<PathBuf>,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// One object.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands: annotations on a pull request.
    Github,
}

/// From which weight on findings are a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// What the webhook would refuse.
    #[default]
    Deny,
    /// Any finding.
    Warn,
    /// None: only report.
    Never,
}

/// Everything there is to report.
#[derive(Debug, Default)]
struct Outcome {
    files: usize,
    objects: usize,
    skipped: usize,
    findings: Vec<Located>,
    troubles: Vec<Trouble>,
    diffs: Vec<String>,
}

/// A finding and where it stands.
#[derive(Debug)]
struct Located {
    file: Arc<str>,
    document: usize,
    snippet: Snippet,
    rule: &'static RuleInfo,
    severity: Severity,
    path: String,
    message: String,
    namespace: String,
    name: String,
}

/// A progress bar is worth its flicker from this many files on.
const MANY_FILES: usize = 50;

/// Checks the files and reports.
///
/// # Errors
/// When the policy cannot be read or the report cannot be written.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    if args.diff && args.format != Format::Text {
        anyhow::bail!("--diff is for people: it goes with --format text only");
    }
    let policy = args.policy.as_deref().map(policy_file::load).transpose()?.unwrap_or_default().policy;
    let mut outcome = Outcome::default();
    let inputs = source::inputs(&args.paths, &mut outcome.troubles);
    let progress = progress(inputs.len());
    for input in &inputs {
        outcome.check(input, &policy, args.diff);
        progress.inc(1);
    }
    progress.finish_and_clear();
    // Who stops reading (`check | head`) still gets the verdict.
    outcome.report(args.format).or_else(unless_broken_pipe)?;
    Ok(outcome.exit_code(args.fail_on))
}

impl Outcome {
    fn check(&mut self, input: &Input, policy: &Policy, diff: bool) {
        let text = match input.text() {
            Ok(text) => text,
            Err(trouble) => return self.troubles.push(trouble),
        };
        let file: Arc<str> = input.name().into();
        let mut manifests = Manifests::read(&file, &text);
        self.files += 1;
        self.objects += manifests.pools.len();
        self.skipped += manifests.skipped;
        self.troubles.append(&mut manifests.troubles);
        for manifest in &manifests.pools {
            self.examine(&file, &text, manifest, policy);
        }
        if diff && policy.normalize {
            self.diffs.push(diff::unified(&file, &text, &manifests.pools));
        }
    }

    fn examine(&mut self, file: &Arc<str>, text: &str, manifest: &PoolManifest, policy: &Policy) {
        let pool = match Pool::parse(&manifest.json) {
            Ok(pool) => pool,
            Err(error) => {
                let (line, why) = (manifest.node.span.line, format!("cannot be read: {error}"));
                return self.troubles.push(Trouble::error(&**file, Some(line), why));
            }
        };
        let findings = lint::<IpPool>(&pool, policy);
        if findings.is_empty() {
            return;
        }
        let places = Places::of(&manifest.node);
        self.findings.extend(findings.iter().map(|finding| {
            let path = finding.path.to_string();
            Located {
                file: Arc::clone(file),
                document: manifest.document,
                snippet: Snippet::of(text, places.find(&path)),
                rule: finding.rule,
                severity: finding.severity,
                path,
                message: finding.message(),
                namespace: pool.namespace().to_owned(),
                name: pool.name().to_owned(),
            }
        }));
    }

    fn report(&self, format: Format) -> io::Result<()> {
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        match format {
            Format::Text => text::write(self, &mut out)?,
            Format::Json => json::write(self, &mut out)?,
            Format::Sarif => sarif::write(self, &mut out)?,
            Format::Github => github::write(self, &mut out)?,
        }
        out.flush()?;
        text::write_troubles(&self.troubles, &mut anstream::stderr().lock())?;
        if format == Format::Text {
            text::write_summary(self, &mut out)?;
            out.flush()?;
        }
        Ok(())
    }

    fn exit_code(&self, fail_on: FailOn) -> ExitCode {
        let threshold = match fail_on {
            FailOn::Deny => Some(Severity::Deny),
            FailOn::Warn => Some(Severity::Warn),
            FailOn::Never => None,
        };
        let fails = |finding: &Located| threshold.is_some_and(|threshold| finding.severity >= threshold);
        if self.errors().next().is_some() {
            ExitCode::from(2)
        } else {
            ExitCode::from(u8::from(self.findings.iter().any(fails)))
        }
    }

    /// What could not be done.
    fn errors(&self) -> impl Iterator<Item = &Trouble> {
        self.troubles.iter().filter(|trouble| trouble.is_error)
    }

    /// How many findings weigh this much.
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

impl Located {
    /// What compilers call this weight.
    fn level(&self) -> &'static str {
        if self.severity == Severity::Deny { "error" } else { "warning" }
    }

    /// `namespace/name`.
    fn object(&self) -> String {
        let name = if self.name.is_empty() { "<no name>" } else { &self.name };
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        crate::text::printable(&format!("{}{slash}{name}", self.namespace))
    }

    /// The path and what is wrong there, without the id of the rule, which stands beside it.
    fn sentence(&self) -> String {
        let id = format!(" [{}]", self.rule.id);
        format!("{}: {}", self.path, self.message.trim_end_matches(&id))
    }
}

fn unless_broken_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// A bar on standard error, if a person watches and there is something to wait for.
fn progress(files: usize) -> ProgressBar {
    if files < MANY_FILES || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("checking {bar:40} {pos}/{len} files");
    ProgressBar::new(files as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
