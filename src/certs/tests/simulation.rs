//! A cluster whose apiservers lag behind what is published, and whose pods lag behind what is stored.
//!
//! Every write checks the invariant: each bundle that an apiserver may still use accepts each certificate that a pod may
//! still serve.

use crate::certs::in_memory::InMemoryCluster;
use crate::certs::keyring::Keyring;
use crate::certs::plan::POD_SYNC_SECONDS;
use crate::certs::state::{
    ClusterState, Configuration, ConfigurationRef, Secret, Target, Webhook, WebhookKind,
};
use crate::pki::verify;
use crate::pki::{Bundle, Certificate, UnixTime};

/// After this time, every apiserver has seen what is published.
pub const PROPAGATION_SECONDS: u32 = 60;
/// 2026-11-22T08:00:00Z.
const START: UnixTime = 1_795_334_400;

pub fn target() -> Target {
    let reference = |kind| ConfigurationRef { kind, name: "ippool-webhook".to_owned() };
    Target {
        namespace: "ippool-webhook".to_owned(),
        secret: "ippool-webhook-tls".to_owned(),
        service: "ippool-webhook".to_owned(),
        publish_to: vec![reference(WebhookKind::Mutating), reference(WebhookKind::Validating)],
    }
}

fn configuration(reference: &ConfigurationRef, webhooks: &[&str]) -> Configuration {
    let webhook = |name: &&str| Webhook { name: (*name).to_owned(), bundle: Bundle::default() };
    Configuration {
        reference: reference.clone(),
        resource_version: "1".to_owned(),
        injected_by: None,
        webhooks: webhooks.iter().map(webhook).collect(),
    }
}

/// Values with the time from which each holds, until the next entry.
type History<T> = Vec<(UnixTime, T)>;

pub struct Simulation {
    pub cluster: InMemoryCluster,
    pub now: UnixTime,
    /// Bundles by webhook.
    published: History<Vec<Vec<Certificate>>>,
    served: History<Vec<Certificate>>,
    /// Every authority that was ever stored.
    pub authorities: Vec<Certificate>,
    pub writes: usize,
    /// Writes until the client is interrupted.
    pub writes_left: Option<usize>,
}

impl Simulation {
    /// A new installation: an empty Secret, empty bundles.
    pub fn installation() -> Self {
        let [mutating, validating] = target().publish_to.try_into().unwrap();
        let configurations = vec![
            configuration(&mutating, &["normalize"]),
            configuration(&validating, &["validate", "observe"]),
        ];
        let secret = Some(Secret { resource_version: "1".to_owned(), ..Secret::default() });
        let state = ClusterState { secret, configurations, ..ClusterState::default() };
        Self {
            cluster: InMemoryCluster::new(state, START),
            now: START,
            published: Vec::new(),
            served: Vec::new(),
            authorities: Vec::new(),
            writes: 0,
            writes_left: None,
        }
    }

    pub fn keyring(&self) -> Keyring {
        Keyring::read(self.cluster.state.data())
    }

    pub fn bundles(&self) -> Vec<Vec<Certificate>> {
        let webhooks = self.cluster.state.configurations.iter().flat_map(|it| &it.webhooks);
        webhooks.map(|it| it.bundle.certificates.clone()).collect()
    }

    /// Changes the objects as another client would, without checking the invariant.
    pub fn modify(&mut self, change: impl FnOnce(&mut ClusterState)) {
        change(&mut self.cluster.state);
        let resource_version = format!("modified-{}", self.writes);
        if let Some(secret) = &mut self.cluster.state.secret {
            secret.resource_version.clone_from(&resource_version);
        }
        self.cluster
            .state
            .configurations
            .iter_mut()
            .for_each(|it| it.resource_version.clone_from(&resource_version));
        self.published = vec![(self.now, self.bundles())];
        // Pods keep the last good pair when the Secret has none.
        if let Ok(chain) = self.keyring().serving {
            self.served = vec![(self.now, chain)];
        }
    }

    /// Whether nothing was published for this many seconds.
    pub fn unpublished_for(&self, seconds: UnixTime) -> bool {
        self.published.last().is_some_and(|(at, _)| *at + seconds <= self.now)
    }

    /// Removes the next CA from a bundle, as an applied manifest may; `None` where no bundle has it.
    pub fn remove_next(&mut self) -> Option<()> {
        let next = self.keyring().next?.certificate;
        let webhooks = self.cluster.state.configurations.iter_mut();
        let configuration = webhooks.rev().find(|it| it.webhooks[0].bundle.certificates.contains(&next))?;
        configuration.webhooks[0].bundle.certificates.retain(|it| *it != next);
        configuration.resource_version.push('x');
        self.published.push((self.now, self.bundles()));
        Some(())
    }

    /// Records the state after a write, and checks the invariant.
    pub fn record(&mut self) {
        self.writes += 1;
        let keyring = self.keyring();
        for it in keyring.signing.iter().chain(&keyring.next) {
            if !self.authorities.contains(&it.certificate) {
                self.authorities.push(it.certificate.clone());
            }
        }
        let worked = self.worked();
        self.published.push((self.now, self.bundles()));
        if let Ok(chain) = keyring.serving
            && self.served.last().is_none_or(|(_, last)| *last != chain)
        {
            self.served.push((self.now, chain));
            assert!(self.worked(), "the stored certificate is not accepted by a published bundle");
        }
        if worked {
            self.assert_invariant(PROPAGATION_SECONDS.into());
        } else if self.worked() {
            // No call succeeded before, so an apiserver that lags behind loses nothing.
            self.published.drain(..self.published.len() - 1);
            self.served.drain(..self.served.len() - 1);
        }
    }

    /// Whether the apiserver could call before this write.
    fn worked(&self) -> bool {
        let [name, _] = target().names();
        let (Some((_, bundles)), Some((_, chain))) = (self.published.last(), self.served.last()) else {
            return false;
        };
        bundles.iter().all(|it| verify(it, chain, &name, self.now).is_ok())
    }

    fn assert_invariant(&self, lag: UnixTime) {
        let [name, _] = target().names();
        for bundles in possible(&self.published, self.now - lag) {
            // An expired certificate is never accepted, whatever is written.
            let served = possible(&self.served, self.now - POD_SYNC_SECONDS);
            for chain in served.filter(|chain| chain[0].is_valid(self.now)) {
                for bundle in bundles {
                    let accepted = verify(bundle, chain, &name, self.now);
                    assert_eq!(
                        accepted,
                        Ok(()),
                        "the call fails from an apiserver that has not seen the last write"
                    );
                }
            }
        }
    }

    /// Asserts that the current objects match and no rotation is unfinished.
    pub fn assert_consistent(&self) {
        let keyring = self.keyring();
        let chain = keyring.serving.unwrap();
        let signing = keyring.signing.unwrap().certificate;
        assert!(keyring.next.is_none(), "no rotation is unfinished");
        for name in target().names() {
            assert_eq!(verify(std::slice::from_ref(&signing), &chain, &name, self.now), Ok(()));
            for bundle in self.bundles() {
                assert_eq!(verify(&bundle, &chain, &name, self.now), Ok(()));
            }
        }
    }
}

/// The values that may still be in use: all that held at `since` or later.
fn possible<T>(history: &History<T>, since: UnixTime) -> impl Iterator<Item = &T> {
    let first = history.iter().rposition(|(from, _)| *from <= since).unwrap_or(0);
    history[first..].iter().map(|(_, it)| it)
}
