//! One pool's life: manifests and the plugin in turn, and what became of the pods' entries.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::address::{address, address_in, entries, range_of};
use crate::clients::{Client, Release};
use crate::networks::{Network, Step};
use crate::plugin::{Held, Plugin};
use crate::store::{Outcome, Store};

/// What was tried, and what went wrong.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Manifests sent.
    pub applies: u32,
    /// Manifests accepted.
    pub accepted: u32,
    /// Entries of live pods that a manifest was sent beside, each time.
    pub watched: u32,
    /// Entries changed or removed because the manifest names their key.
    pub named: u32,
    /// Entries that moved, changed or went away and that no manifest named.
    pub lost: Vec<String>,
    /// Entries whose key a manifest names, but means another address by it.
    pub misread: Vec<String>,
}

impl Tally {
    /// Adds what another session counted.
    pub fn add(&mut self, other: &Self) {
        self.applies += other.applies;
        self.accepted += other.accepted;
        self.watched += other.watched;
        self.named += other.named;
        self.lost.extend(other.lost.iter().cloned());
        self.misread.extend(other.misread.iter().cloned());
    }
}

/// A pool with everybody who writes it.
pub struct Session {
    network: &'static Network,
    /// The apiserver.
    pub store: Store,
    /// whereabouts.
    pub plugin: Plugin,
    release: Release,
    /// The keys and addresses of manifests that were accepted; a client may send the removal of any of them.
    meant: BTreeSet<(String, Option<u128>)>,
    /// The counts.
    pub tally: Tally,
}

impl Session {
    /// Nothing is there yet.
    pub fn new(network: &'static Network, policy: &Value) -> Self {
        Self {
            network,
            store: Store::new(policy),
            plugin: Plugin::default(),
            release: Release::default(),
            meant: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// A pool from before the webhook, empty but for what the plugin adds to it.
    pub fn before_the_webhook(network: &'static Network, policy: &Value, range: &str) -> Self {
        let object = network.manifest(&json!({ "range": range, "allocations": {} }));
        Self { store: Store::holding(policy, &object), ..Self::new(network, policy) }
    }

    /// Takes all steps and returns what was counted.
    pub fn run(mut self, steps: &[Step]) -> Tally {
        for step in steps {
            match step {
                Step::Send(client, manifest) => drop(self.send(*client, manifest)),
                Step::Add => self.plugin.add(&mut self.store, &self.network.pool()),
                Step::Delete(nth) => self.plugin.delete(&mut self.store, *nth),
            }
        }
        self.tally
    }

    /// Sends one manifest and looks after every entry of the plugin.
    pub fn send(&mut self, client: Client, manifest: &Value) -> Outcome {
        let names = client.names(&self.store, &self.release, manifest);
        let before = self.store.object.clone();
        let outcome = client.send(&mut self.store, &mut self.release, manifest);
        self.tally.applies += 1;
        self.tally.accepted += u32::from(outcome.is_accepted());
        // kubectl may send two requests, of which only the first is accepted.
        if outcome.is_accepted() || self.store.object != before {
            let meant = |(key, _): (&String, &Value)| (key.clone(), address(range_of(manifest).trim(), key));
            self.meant.extend(entries(manifest).map(meant));
        }
        let after = self.store.object.as_ref();
        let repaired =
            before.zip(after).is_some_and(|(before, after)| self.network.is_repaired(&before, after));
        if repaired {
            self.plugin.read_addresses_again(&self.store);
        }
        self.look_after_entries(&names, repaired);
        outcome
    }

    /// Counts what became of each entry of a live pod, and watches on those that are as they were.
    fn look_after_entries(&mut self, names: &BTreeSet<String>, repaired: bool) {
        for (id, held) in std::mem::take(&mut self.plugin.held) {
            self.tally.watched += 1;
            if self.is_kept(&held) {
                self.plugin.held.insert(id, held);
            } else {
                self.count_change(&held, names.contains(&held.key) && !self.has_entry(&held), repaired);
            }
        }
    }

    /// A manifest that repairs host bits rewrites keys: by the key of an entry that it drops, it means the entry that it puts
    /// there.
    fn count_change(&mut self, held: &Held, named: bool, repaired: bool) {
        let text = format!("{} at {:x} in {}", held.key, held.address, self.store.spec());
        self.tally.named += u32::from(named);
        if !named {
            self.tally.lost.push(text);
        } else if !repaired && !self.meant.contains(&(held.key.clone(), Some(held.address))) {
            self.tally.misread.push(text);
        }
    }

    fn has_entry(&self, held: &Held) -> bool {
        self.store.spec()["allocations"].get(&held.key) == Some(&held.entry)
    }

    /// The same entry under the same key, at the address that the pod was given.
    fn is_kept(&self, held: &Held) -> bool {
        let stored = self.store.object.as_ref().expect("a pool is never deleted");
        self.has_entry(held) && address_in(stored, &held.key) == Some(held.address)
    }
}
