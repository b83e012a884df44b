//! Executes one action against a cluster.

use std::time::Duration;

use super::keyring;
use super::plan::{Action, Planner, RunState};
use super::state::{Cluster, WriteOutcome};
use crate::pki::{Authority, Certificate};

/// Receives one line per action. Infallible, so that no output error can abort a rotation.
pub type Progress<'a> = dyn FnMut(String) + 'a;

/// Executes `action` completely or, on an error or a conflict, not at all.
pub async fn execute<C: Cluster>(
    cluster: &mut C,
    planner: &Planner<'_>,
    action: Action<'_>,
    run_state: &mut RunState,
    progress: &mut Progress<'_>,
) -> anyhow::Result<WriteOutcome> {
    let Planner { target, keyring, options, now, .. } = *planner;
    let stored = planner.state.secret.as_ref();
    let mut report = |(done, would): (&str, &str), what: String| {
        let verb = if options.dry_run { format!("would {would}") } else { done.to_owned() };
        progress(format!("{verb} {what}"));
    };
    let (written, verbs, what) = match action {
        Action::StageCa { why } => {
            let next = Authority::new(now)?;
            let written = cluster.write(stored, keyring::stage(&next)).await?;
            let what = format!("a new CA, {}, in {}: {why}", next.certificate, target.secret());
            (written, ("stored", "store"), what)
        }
        Action::Publish { configuration, bundles, why } => {
            // A changed bundle has to propagate again.
            run_state.propagated = None;
            let written = cluster.publish(configuration, &bundles).await?;
            (written, ("published", "publish"), format!("to {}: {why}", configuration.reference))
        }
        Action::Propagate { next } => {
            let seconds = options.propagation_delay;
            report(("waiting", "wait"), format!("{seconds} s until every apiserver has seen it"));
            cluster.wait(Duration::from_secs(seconds)).await;
            run_state.propagated = Some(next.clone());
            return Ok(WriteOutcome::Done);
        }
        Action::Issue { authority, why } => {
            let ca = &authority.certificate;
            let previous = keyring.signing.iter().map(|it| &it.certificate).chain(&keyring.older);
            let stays = |it: &&Certificate| now < it.not_after && *it != ca;
            let older: Vec<_> = previous.filter(stays).cloned().collect();
            let issued = authority.issue(&target.names(), now)?;
            let written = cluster.write(stored, keyring::serve(issued, authority, &older)).await?;
            (written, ("stored", "store"), format!("a certificate of {ca} in {}: {why}", target.secret()))
        }
        Action::Prune { signing, older } => {
            let written = cluster.write(stored, keyring::prune(signing, &older)).await?;
            (written, ("removed", "remove"), format!("old CAs from {}", target.secret()))
        }
    };
    if written == WriteOutcome::Done {
        report(verbs, what);
    }
    Ok(written)
}
