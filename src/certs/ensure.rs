//! `certs ensure`: looks, does the next step, and looks again, until nothing is left to do.

mod round;

use std::time::Duration;

use anyhow::bail;

use self::round::Round;
use super::certificate::{day, minute};
use super::cluster::{Cluster, Configuration, Observed, Problem, Target, Written};
use super::keyring::{self, Keyring};
use super::plan::{Look, Memory, Renew, Wish};

/// Looks in one run. A roll of the CA with two configurations takes seven; the rest is for others who write
/// at the same time.
const MAX_LOOKS: usize = 40;
/// After somebody else wrote first. They are done with that object; we only look again.
const AFTER_CONFLICT: Duration = Duration::from_millis(200);

/// How a run goes about it.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The objects.
    pub target: &'a Target,
    /// What is asked for beyond what is due.
    pub wish: Wish,
    /// Whether a Secret that this program did not fill may be taken over.
    pub adopt: bool,
    /// From publishing a CA to issuing from it.
    pub settle: Duration,
    /// Whether this only says what would be done.
    pub dry_run: bool,
}

/// Who is told what is done, a line at a time. It cannot fail: nobody listening is no reason to stop halfway.
pub type Tell<'a> = dyn FnMut(String) + 'a;

/// Brings `cluster` to where the certificate is valid, trusted and not due, and tells what it did.
///
/// # Errors
///
/// When something stands in the way; nothing is half-written then, and running it again goes on.
pub async fn ensure<C: Cluster>(cluster: &mut C, run: &Run<'_>, tell: &mut Tell<'_>) -> anyhow::Result<()> {
    let mut memory: Option<Memory> = None;
    for _ in 0..MAX_LOOKS {
        let observed = cluster.read().await?;
        refuse(&observed, run)?;
        let keyring = Keyring::read(observed.data());
        let memory = memory.get_or_insert_with(|| first_look(&keyring, run.wish));
        let now = cluster.now();
        let look = Look { observed: &observed, keyring: &keyring, target: run.target, wish: run.wish, now };
        let Some(step) = look.next(memory) else { return conclude(&look, run, tell) };
        let mut round = Round { look: &look, run, tell };
        if round.perform(cluster, step, memory).await? == Written::Conflict {
            tell("somebody else wrote first; looking again".to_owned());
            cluster.wait(AFTER_CONFLICT).await;
        }
    }
    let Target { namespace, secret, .. } = run.target;
    bail!(
        "somebody else keeps changing Secret {namespace}/{secret} or the webhook configurations; find out who, \
         and run this again:\n    kubectl -n {namespace} get secret {secret} -o yaml --show-managed-fields"
    )
}

fn first_look(keyring: &Keyring, wish: Wish) -> Memory {
    let replaced = match wish.renew {
        Some(Renew::Ca) => keyring.signing.as_ref().map(|it| it.certificate.clone()),
        Some(Renew::Leaf) => keyring.leaf().cloned(),
        None => None,
    };
    Memory { replaced, settled: None }
}

/// All that stands in the way, at once.
fn refuse(observed: &Observed, run: &Run<'_>) -> anyhow::Result<()> {
    let mut problems = observed.problems.clone();
    problems.extend(observed.configurations.iter().filter_map(injected));
    problems.extend(unfit(observed, run));
    if problems.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    bail!("this stands in the way, and nothing is written before it is settled:\n  {}", lines.join("\n  "))
}

fn injected(configuration: &Configuration) -> Option<Problem> {
    let annotation = configuration.injected_by.as_ref()?;
    Some(Problem {
        object: configuration.reference.to_string(),
        what: format!(
            "the annotation {annotation} has somebody else fill in its caBundle, who would undo what is \
             written here; take it away, or leave the certificates to them"
        ),
        command: configuration.reference.show(),
    })
}

fn unfit(observed: &Observed, run: &Run<'_>) -> Option<Problem> {
    let secret = observed.secret.as_ref()?;
    let what = if secret.immutable {
        "it is immutable, so no certificate in it can ever be renewed; delete it and run this again"
    } else if keyring::is_foreign(&secret.data) && !run.adopt {
        "it holds something, but neither ca.key nor next-ca.key, so this program did not fill it; if nobody \
         else renews it (cert-manager, a platform, you), run this with --adopt to take it over without a gap"
    } else {
        return None;
    };
    Some(Problem { object: run.target.secret(), what: what.to_owned(), command: run.target.show_secret() })
}

/// Says how things stand when nothing is left to do.
fn conclude(look: &Look<'_>, run: &Run<'_>, tell: &mut Tell<'_>) -> anyhow::Result<()> {
    for (foreign, webhooks, command) in look.all_foreign() {
        let (by, ours) = (webhooks.join(" and "), run.target.secret());
        tell(format!("note: {foreign} is trusted too, by {by}, and is not of {ours}"));
        tell(format!("    {command}"));
        tell(
            "    it stays until it expires; if nothing serves with it any more: certs ensure --drop-others"
                .into(),
        );
    }
    if let (Ok(leaf), Some(signing)) = (look.leaf(), &look.keyring.signing) {
        let ca = &signing.certificate;
        let life = |it: &super::certificate::Certificate| (day(it.not_after()), day(it.renewal()));
        let ((until, from), (ca_until, ca_from)) = (life(leaf), life(ca));
        tell(format!("the certificate is good until {until} and renewed from {from} on"));
        tell(format!("its CA is good until {ca_until} and replaced from {ca_from} on"));
    }
    if run.dry_run {
        tell("nothing was written".to_owned());
    }
    match look.drops_others() {
        Err(Some(from)) => bail!(
            "the other CAs stay for now: the certificate is so young that a pod may still serve the one before; \
             run this again after {}",
            minute(from)
        ),
        _ => Ok(()),
    }
}
