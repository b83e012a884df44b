//! Executes one action against a cluster.

use std::time::Duration;

use anyhow::Context;

use super::Progress;
use crate::certs::keyring::{self, Keyring, SecretPatch};
use crate::certs::plan::{Action, Planner, RunState};
use crate::certs::state::{Cluster, WriteOutcome};
use crate::pki::{Authority, Certificate};

/// The plan that an action belongs to, and where progress is reported.
pub struct Executor<'a, 'b> {
    pub planner: &'a Planner<'a>,
    /// Receives a line once the action is done.
    pub progress: &'a mut Progress<'b>,
}

impl Executor<'_, '_> {
    pub async fn execute<C: Cluster>(
        &mut self,
        cluster: &mut C,
        action: Action,
        run_state: &mut RunState,
    ) -> anyhow::Result<WriteOutcome> {
        match action {
            Action::StageCa { why } => self.stage_ca(cluster, &why).await,
            Action::Publish { index, bundles, why } => {
                // A changed bundle has to propagate again.
                run_state.propagated = None;
                self.publish(cluster, index, &bundles, &why).await
            }
            Action::Propagate => {
                self.propagate(cluster).await;
                run_state.propagated = self.planner.keyring.next.as_ref().map(|it| it.certificate.clone());
                Ok(WriteOutcome::Done)
            }
            Action::Issue { from_next, why } => self.issue(cluster, from_next, &why).await,
            Action::Prune { older } => self.prune(cluster, &older).await,
        }
    }

    async fn stage_ca<C: Cluster>(&mut self, cluster: &mut C, why: &str) -> anyhow::Result<WriteOutcome> {
        let next = Authority::new(self.planner.now)?;
        let written = self.write(cluster, keyring::stage(&next)).await?;
        let what = format!("a new CA, {}, in {}: {why}", next.certificate, self.planner.target.secret());
        Ok(self.report(written, ("stored", "store"), &what))
    }

    async fn publish<C: Cluster>(
        &mut self,
        cluster: &mut C,
        index: usize,
        bundles: &[(String, String)],
        why: &str,
    ) -> anyhow::Result<WriteOutcome> {
        let configuration = self.planner.state.configurations.get(index);
        let configuration =
            configuration.context("bug: the configuration to publish to is not in the state")?;
        let written = cluster.publish(configuration, bundles).await?;
        Ok(self.report(written, ("published", "publish"), &format!("to {}: {why}", configuration.reference)))
    }

    async fn propagate<C: Cluster>(&mut self, cluster: &mut C) {
        let seconds = self.planner.options.propagation_delay;
        let what = format!("{seconds} s until every apiserver has seen it");
        self.report(WriteOutcome::Done, ("waiting", "wait"), &what);
        cluster.wait(Duration::from_secs(seconds)).await;
    }

    async fn issue<C: Cluster>(
        &mut self,
        cluster: &mut C,
        from_next: bool,
        why: &str,
    ) -> anyhow::Result<WriteOutcome> {
        let Keyring { signing, next, older, .. } = self.planner.keyring;
        let authority = if from_next { next } else { signing };
        let authority = authority.as_ref().context("bug: the CA to issue from is not in the Secret")?;
        let previous = signing.iter().map(|it| &it.certificate).chain(older);
        let stays = |it: &&Certificate| self.planner.now < it.not_after && **it != authority.certificate;
        let older: Vec<_> = previous.filter(stays).cloned().collect();
        let issued = authority.issue(&self.planner.target.names(), self.planner.now)?;
        let written = self.write(cluster, keyring::serve(issued, authority, &older)).await?;
        let secret = self.planner.target.secret();
        let what = format!("a certificate of {} in {secret}: {why}", authority.certificate);
        Ok(self.report(written, ("stored", "store"), &what))
    }

    async fn prune<C: Cluster>(
        &mut self,
        cluster: &mut C,
        older: &[Certificate],
    ) -> anyhow::Result<WriteOutcome> {
        let signing = self.planner.keyring.signing.as_ref().context("bug: no CA of the Secret signs")?;
        let written = self.write(cluster, keyring::prune(&signing.certificate, older)).await?;
        let what = format!("old CAs from {}", self.planner.target.secret());
        Ok(self.report(written, ("removed", "remove"), &what))
    }

    async fn write<C: Cluster>(&self, cluster: &mut C, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        cluster.write(self.planner.state.secret.as_ref(), change).await
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
