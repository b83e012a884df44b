//! A cluster in memory, which `--dry-run` writes to.

use std::time::Duration;

use super::keyring::SecretPatch;
use super::state::{Bundles, Cluster, ClusterState, Configuration, Secret, WriteOutcome};
use crate::pki::{Bundle, UnixTime};

/// A copy of the state of a cluster, on which later writes act. Its clock advances only in `wait`.
#[derive(Debug)]
pub struct InMemoryCluster {
    pub state: ClusterState,
    pub now: UnixTime,
    pub writes: usize,
}

impl InMemoryCluster {
    fn next_version(&mut self) -> String {
        self.writes += 1;
        format!("in-memory-{}", self.writes)
    }
}

impl Cluster for InMemoryCluster {
    async fn read(&mut self) -> anyhow::Result<ClusterState> {
        Ok(self.state.clone())
    }

    async fn write(&mut self, seen: Option<&Secret>, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        let stored = self.state.secret.as_ref().map(|it| &it.resource_version);
        if stored != seen.map(|it| &it.resource_version) {
            return Ok(WriteOutcome::Conflict);
        }
        let resource_version = self.next_version();
        let secret = self.state.secret.get_or_insert_default();
        secret.resource_version = resource_version;
        for (key, value) in change {
            match value {
                Some(value) => secret.data.insert(key.to_owned(), value.into_bytes()),
                None => secret.data.remove(key),
            };
        }
        Ok(WriteOutcome::Done)
    }

    async fn publish(&mut self, seen: &Configuration, bundles: &Bundles) -> anyhow::Result<WriteOutcome> {
        let is_seen = |it: &Configuration| {
            it.reference == seen.reference && it.resource_version == seen.resource_version
        };
        let Some(index) = self.state.configurations.iter().position(is_seen) else {
            return Ok(WriteOutcome::Conflict);
        };
        let resource_version = self.next_version();
        let stored = &mut self.state.configurations[index];
        stored.resource_version = resource_version;
        for webhook in &mut stored.webhooks {
            if let Some((_, bundle)) = bundles.iter().find(|(name, _)| *name == webhook.name) {
                webhook.bundle = Bundle::read(bundle.as_bytes());
            }
        }
        Ok(WriteOutcome::Done)
    }

    async fn wait(&mut self, time: Duration) {
        self.now += UnixTime::try_from(time.as_secs()).unwrap_or(UnixTime::MAX);
    }

    fn now(&self) -> UnixTime {
        self.now
    }
}
