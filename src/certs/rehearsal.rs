//! A cluster in memory: what `--dry-run` writes to.

use std::time::Duration;

use super::certificate::{Bundle, Seconds};
use super::cluster::{Cluster, Configuration, Observed, Secret, Written};
use super::keyring::Change;

/// Begins as what was observed, and is then written to in its place. Time passes only by waiting.
#[derive(Debug)]
pub struct Rehearsal {
    /// What there is now.
    pub observed: Observed,
    now: Seconds,
    writes: u64,
}

impl Rehearsal {
    /// A copy of what is there at `now`.
    pub fn of(observed: Observed, now: Seconds) -> Self {
        Self { observed, now, writes: 0 }
    }

    /// A `resourceVersion` that nothing had before.
    fn version(&mut self) -> String {
        self.writes += 1;
        format!("rehearsed-{}", self.writes)
    }
}

impl Cluster for Rehearsal {
    async fn read(&mut self) -> anyhow::Result<Observed> {
        Ok(self.observed.clone())
    }

    async fn write(&mut self, seen: Option<&Secret>, change: Change) -> anyhow::Result<Written> {
        let stored = self.observed.secret.as_ref().map(|it| &it.version);
        if stored != seen.map(|it| &it.version) {
            return Ok(Written::Conflict);
        }
        let version = self.version();
        let secret = self.observed.secret.get_or_insert_default();
        secret.version = version;
        for (key, value) in change {
            match value {
                Some(value) => secret.data.insert(key.to_owned(), value.into_bytes()),
                None => secret.data.remove(key),
            };
        }
        Ok(Written::Done)
    }

    async fn publish(
        &mut self,
        seen: &Configuration,
        bundles: &[(String, String)],
    ) -> anyhow::Result<Written> {
        let version = self.version();
        let stored = self.observed.configurations.iter_mut().find(|it| it.reference == seen.reference);
        let Some(stored) = stored.filter(|it| it.version == seen.version) else {
            return Ok(Written::Conflict);
        };
        stored.version = version;
        for webhook in &mut stored.webhooks {
            if let Some((_, bundle)) = bundles.iter().find(|(name, _)| *name == webhook.name) {
                webhook.bundle = Bundle::read(bundle.as_bytes());
            }
        }
        Ok(Written::Done)
    }

    async fn wait(&mut self, time: Duration) {
        self.now += Seconds::try_from(time.as_secs()).unwrap_or(Seconds::MAX);
    }

    fn now(&self) -> Seconds {
        self.now
    }
}
