//! `check`: the rules on manifests, without a cluster.
//!
//! Files become objects ([`kubectl_yaml`]), those of the kind are found ([`manifest`]) and checked by the same rules as
//! requests, and every finding is mapped back to its line ([`source_map`]).

mod args;
mod diff;
pub mod kubectl_yaml;
mod manifest;
pub mod source;
mod source_map;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

pub use self::args::CheckArgs;
pub use self::args::FailOn;
use self::args::Format;
#[cfg(feature = "cluster")]
pub use self::kubectl_yaml::documents;
use self::manifest::{Manifest, Manifests};
use self::source_map::SourceMap;
use crate::finding::Severity;
use crate::kinds::Kind;
use crate::kinds::ippool::IpPool;
use crate::output::{Diagnostic, Excerpt, Notification, Place, errors, github, json, plural, sarif, text};
use crate::policy::Policy;
use crate::policy_file;
use crate::review::lint;

/// The number of files from which a progress bar is shown.
const MANY_FILES: usize = 50;

/// The result; `--format json` prints a part of it.
#[derive(Debug, Default, Serialize)]
struct CheckReport {
    files: usize,
    objects: usize,
    #[serde(rename = "findings")]
    diagnostics: Vec<Diagnostic>,
    #[serde(skip)]
    skipped: usize,
    #[serde(skip)]
    notifications: Vec<Notification>,
    #[serde(skip)]
    diffs: Vec<String>,
}

/// Checks the files and reports.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    if args.diff && args.format != Format::Text {
        anyhow::bail!("--diff needs --format text");
    }
    let policy = args.policy.as_deref().map(policy_file::load).transpose()?.unwrap_or_default().policy;
    let mut report = CheckReport::default();
    let files = source::files(&args.paths, &args.exclude, &mut report.notifications);
    let progress = progress(files.len());
    for file in &files {
        report.check::<IpPool>(file, &policy, args.diff);
        progress.inc(1);
    }
    progress.finish_and_clear();
    // A closed stdout, as with `check | head`, does not change the exit code.
    report.print(args.format).or_else(unless_broken_pipe)?;
    Ok(report.exit_code(args.fail_on))
}

impl CheckReport {
    fn check<K: Kind>(&mut self, path: &Path, policy: &Policy, diff: bool) {
        let text = match source::read(path) {
            Ok(text) => text,
            Err(error) => return self.notifications.push(error),
        };
        let file: Arc<str> = source::name(path).into();
        let mut manifests = Manifests::read::<K>(&file, &text);
        self.files += 1;
        self.objects += manifests.objects.len();
        self.skipped += manifests.skipped;
        self.notifications.append(&mut manifests.notifications);
        for manifest in &manifests.objects {
            self.lint::<K>(&file, &text, manifest, policy);
        }
        if diff && policy.normalize {
            self.diffs.push(diff::unified::<K>(&file, &text, &manifests.objects));
        }
    }

    fn lint<K: Kind>(&mut self, file: &Arc<str>, text: &str, manifest: &Manifest, policy: &Policy) {
        let object = match K::parse(&manifest.json) {
            Ok(object) => object,
            Err(error) => {
                let (line, why) = (manifest.node.span.line, format!("cannot be read: {error}"));
                return self.notifications.push(Notification::error(&**file, Some(line), why));
            }
        };
        let findings = lint::<K>(&object, policy);
        if findings.is_empty() {
            return;
        }
        let map = SourceMap::of(&manifest.node);
        self.diagnostics.extend(findings.into_iter().map(|finding| {
            let span = map.span(&finding.path.to_string());
            let place = Place {
                file: Arc::clone(file),
                document: manifest.document,
                excerpt: Excerpt::new(text, span.line, span.column, &span.bytes),
            };
            let (finding, object) = (finding.into_owned(), manifest.name.clone());
            Diagnostic { finding, kind: K::KIND, object, place: Some(place) }
        }));
    }

    fn print(&self, format: Format) -> io::Result<()> {
        let Self { diagnostics, notifications, diffs, .. } = self;
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        match format {
            Format::Text => text::write(diagnostics, &mut out)?,
            Format::Json => json::write(self, &mut out)?,
            Format::Sarif => sarif::write(diagnostics, notifications, &[], &mut out)?,
            Format::Github => github::write(diagnostics, notifications, &mut out)?,
        }
        diffs.iter().filter(|diff| !diff.is_empty()).try_for_each(|diff| text::write_diff(diff, &mut out))?;
        out.flush()?;
        text::write_notifications(notifications, &mut anstream::stderr().lock())?;
        if format == Format::Text {
            writeln!(out, "{}", self.summary())?;
            out.flush()?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let objects = format!("{} in {}", plural(self.objects, IpPool::KIND), plural(self.files, "file"));
        let skipped = match self.skipped {
            0 => String::new(),
            1 => " (1 object of another kind skipped)".to_owned(),
            skipped => format!(" ({skipped} objects of other kinds skipped)"),
        };
        let count = |severity| self.diagnostics.iter().filter(|it| it.finding.severity == severity).count();
        let result = match (count(Severity::Deny), count(Severity::Warn)) {
            (0, 0) => "no findings".to_owned(),
            (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
        };
        let failed = match errors(&self.notifications).count() {
            0 => String::new(),
            failures => format!("; {} could not be done, see above", plural(failures, "thing")),
        };
        format!("checked {objects}{skipped}: {result}{failed}")
    }

    fn exit_code(&self, fail_on: FailOn) -> ExitCode {
        if errors(&self.notifications).next().is_some() {
            return ExitCode::from(2);
        }
        ExitCode::from(u8::from(fail_on.is_met(&self.diagnostics)))
    }
}

fn unless_broken_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// A bar on stderr, if that is a terminal and the run takes long enough.
fn progress(files: usize) -> ProgressBar {
    if files < MANY_FILES || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("checking {bar:40} {pos}/{len} files");
    ProgressBar::new(files as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
