//! Executes one action against a cluster.

use std::time::Duration;

use anyhow::Context;

use crate::certs::keyring::{self, Keyring, SecretPatch};
use crate::certs::plan::{Action, Planner, RunState};
use crate::certs::state::{Cluster, WriteOutcome};
use crate::pki::{Authority, Certificate};

/// Receives one line per action. Infallible, so that no output error can abort a rotation.
pub type Progress<'a> = dyn FnMut(String) + 'a;

/// Executes the actions of one planner.
pub struct Executor<'a, 'b, C> {
    pub cluster: &'a mut C,
    pub planner: &'a Planner<'a>,
    pub progress: &'a mut Progress<'b>,
}

impl<C: Cluster> Executor<'_, '_, C> {
    /// Executes `action` completely or, on an error or a conflict, not at all.
    pub async fn execute(
        &mut self,
        action: Action,
        run_state: &mut RunState,
    ) -> anyhow::Result<WriteOutcome> {
        match action {
            Action::StageCa { why } => self.stage_ca(&why).await,
            Action::Publish { index, bundles, why } => {
                // A changed bundle has to propagate again.
                run_state.propagated = None;
                self.publish(index, &bundles, &why).await
            }
            Action::Propagate => {
                run_state.propagated = self.planner.keyring.next.as_ref().map(|it| it.certificate.clone());
                Ok(self.propagate().await)
            }
            Action::Issue { from_next, why } => self.issue(from_next, &why).await,
            Action::Prune { older } => self.prune(&older).await,
        }
    }

    async fn stage_ca(&mut self, why: &str) -> anyhow::Result<WriteOutcome> {
        let next = Authority::new(self.planner.now)?;
        let written = self.write(keyring::stage(&next)).await?;
        let what = format!("a new CA, {}, in {}: {why}", next.certificate, self.planner.target.secret());
        Ok(self.report(written, ("stored", "store"), &what))
    }

    async fn publish(
        &mut self,
        index: usize,
        bundles: &[(String, String)],
        why: &str,
    ) -> anyhow::Result<WriteOutcome> {
        let configuration = self.planner.state.configurations.get(index);
        let configuration =
            configuration.context("bug: the configuration to publish to is not in the state")?;
        let written = self.cluster.publish(configuration, bundles).await?;
        Ok(self.report(written, ("published", "publish"), &format!("to {}: {why}", configuration.reference)))
    }

    async fn propagate(&mut self) -> WriteOutcome {
        let seconds = self.planner.options.propagation_delay;
        let what = format!("{seconds} s until every apiserver has seen it");
        self.report(WriteOutcome::Done, ("waiting", "wait"), &what);
        self.cluster.wait(Duration::from_secs(seconds)).await;
        WriteOutcome::Done
    }

    async fn issue(&mut self, from_next: bool, why: &str) -> anyhow::Result<WriteOutcome> {
        let Planner { keyring: Keyring { signing, next, older, .. }, target, now, .. } = *self.planner;
        let authority = if from_next { next } else { signing };
        let authority = authority.as_ref().context("bug: the CA to issue from is not in the Secret")?;
        let previous = signing.iter().map(|it| &it.certificate).chain(older);
        let stays = |it: &&Certificate| now < it.not_after && **it != authority.certificate;
        let older: Vec<_> = previous.filter(stays).cloned().collect();
        let issued = authority.issue(&target.names(), now)?;
        let written = self.write(keyring::serve(issued, authority, &older)).await?;
        let what = format!("a certificate of {} in {}: {why}", authority.certificate, target.secret());
        Ok(self.report(written, ("stored", "store"), &what))
    }

    async fn prune(&mut self, older: &[Certificate]) -> anyhow::Result<WriteOutcome> {
        let signing = self.planner.keyring.signing.as_ref().context("bug: no CA of the Secret signs")?;
        let written = self.write(keyring::prune(&signing.certificate, older)).await?;
        let what = format!("old CAs from {}", self.planner.target.secret());
        Ok(self.report(written, ("removed", "remove"), &what))
    }

    async fn write(&mut self, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        self.cluster.write(self.planner.state.secret.as_ref(), change).await
    }

    /// Reports what was done, or would be; nothing after a conflict.
    fn report(&mut self, written: WriteOutcome, (done, would): (&str, &str), what: &str) -> WriteOutcome {
        if written == WriteOutcome::Done {
            let verb = if self.planner.options.dry_run { format!("would {would}") } else { done.to_owned() };
            (self.progress)(format!("{verb} {what}"));
        }
        written
    }
}
