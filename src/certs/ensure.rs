//! `certs ensure`: reads the state, executes the next action, and starts again until no action is left.

use std::time::Duration;

use anyhow::bail;

use super::executor::{Progress, execute};
use super::keyring::{self, Keyring};
use super::plan::{Options, Planner, Renew, RunState};
use super::state::{Cluster, ClusterState, Configuration, Problem, Target, WriteOutcome};
use crate::pki::{Certificate, format_date, format_rfc3339};

/// Actions of one run. Renewing the CA with two configurations takes seven; the rest is for conflicts.
const MAX_ACTIONS: usize = 40;
/// After a conflict the other writer is done with the object, so a short pause is enough.
const CONFLICT_RETRY: Duration = Duration::from_millis(200);

/// Executes actions until the certificate is valid, trusted and not due for renewal. Every write is complete by itself;
/// after an error, the next run continues from there.
pub async fn ensure<C: Cluster>(
    cluster: &mut C,
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
    let what = if secret.immutable {
        "it is immutable, so no certificate in it can ever be renewed; delete it and run this again"
    } else if keyring::is_foreign(&secret.data) && !options.adopt {
        "it has entries, but neither ca.key nor next-ca.key, so another program wrote it; if nothing else renews it \
         (cert-manager, a platform, you), run this with --adopt to take it over without an interruption"
    } else {
        return None;
    };
    Some(target.problem(what))
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
