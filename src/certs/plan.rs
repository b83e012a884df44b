//! The next action, planned from the state of the cluster. Each action writes to one object, and after each of them
//! every published `caBundle` trusts the served certificate.
//!
//! ```text
//!  no CA, or two thirds of its lifetime are over      the certificate is missing, invalid, or due
//!          │                                                        │
//!     stage the next CA                                             │
//!          │                                                        │
//!     publish: the next, the old, and the existing ones ◄───────────┤  to every webhook, first
//!          │                                                        │
//!     propagate: wait until every apiserver has seen it             │
//!          │                                                        │
//!     issue from the next CA, which signs from now on          issue from the signing CA
//!          └──────────────────► prune what has expired ◄────────────┘
//! ```
//!
//! An interrupted run, or one that meets another, continues from the state that it reads next.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};

use super::keyring::Keyring;
use super::state::{ClusterState, Configuration, Target, Webhook};
use crate::pki::{
    Authority, BACKDATED_SECONDS, Certificate, DAY_SECONDS, UnixTime, format_date, pem_of, verify,
};

/// A newer certificate may not have reached every pod: the kubelet takes up to two minutes to update a volume.
pub const POD_SYNC_SECONDS: i64 = 600;
/// A staged authority that expires sooner is replaced instead of used.
const MIN_AUTHORITY_SECONDS: i64 = 180 * DAY_SECONDS;

/// How `certs ensure` runs.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Options {
    /// Print what would be done, and write nothing
    #[arg(long, env = "IPPOOL_WEBHOOK_DRY_RUN")]
    pub dry_run: bool,

    /// Replace the certificate, or the CA and the certificate, regardless of their age
    #[arg(long, value_name = "WHAT", env = "IPPOOL_WEBHOOK_RENEW")]
    pub renew: Option<Renew>,

    /// Remove every CA but the signing one from the caBundles; after a leaked key, once all pods serve the new
    /// certificate
    #[arg(long, env = "IPPOOL_WEBHOOK_DROP_OTHERS")]
    pub drop_others: bool,

    /// Take over a Secret that another program filled
    #[arg(long, env = "IPPOOL_WEBHOOK_ADOPT")]
    pub adopt: bool,

    /// Time from publishing a new CA to issuing from it, in which every apiserver has to see it
    #[arg(long, value_name = "SECONDS", env = "IPPOOL_WEBHOOK_PROPAGATION_DELAY", default_value_t = 60)]
    pub propagation_delay: u64,
}

/// What can be replaced before it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Renew {
    /// The serving certificate, under the same CA.
    Leaf,
    /// The CA, with overlap, and the serving certificate under it.
    Ca,
}

/// What a run remembers between two actions.
#[derive(Debug, Default)]
pub struct RunState {
    /// The certificate that `--renew` is to replace, as it was when the run began.
    pub replaced: Option<Certificate>,
    /// The authority that every apiserver has seen by now.
    pub propagated: Option<Certificate>,
}

/// One action. Each `why` is the end of a sentence.
#[derive(Debug)]
pub enum Action<'a> {
    /// Store a new authority beside the signing one.
    StageCa { why: String },
    /// Write these [`Bundles`](super::state::Bundles) to the configuration.
    Publish { configuration: &'a Configuration, bundles: Vec<(String, String)>, why: String },
    /// Wait until every apiserver has seen the published bundles, and in them the staged authority.
    Propagate { next: &'a Certificate },
    /// Issue a serving certificate.
    Issue { authority: &'a Authority, why: String },
    /// Keep only these authorities beside the signing one.
    Prune { signing: &'a Certificate, older: Vec<Certificate> },
}

/// Plans the next action from one state.
pub struct Planner<'a> {
    pub state: &'a ClusterState,
    pub keyring: &'a Keyring,
    pub target: &'a Target,
    pub options: Options,
    pub now: UnixTime,
}

impl<'a> Planner<'a> {
    /// The next action; `None` when nothing is left to do.
    pub fn next(&self, run_state: &RunState) -> Option<Action<'a>> {
        // A staged authority has to be valid long enough to sign.
        let is_usable = |it: &&Authority| self.now + MIN_AUTHORITY_SECONDS < it.certificate.not_after;
        let next = self.keyring.next.as_ref().filter(is_usable);
        if next.is_none()
            && let Some(why) = self.authority_due(run_state)
        {
            return Some(Action::StageCa { why });
        }
        if let Some(action) = self.publish() {
            return Some(action);
        }
        if let Some(authority) = next {
            let next = &authority.certificate;
            if self.others_in_use(next) && run_state.propagated.as_ref() != Some(next) {
                return Some(Action::Propagate { next });
            }
            return Some(Action::Issue { authority, why: "this CA is published everywhere".to_owned() });
        }
        match (self.leaf_due(run_state), &self.keyring.signing) {
            (Some(why), Some(authority)) => Some(Action::Issue { authority, why }),
            (_, signing) => self.prune(&signing.as_ref()?.certificate),
        }
    }

    /// Why a new authority is due.
    fn authority_due(&self, run_state: &RunState) -> Option<String> {
        let Some(signing) = self.keyring.signing.as_ref().map(|it| &it.certificate) else {
            let is_new = self.keyring.older.is_empty();
            let why = if is_new { "there is none yet" } else { "ca.key is missing or not the key of ca.crt" };
            return Some(why.to_owned());
        };
        if self.options.renew == Some(Renew::Ca) && run_state.replaced.as_ref() == Some(signing) {
            return Some("it was requested".to_owned());
        }
        let due = self.now >= signing.renewal();
        due.then(|| format!("two thirds of the lifetime of {signing} are over"))
    }

    /// Why a new certificate of the signing authority is due.
    fn leaf_due(&self, run_state: &RunState) -> Option<String> {
        let leaf = match self.leaf() {
            Err(why) => return Some(why),
            Ok(leaf) => leaf,
        };
        if self.options.renew == Some(Renew::Leaf) && run_state.replaced.as_ref() == Some(leaf) {
            return Some("it was requested".to_owned());
        }
        let due = self.now >= leaf.renewal();
        due.then(|| {
            format!("two thirds of the lifetime of the old one were over on {}", format_date(leaf.renewal()))
        })
    }

    /// The stored certificate, if the signing authority verifies it; or why it does not.
    pub fn leaf(&self) -> Result<&Certificate, String> {
        let chain = self.keyring.serving.as_ref().map_err(Clone::clone)?;
        let signing = self.keyring.signing.as_ref().map(|it| it.certificate.clone());
        for name in self.target.names() {
            verify(signing.as_slice(), chain, &name, self.now)
                .map_err(|why| format!("the stored certificate cannot be used for {name}: {why}"))?;
        }
        chain.first().ok_or_else(|| "there is no certificate yet".to_owned())
    }

    /// Whether another authority than `next` is trusted. A pod may serve a certificate of it, even where the Secret has
    /// lost it, since pods keep the last good pair.
    fn others_in_use(&self, next: &Certificate) -> bool {
        let webhooks = self.state.configurations.iter().flat_map(|it| &it.webhooks);
        let mut trusted = webhooks.flat_map(|it| &it.bundle.certificates);
        trusted.any(|it| it.is_valid(self.now) && it != next)
    }

    /// Whether all but the signing authority can be dropped. The error is the time from which they can, where only time is
    /// missing.
    pub fn drops_others(&self) -> Result<(), Option<UnixTime>> {
        let leaf = self.leaf().map_err(|_| None)?;
        if !self.options.drop_others || self.keyring.next.is_some() {
            return Err(None);
        }
        let from = leaf.not_before + BACKDATED_SECONDS + POD_SYNC_SECONDS;
        if self.now < from { Err(Some(from)) } else { Ok(()) }
    }

    fn publish(&self) -> Option<Action<'a>> {
        self.state.configurations.iter().find_map(|configuration| {
            let wanted = configuration.webhooks.iter().map(|it| (it, self.wanted(it)));
            let changed: Vec<_> = wanted.filter(|(it, wanted)| !it.bundle.trusts_the_same(wanted)).collect();
            (!changed.is_empty()).then(|| publish_to(configuration, &changed))
        })
    }

    /// The CAs that `webhook` should trust: our own first, then the unexpired foreign ones that it trusts already.
    fn wanted(&self, webhook: &Webhook) -> Vec<Certificate> {
        if let (Ok(()), Some(signing)) = (self.drops_others(), &self.keyring.signing) {
            return vec![signing.certificate.clone()];
        }
        let mut wanted = self.keyring.trusted(self.now);
        wanted.extend(self.foreign(webhook).cloned());
        wanted
    }

    /// The unexpired CAs that `webhook` trusts and this program did not create.
    fn foreign<'b>(&'b self, webhook: &'b Webhook) -> impl Iterator<Item = &'b Certificate> {
        let ours = self.keyring.trusted(self.now);
        let unexpired = webhook.bundle.certificates.iter().filter(|it| self.now < it.not_after);
        unexpired.filter(move |it| !ours.contains(it))
    }

    /// Each foreign CA once, with the webhooks that trust it and the command that shows one of them.
    pub fn all_foreign(&self) -> Vec<(&Certificate, Vec<&str>, String)> {
        let mut all: Vec<(&Certificate, Vec<&str>, String)> = Vec::new();
        for configuration in &self.state.configurations {
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

    fn prune(&self, signing: &'a Certificate) -> Option<Action<'a>> {
        let mut older = self.keyring.older.clone();
        let keep = self.drops_others().is_err();
        older.retain(|it| keep && self.now < it.not_after);
        (older.len() != self.keyring.older.len()).then_some(Action::Prune { signing, older })
    }
}

/// Publishes to each of these webhooks the authorities that it should trust.
fn publish_to<'a>(configuration: &'a Configuration, changed: &[(&Webhook, Vec<Certificate>)]) -> Action<'a> {
    let (mut added, mut dropped) = (BTreeSet::new(), BTreeSet::new());
    for (webhook, wanted) in changed {
        let had = &webhook.bundle.certificates;
        added.extend(wanted.iter().filter(|it| !had.contains(it)).map(ToString::to_string));
        dropped.extend(had.iter().filter(|it| !wanted.contains(it)).map(ToString::to_string));
        dropped.extend(webhook.bundle.has_unreadable().then(|| "unreadable blocks".to_owned()));
    }
    let list = |(verb, items): (&str, BTreeSet<String>)| {
        (!items.is_empty()).then(|| format!("{verb} {}", Vec::from_iter(items).join(", ")))
    };
    let why: Vec<_> = [("adds", added), ("drops", dropped)].into_iter().filter_map(list).collect();
    let bundles = changed.iter().map(|(it, wanted)| (it.name.clone(), pem_of(wanted))).collect();
    Action::Publish { configuration, bundles, why: why.join("; ") }
}
