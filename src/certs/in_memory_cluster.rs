//! A cluster in memory, which `--dry-run` writes to.

use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::keyring::SecretPatch;
use super::state::{Bundles, Cluster, ClusterState, Configuration, WriteOutcome};
use crate::pki::{Bundle, UnixTime};

/// A copy of the state of a cluster, on which later writes act. Its clock advances only in `wait`.
#[derive(Debug)]
pub struct InMemoryCluster {
    pub state: ClusterState,
    pub now: UnixTime,
    pub writes: usize,
}

impl Cluster for InMemoryCluster {
    async fn read(&mut self) -> anyhow::Result<ClusterState> {
        Ok(self.state.clone())
    }

    async fn write(&mut self, seen: Option<&Secret>, change: SecretPatch) -> anyhow::Result<WriteOutcome> {
        let version = |it: &Secret| it.metadata.resource_version.clone();
        if self.state.secret.as_ref().map(version) != seen.map(version) {
            return Ok(WriteOutcome::Conflict);
        }
        let secret = self.state.secret.get_or_insert_default();
        secret.metadata.resource_version = Some(next_version(&mut self.writes));
        let data = secret.data.get_or_insert_default();
        for (key, value) in change {
            match value {
                Some(value) => data.insert(key.to_owned(), ByteString(value.into_bytes())),
                None => data.remove(key),
            };
        }
        Ok(WriteOutcome::Done)
    }

    async fn publish(&mut self, seen: &Configuration, bundles: &Bundles) -> anyhow::Result<WriteOutcome> {
        let is_seen = |it: &Configuration| {
            it.reference == seen.reference && it.resource_version == seen.resource_version
        };
        let Some(stored) = self.state.configurations.iter_mut().find(|it| is_seen(it)) else {
            return Ok(WriteOutcome::Conflict);
        };
        stored.resource_version = next_version(&mut self.writes);
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

fn next_version(writes: &mut usize) -> String {
    *writes += 1;
    format!("in-memory-{writes}")
}
