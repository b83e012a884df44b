//! `audit --self-check`: whether the webhook is registered as this release registers it.

mod conflicts;
mod read;
mod registration;
mod writers;

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use self::read::Objects;
use super::AuditArgs;
use super::args::Format;
use crate::certs::Problem;
use crate::output::plural;
use crate::policy::Policy;
use crate::text::printable;

/// What is wrong, and what could not be checked.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfCheck {
    findings: Vec<Problem>,
    not_done: Vec<String>,
}

/// Checks and reports. Exit code: 0 nothing is wrong, 1 something is, 2 nothing could be read.
pub fn run(args: &AuditArgs, policy: Option<Policy>) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        matches!(args.format, Format::Text | Format::Json),
        "--self-check writes --format text or json"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let check = runtime.block_on(async {
        let client = args.cluster.client_without_retries().await?;
        let objects = Objects::read(&client).await?;
        anyhow::Ok(check(client, &objects, policy).await)
    })?;
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&check)?)?,
        _ => check.write(&mut out)?,
    }
    Ok(ExitCode::from(u8::from(!check.findings.is_empty())))
}

/// Compares what was read with what this release ships and with the policy: that of the flag, else that of the Deployment.
async fn check(client: kube::Client, objects: &Objects, policy: Option<Policy>) -> SelfCheck {
    let mut check = SelfCheck { not_done: objects.not_read.clone(), ..SelfCheck::default() };
    registration::check(&objects.configurations, objects.unread, &mut check.findings);
    conflicts::check(&objects.configurations, &mut check.findings);
    match policy.map_or_else(|| objects.policy(), Ok) {
        Ok(policy) => writers::check(objects, &policy, &mut check),
        Err(why) => check.not_done.push(format!("trusted writers: {why}")),
    }
    let target = registration::target(&objects.configurations, objects.secret.as_deref());
    let Some(target) = target else {
        check.not_done.push(
            "certificate: the webhooks call no Service, so it is not known which Secret has it".to_owned(),
        );
        return check;
    };
    match crate::certs::problems(client, &target).await {
        Ok((problems, unread)) => {
            for it in problems {
                // An object that could not be read is not a finding.
                if unread.contains(&it.object) {
                    check.not_done.push(format!("certificate: {}: {}", it.object, it.what));
                } else {
                    check.findings.push(it);
                }
            }
        }
        Err(error) => check.not_done.push(format!("certificate: {error:#}")),
    }
    check
}

impl SelfCheck {
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        for it in &self.findings {
            let [object, what] = [&it.object, &it.what].map(|text| printable(text));
            writeln!(out, "{object}: {what}\n    {}\n", printable(&it.command))?;
        }
        for why in &self.not_done {
            writeln!(out, "not done: {}", printable(why))?;
        }
        let result = match self.findings.len() {
            0 => "the registration fits this program".to_owned(),
            count => plural(count, "finding"),
        };
        let not_done = if self.not_done.is_empty() { "" } else { "; not everything was checked" };
        writeln!(out, "{result}{not_done}")
    }
}
