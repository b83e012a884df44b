//! One step, done or rehearsed.

use anyhow::bail;

use super::{Run, Tell};
use crate::certs::authority::Authority;
use crate::certs::certificate::Certificate;
use crate::certs::cluster::{Cluster, Written};
use crate::certs::keyring::{self, Change, Keyring};
use crate::certs::plan::{Look, Memory, Step};

/// One look, and the step that follows from it.
pub struct Round<'a, 'b> {
    /// What was seen.
    pub look: &'a Look<'a>,
    /// How this run goes about it.
    pub run: &'a Run<'a>,
    /// Who is told.
    pub tell: &'a mut Tell<'b>,
}

impl Round<'_, '_> {
    /// Does `step` and tells of it.
    ///
    /// # Errors
    ///
    /// When it cannot be done; then it is not done at all.
    pub async fn perform<C: Cluster>(
        &mut self,
        cluster: &mut C,
        step: Step,
        memory: &mut Memory,
    ) -> anyhow::Result<Written> {
        match step {
            Step::Introduce { why } => self.introduce(cluster, &why).await,
            Step::Publish { index, bundles, why } => {
                // Whoever has seen the bundle before has to see it anew.
                memory.settled = None;
                self.publish(cluster, index, &bundles, &why).await
            }
            Step::Settle => {
                self.settle(cluster).await;
                memory.settled = self.look.keyring.next.as_ref().map(|it| it.certificate.clone());
                Ok(Written::Done)
            }
            Step::Issue { from_next, why } => self.issue(cluster, from_next, &why).await,
            Step::Forget { older } => self.forget(cluster, &older).await,
        }
    }

    async fn introduce<C: Cluster>(&mut self, cluster: &mut C, why: &str) -> anyhow::Result<Written> {
        let next = Authority::new(self.look.now)?;
        let written = self.write(cluster, keyring::introduce(&next)).await?;
        let what = format!("a new CA, {}, in {}: {why}", next.certificate, self.run.target.secret());
        Ok(self.told(written, ("stored", "store"), &what))
    }

    async fn publish<C: Cluster>(
        &mut self,
        cluster: &mut C,
        index: usize,
        bundles: &[(String, String)],
        why: &str,
    ) -> anyhow::Result<Written> {
        let Some(configuration) = self.look.observed.configurations.get(index) else {
            bail!("a step is for a configuration that is not there; this is a bug")
        };
        let written = cluster.publish(configuration, bundles).await?;
        Ok(self.told(written, ("published", "publish"), &format!("to {}: {why}", configuration.reference)))
    }

    async fn settle<C: Cluster>(&mut self, cluster: &mut C) {
        let what = format!("{} s until every apiserver has seen it", self.run.settle.as_secs());
        self.told(Written::Done, ("waiting", "wait"), &what);
        cluster.wait(self.run.settle).await;
    }

    async fn issue<C: Cluster>(
        &mut self,
        cluster: &mut C,
        from_next: bool,
        why: &str,
    ) -> anyhow::Result<Written> {
        let Keyring { signing, next, older, .. } = self.look.keyring;
        let Some(authority) = (if from_next { next } else { signing }) else {
            bail!("a certificate is to be issued from a CA that is not there; this is a bug")
        };
        let before = signing.iter().map(|it| &it.certificate).chain(older);
        let stays = |it: &&Certificate| self.look.now < it.not_after() && **it != authority.certificate;
        let older: Vec<_> = before.filter(stays).cloned().collect();
        let issued = authority.issue(&self.run.target.names(), self.look.now)?;
        let written = self.write(cluster, keyring::serve(issued, authority, &older)).await?;
        let secret = self.run.target.secret();
        let what = format!("a certificate of {} in {secret}: {why}", authority.certificate);
        Ok(self.told(written, ("stored", "store"), &what))
    }

    async fn forget<C: Cluster>(
        &mut self,
        cluster: &mut C,
        older: &[Certificate],
    ) -> anyhow::Result<Written> {
        let Some(signing) = &self.look.keyring.signing else {
            bail!("a CA is to be forgotten where none signs; this is a bug")
        };
        let written = self.write(cluster, keyring::forget(&signing.certificate, older)).await?;
        let what = format!("old CAs from {}", self.run.target.secret());
        Ok(self.told(written, ("removed", "remove"), &what))
    }

    async fn write<C: Cluster>(&self, cluster: &mut C, change: Change) -> anyhow::Result<Written> {
        cluster.write(self.look.observed.secret.as_ref(), change).await
    }

    /// Tells what was done, or would be; nothing of what somebody else was quicker at.
    fn told(&mut self, written: Written, (done, would): (&str, &str), what: &str) -> Written {
        if written == Written::Done {
            let verb = if self.run.dry_run { format!("would {would}") } else { done.to_owned() };
            (self.tell)(format!("{verb} {what}"));
        }
        written
    }
}
