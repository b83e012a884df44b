//! `certs ensure`: reads the state, executes the next action, and starts again until no action is left.

use std::time::Duration;

use anyhow::bail;

use super::keyring::{self, Keyring};
use super::plan::{Action, Options, Planner, Renew, RunState};
use super::state::{Cluster, ClusterState, Configuration, Problem, Target, WriteOutcome};
use crate::pki::{Authority, Certificate, format_date, format_rfc3339};

/// Actions of one run. Renewing the CA with two configurations takes seven; the rest is for conflicts.
const MAX_ACTIONS: usize = 40;
/// After a conflict the other writer is done with the object, so a short pause is enough.
const CONFLICT_RETRY: Duration = Duration::from_millis(200);

/// Receives one line per action. Infallible, so that no output error can abort a rotation.
pub type Progress<'a> = dyn FnMut(String) + 'a;

/// Executes actions until the certificate is valid, trusted and not due for renewal. Every write is complete by itself;
/// after an error, the next run continues from there.
pub async fn ensure(
    cluster: &mut impl Cluster,
    target: &Target,
    options: Options,
    progress: &mut Progress<'_>,
) -> anyhow::Result<()> {
    let mut run_state: Option<RunState> = None;
    for _ in 0..MAX_ACTIONS {
        let state = cluster.read().await?;
        reject_unsuitable(&state, target, options)?;
        let keyring = Keyring::read(state.data());
        let run_state = run_state.get_or_insert_with(|| initial_state(&keyring, options));
        let planner = Planner { state: &state, keyring: &keyring, target, options, now: cluster.now() };
        let Some(action) = planner.next(run_state) else { return conclude(&planner, progress) };
        if execute(cluster, &planner, action, run_state, progress).await? == WriteOutcome::Conflict {
            progress("conflict: another client has changed the object; trying again".to_owned());
            cluster.wait(CONFLICT_RETRY).await;
        }
    }
    let Target { namespace, secret, .. } = target;
    bail!(
        "another client keeps changing Secret {namespace}/{secret} or the webhook configurations; find out which one, \
         and run this again:\n    kubectl -n {namespace} get secret {secret} -o yaml --show-managed-fields"
    )
}

fn initial_state(keyring: &Keyring, options: Options) -> RunState {
    let replaced = match options.renew {
        Some(Renew::Ca) => keyring.signing.as_ref().map(|it| it.certificate.clone()),
        Some(Renew::Leaf) => keyring.leaf().cloned(),
        None => None,
    };
    RunState { replaced, propagated: None }
}

/// Fails with every reason not to write, at once.
fn reject_unsuitable(state: &ClusterState, target: &Target, options: Options) -> anyhow::Result<()> {
    let mut problems = state.problems.clone();
    problems.extend(state.configurations.iter().filter_map(injected));
    problems.extend(unsuitable_secret(state, target, options));
    if problems.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    bail!("nothing is written until this is resolved:\n  {}", lines.join("\n  "))
}

fn injected(configuration: &Configuration) -> Option<Problem> {
    let annotation = configuration.injected_by.as_ref()?;
    Some(configuration.reference.problem(format!(
        "the annotation {annotation} has another program fill in its caBundle, which would undo every write; remove \
         the annotation, or leave the certificate to that program"
    )))
}

fn unsuitable_secret(state: &ClusterState, target: &Target, options: Options) -> Option<Problem> {
    let secret = state.secret.as_ref()?;
    let what = if secret.immutable == Some(true) {
        "it is immutable, so no certificate in it can ever be renewed; delete it and run this again"
    } else if keyring::is_foreign(state.data()) && !options.adopt {
        "it has entries, but neither ca.key nor next-ca.key, so another program wrote it; if nothing else renews it \
         (cert-manager, a platform, you), run this with --adopt to take it over without an interruption"
    } else {
        return None;
    };
    Some(target.problem(what))
}

/// Executes `action` completely or, on an error or a conflict, not at all.
async fn execute(
    cluster: &mut impl Cluster,
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
            let written = cluster.write(stored, keyring::serve(&issued, authority, &older)).await?;
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

/// Reports the final state when no action is left.
fn conclude(planner: &Planner<'_>, progress: &mut Progress<'_>) -> anyhow::Result<()> {
    for (foreign, webhooks, command) in planner.all_foreign() {
        let (by, ours) = (webhooks.join(" and "), planner.target.secret());
        progress(format!("note: {foreign} is also trusted, by {by}, but is not from {ours}"));
        progress(format!("    {command}"));
        progress(
            "    it stays until it expires; if no server uses it: certs ensure --drop-others".to_owned(),
        );
    }
    if let (Ok(leaf), Some(signing)) = (planner.leaf(), &planner.keyring.signing) {
        let mut life = |what, it: &Certificate| {
            let (until, from) = (format_date(it.not_after), format_date(it.renewal()));
            progress(format!("{what} is valid until {until} and is renewed from {from} on"));
        };
        life("the certificate", leaf);
        life("its CA", &signing.certificate);
    }
    if planner.options.dry_run {
        progress("nothing was written".to_owned());
    }
    match planner.drops_others() {
        Err(Some(from)) => bail!(
            "the other CAs stay for now: the certificate is so new that a pod may still serve the previous one; run \
             this again after {}",
            format_rfc3339(from)
        ),
        _ => Ok(()),
    }
}
