//! What to do next, decided from what is there: one write at a time, each of which leaves the served
//! certificate trusted by what is published.
//!
//! ```text
//!  no CA, or two thirds of its life are over          the certificate is missing, wrong, or due
//!          │                                                        │
//!     introduce the next one                                        │
//!          │                                                        │
//!     publish: the next, the old, and what was there before  ◄──────┤  to every webhook, first
//!          │                                                        │
//!     wait until every apiserver has seen it                        │
//!          │                                                        │
//!     issue from the next one, which signs from now on         issue from the one that signs
//!          └───────────────► forget what has expired ◄──────────────┘
//! ```
//!
//! Whoever is cut off in the middle, or meets somebody else at it, looks again and goes on from what is there.

use super::authority::{Authority, BACKDATED};
use super::certificate::{Certificate, Seconds, day, pem_of};
use super::cluster::{Observed, Target, Webhook};
use super::keyring::Keyring;
use super::trust::accepts;

/// A certificate younger than this may not have reached every pod: the kubelet takes up to two minutes.
pub const REACHES_PODS: Seconds = 600;
/// An authority that was introduced and ends sooner than this is not worth signing with.
const LEAST_AUTHORITY_LIFE: Seconds = 180 * 24 * 3600;

/// What a run is asked to do beyond what is due.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Replace this, whatever its age.
    pub renew: Option<Renew>,
    /// Trust nothing but the authority that signs.
    pub drop_others: bool,
}

/// What can be replaced before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Renew {
    /// The serving certificate, under the same CA.
    Leaf,
    /// The CA, with overlap, and the serving certificate under it.
    Ca,
}

/// What a run remembers between two looks.
#[derive(Debug, Default)]
pub struct Memory {
    /// What was there when the run began, of that which it was asked to replace.
    pub replaced: Option<Certificate>,
    /// The authority that has been published everywhere for long enough.
    pub settled: Option<Certificate>,
}

/// One step. Each `why` is the end of a sentence.
#[derive(Debug)]
pub enum Step {
    /// Store a new authority beside the one that signs.
    Introduce { why: String },
    /// Write these bundles (webhook, PEM) to the configuration of this index.
    Publish { index: usize, bundles: Vec<(String, String)>, why: String },
    /// Wait until every apiserver has seen what is published.
    Settle,
    /// Issue a serving certificate, from the next authority or the one that signs.
    Issue { from_next: bool, why: String },
    /// Keep these authorities beside the one that signs, and no others.
    Forget { older: Vec<Certificate> },
}

/// What is looked at in one round.
pub struct Look<'a> {
    /// The cluster.
    pub observed: &'a Observed,
    /// What its Secret holds.
    pub keyring: &'a Keyring,
    /// Whom the certificate is for.
    pub target: &'a Target,
    /// What was asked for.
    pub wish: Wish,
    /// When.
    pub now: Seconds,
}

impl Look<'_> {
    /// The next step; none when all is as it should be.
    pub fn next(&self, memory: &Memory) -> Option<Step> {
        let next = self.keyring.next.as_ref().filter(|it| self.lives(it));
        if next.is_none()
            && let Some(why) = self.authority_due(memory)
        {
            return Some(Step::Introduce { why });
        }
        if let Some(step) = self.publish() {
            return Some(step);
        }
        if let Some(next) = next {
            let settled = memory.settled.as_ref() == Some(&next.certificate);
            let why = "this CA is published everywhere".to_owned();
            let step = Step::Issue { from_next: true, why };
            return Some(if self.in_use(next) && !settled { Step::Settle } else { step });
        }
        if let Some(why) = self.leaf_due(memory) {
            return Some(Step::Issue { from_next: false, why });
        }
        self.forget()
    }

    /// Why there has to be a new authority.
    fn authority_due(&self, memory: &Memory) -> Option<String> {
        let Some(signing) = self.keyring.signing.as_ref().map(|it| &it.certificate) else {
            let broken = !self.keyring.older.is_empty();
            return Some(
                if broken { "ca.key is missing or not the key of ca.crt" } else { "there is none yet" }
                    .to_owned(),
            );
        };
        if self.wish.renew == Some(Renew::Ca) && memory.replaced.as_ref() == Some(signing) {
            return Some("it was asked for".to_owned());
        }
        let due = self.now >= signing.renewal();
        due.then(|| format!("{signing} has lived two thirds of its life"))
    }

    /// Whether an authority that was introduced may be used.
    fn lives(&self, next: &Authority) -> bool {
        self.now + LEAST_AUTHORITY_LIFE < next.certificate.not_after()
    }

    /// Why there has to be a new certificate under the authority that signs.
    fn leaf_due(&self, memory: &Memory) -> Option<String> {
        let leaf = match self.leaf() {
            Err(why) => return Some(why),
            Ok(leaf) => leaf,
        };
        if self.wish.renew == Some(Renew::Leaf) && memory.replaced.as_ref() == Some(leaf) {
            return Some("it was asked for".to_owned());
        }
        let due = self.now >= leaf.renewal();
        due.then(|| format!("two thirds of the life of the old one were over at {}", day(leaf.renewal())))
    }

    /// The certificate that is stored, if the authority that signs vouches for it; or why it does not.
    pub fn leaf(&self) -> Result<&Certificate, String> {
        let chain = self.keyring.serving.as_ref().map_err(Clone::clone)?;
        let signing = self.keyring.signing.as_ref().map(|it| it.certificate.clone());
        for name in self.target.names() {
            accepts(signing.as_slice(), chain, &name, self.now)
                .map_err(|why| format!("the stored certificate does not do for {name}: {why}"))?;
        }
        chain.first().ok_or_else(|| "there is no certificate yet".to_owned())
    }

    /// Whether another authority than `next` is trusted: then something may be serving under it, also where
    /// the Secret lost its pair, since pods keep the last good one.
    fn in_use(&self, next: &Authority) -> bool {
        let webhooks = self.observed.configurations.iter().flat_map(|it| &it.webhooks);
        let mut trusted = webhooks.flat_map(|it| &it.bundle.certificates);
        trusted.any(|it| it.is_valid(self.now) && *it != next.certificate)
    }

    /// Whether all but the authority that signs can go. If not, from when on, where time is all it takes.
    pub fn drops_others(&self) -> Result<(), Option<Seconds>> {
        let leaf = self.leaf().map_err(|_| None)?;
        if !self.wish.drop_others || self.keyring.next.is_some() {
            return Err(None);
        }
        let from = leaf.not_before() + BACKDATED + REACHES_PODS;
        if self.now < from { Err(Some(from)) } else { Ok(()) }
    }

    fn publish(&self) -> Option<Step> {
        self.observed.configurations.iter().enumerate().find_map(|(index, configuration)| {
            let changed = |it: &&Webhook| !it.bundle.trusts_the_same(&self.wanted(it));
            let changed: Vec<_> = configuration.webhooks.iter().filter(changed).collect();
            (!changed.is_empty()).then(|| self.publish_to(index, &changed))
        })
    }

    fn publish_to(&self, index: usize, changed: &[&Webhook]) -> Step {
        let bundles = changed.iter().map(|it| (it.name.clone(), pem_of(&self.wanted(it)))).collect();
        let (mut added, mut dropped) = (Vec::new(), Vec::new());
        for webhook in changed {
            let wanted = self.wanted(webhook);
            let had = &webhook.bundle.certificates;
            added.extend(wanted.iter().filter(|it| !had.contains(it)).map(ToString::to_string));
            dropped.extend(had.iter().filter(|it| !wanted.contains(it)).map(ToString::to_string));
            if webhook.bundle.unreadable > 0 {
                dropped.push("what cannot be read".to_owned());
            }
        }
        let mut why = Vec::new();
        for (verb, mut items) in [("adds", added), ("drops", dropped)] {
            items.sort();
            items.dedup();
            if !items.is_empty() {
                why.push(format!("{verb} {}", items.join(", ")));
            }
        }
        Step::Publish { index, bundles, why: why.join("; ") }
    }

    /// What `webhook` is to trust: our own first, then others' that it trusts already and that are not over.
    fn wanted(&self, webhook: &Webhook) -> Vec<Certificate> {
        if let (Ok(()), Some(signing)) = (self.drops_others(), &self.keyring.signing) {
            return vec![signing.certificate.clone()];
        }
        let mut wanted = self.keyring.trusted(self.now);
        wanted.extend(self.foreign(webhook).cloned());
        wanted
    }

    /// What `webhook` trusts and this program did not issue, as far as it is not over.
    fn foreign<'b>(&'b self, webhook: &'b Webhook) -> impl Iterator<Item = &'b Certificate> {
        let ours = self.keyring.trusted(self.now);
        let unexpired = webhook.bundle.certificates.iter().filter(|it| self.now < it.not_after());
        unexpired.filter(move |it| !ours.contains(it))
    }

    /// Each of these once, with the webhooks that trust it and the command that shows one of them.
    pub fn all_foreign(&self) -> Vec<(&Certificate, Vec<&str>, String)> {
        let mut all: Vec<(&Certificate, Vec<&str>, String)> = Vec::new();
        for configuration in &self.observed.configurations {
            for webhook in &configuration.webhooks {
                for foreign in self.foreign(webhook) {
                    match all.iter_mut().find(|(it, _, _)| *it == foreign) {
                        Some((_, by, _)) => by.push(&webhook.name),
                        None => all.push((foreign, vec![&webhook.name], configuration.reference.show())),
                    }
                }
            }
        }
        all
    }

    fn forget(&self) -> Option<Step> {
        let mut older = self.keyring.older.clone();
        let keep = self.drops_others().is_err();
        older.retain(|it| keep && self.now < it.not_after());
        (older.len() != self.keyring.older.len()).then_some(Step::Forget { older })
    }
}
