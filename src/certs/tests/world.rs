//! A cluster whose apiservers lag behind what is published, and whose pods lag behind what is stored.
//!
//! The law is checked at each write: whatever an apiserver may still go by accepts whatever a pod may still
//! serve.

use super::runner::Shared;
use crate::certs::certificate::{Bundle, Certificate, Seconds};
use crate::certs::cluster::{Configuration, Kind, Observed, Reference, Secret, Target, Webhook};
use crate::certs::keyring::Keyring;
use crate::certs::plan::REACHES_PODS;
use crate::certs::rehearsal::Rehearsal;
use crate::certs::trust::accepts;

/// An apiserver has seen what was published so long ago, in seconds.
pub const SETTLE: Seconds = 60;
pub const DAY: Seconds = 24 * 3600;
/// 2026-11-22, eight o'clock UTC.
const BEGINNING: Seconds = 1_795_334_400;

pub fn target() -> Target {
    let reference = |kind| Reference { kind, name: "ippool-webhook".to_owned() };
    Target {
        namespace: "ippool-webhook".to_owned(),
        secret: "ippool-webhook-tls".to_owned(),
        service: "ippool-webhook".to_owned(),
        configurations: vec![reference(Kind::Mutating), reference(Kind::Validating)],
    }
}

fn configuration(reference: &Reference, webhooks: &[&str]) -> Configuration {
    let webhook = |name: &&str| Webhook { name: (*name).to_owned(), bundle: Bundle::default() };
    Configuration {
        reference: reference.clone(),
        version: "1".to_owned(),
        injected_by: None,
        webhooks: webhooks.iter().map(webhook).collect(),
    }
}

/// What was there from one moment on, until the next entry.
type History<T> = Vec<(Seconds, T)>;

pub struct World {
    pub cluster: Rehearsal,
    pub now: Seconds,
    /// Bundles by webhook.
    published: History<Vec<Vec<Certificate>>>,
    served: History<Vec<Certificate>>,
    /// Every authority that was ever stored.
    pub authorities: Vec<Certificate>,
    pub writes: usize,
    /// Writes until the runner is cut off.
    pub fuse: Option<usize>,
}

impl World {
    /// An installation that nobody has issued anything for: an empty Secret, empty bundles.
    pub fn installation() -> Shared {
        let [mutating, validating] = target().configurations.try_into().unwrap();
        let configurations = vec![
            configuration(&mutating, &["normalize"]),
            configuration(&validating, &["validate", "observe"]),
        ];
        let secret = Some(Secret { version: "1".to_owned(), ..Secret::default() });
        let observed = Observed { secret, configurations, ..Observed::default() };
        let world = Self {
            cluster: Rehearsal::of(observed, BEGINNING),
            now: BEGINNING,
            published: Vec::new(),
            served: Vec::new(),
            authorities: Vec::new(),
            writes: 0,
            fuse: None,
        };
        Shared::new(world)
    }

    pub fn keyring(&self) -> Keyring {
        Keyring::read(self.cluster.observed.data())
    }

    pub fn bundles(&self) -> Vec<Vec<Certificate>> {
        let webhooks = self.cluster.observed.configurations.iter().flat_map(|it| &it.webhooks);
        webhooks.map(|it| it.bundle.certificates.clone()).collect()
    }

    /// Changes the objects as somebody else would, without the law being asked.
    pub fn tamper(&mut self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.cluster.observed);
        let version = format!("tampered-{}", self.writes);
        if let Some(secret) = &mut self.cluster.observed.secret {
            secret.version.clone_from(&version);
        }
        self.cluster.observed.configurations.iter_mut().for_each(|it| it.version.clone_from(&version));
        self.published = vec![(self.now, self.bundles())];
        // Pods keep the last good pair when there is none any more.
        if let Ok(chain) = self.keyring().serving {
            self.served = vec![(self.now, chain)];
        }
    }

    /// Whether nothing was published for so many seconds.
    pub fn published_since(&self, seconds: Seconds) -> bool {
        self.published.last().is_some_and(|(at, _)| *at + seconds <= self.now)
    }

    /// Takes the next CA out of a bundle, as a manifest that is applied from elsewhere may; none: it is not in one.
    pub fn take_next_out(&mut self) -> Option<()> {
        let next = self.keyring().next?.certificate;
        let webhooks = self.cluster.observed.configurations.iter_mut();
        let configuration = webhooks.rev().find(|it| it.webhooks[0].bundle.certificates.contains(&next))?;
        configuration.webhooks[0].bundle.certificates.retain(|it| *it != next);
        configuration.version.push('x');
        self.published.push((self.now, self.bundles()));
        Some(())
    }

    /// Takes note of what is there after a write, and asks the law.
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
            assert!(self.worked(), "a certificate is stored that what is published does not accept");
        }
        if worked {
            self.hold_the_law(SETTLE);
        } else if self.worked() {
            // Nobody could call before, so that an apiserver which lags behind loses nothing.
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
        bundles.iter().all(|it| accepts(it, chain, &name, self.now).is_ok())
    }

    fn hold_the_law(&self, lag: Seconds) {
        let [name, _] = target().names();
        for bundles in possible(&self.published, self.now - lag) {
            // What has expired nobody accepts, whatever is written.
            let served = possible(&self.served, self.now - REACHES_PODS);
            for chain in served.filter(|chain| chain[0].is_valid(self.now)) {
                for bundle in bundles {
                    let accepted = accepts(bundle, chain, &name, self.now);
                    assert_eq!(
                        accepted,
                        Ok(()),
                        "an apiserver that has not seen the last write calls in vain"
                    );
                }
            }
        }
    }

    /// Asserts that everything is as it should be at this moment.
    pub fn assert_well(&self) {
        let keyring = self.keyring();
        let chain = keyring.serving.unwrap();
        let signing = keyring.signing.unwrap().certificate;
        assert!(keyring.next.is_none(), "no roll is left halfway");
        for name in target().names() {
            assert_eq!(accepts(std::slice::from_ref(&signing), &chain, &name, self.now), Ok(()));
            for bundle in self.bundles() {
                assert_eq!(accepts(&bundle, &chain, &name, self.now), Ok(()));
            }
        }
    }
}

/// What may still be gone by: all that was there at `since` or later.
fn possible<T>(history: &History<T>, since: Seconds) -> impl Iterator<Item = &T> {
    let first = history.iter().rposition(|(from, _)| *from <= since).unwrap_or(0);
    history[first..].iter().map(|(_, it)| it)
}
