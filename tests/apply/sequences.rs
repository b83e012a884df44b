//! Sequences of manifests by each client, with the plugin adding and removing in between.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::clients::Client::{self, Apply, Forced, Helm, Replace, ServerSide};
use crate::manifests::{any_manifest, any_network, any_policy, any_steps};
use crate::networks::{Network, Step};
use crate::session::{Session, Tally};
use crate::store::Outcome;

/// Sequences tried of each kind, whatever the environment says.
const SEQUENCES: u32 = 250;

pub fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// The network, whether the pool is older than the webhook, and what happens to it.
type Plan = (&'static Network, bool, Vec<Step>);

fn any_plan(clients: &'static [Client], policy: &Value) -> impl Strategy<Value = Plan> + use<> {
    let policy = policy.clone();
    any_network().prop_flat_map(move |network| {
        (Just(network), prop::bool::weighted(0.2), any_steps(network, clients, &policy))
    })
}

fn session(network: &'static Network, old: bool, policy: &Value) -> Session {
    let with_host_bits = if network.name.starts_with("10") { "10.9.8.225/28" } else { "fd00:9::2/64" };
    if old {
        Session::before_the_webhook(network, policy, with_host_bits)
    } else {
        Session::new(network, policy)
    }
}

/// Runs sequences, fails at the first loss with the smallest sequence that has it, and returns the counts.
///
/// In deny mode a manifest of one client has to mean the address as well, where that client sends its range each time.
fn loses_nothing(clients: &'static [Client], policy: &Value) -> Tally {
    let strict = policy["enforcement"] == "deny" && clients.len() == 1 && clients != [Helm];
    let total = RefCell::new(Tally::default());
    let tried = runner(SEQUENCES).run(&any_plan(clients, policy), |(network, old, steps)| {
        let tally = session(network, old, policy).run(&steps);
        prop_assert!(tally.lost.is_empty(), "lost: {:?}", tally.lost);
        prop_assert!(!strict || tally.misread.is_empty(), "misread: {:?}", tally.misread);
        total.borrow_mut().add(&tally);
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{clients:?} under {policy}: {error}"));
    total.into_inner()
}

/// The same in deny and in warn mode, normalizing and not; the counts show that the sequences say something.
fn loses_nothing_in_any_mode(clients: &'static [Client]) {
    for (enforcement, normalize) in [("deny", true), ("deny", false), ("warn", true), ("warn", false)] {
        let policy = json!({ "enforcement": enforcement, "normalize": normalize });
        let it = loses_nothing(clients, &policy);
        println!(
            "{clients:?}, {policy}: {} applies, {} accepted, {} entries watched, {} named, {} lost, {} misread",
            it.applies,
            it.accepted,
            it.watched,
            it.named,
            it.lost.len(),
            it.misread.len()
        );
        assert!(it.accepted > SEQUENCES / 2 && it.watched > SEQUENCES, "too little was tried: {it:?}");
        assert_eq!(it.lost.len(), 0);
    }
}

#[test]
fn client_side_apply_loses_no_entry_of_a_pod_that_it_does_not_name() {
    loses_nothing_in_any_mode(&[Apply]);
}

#[test]
fn server_side_apply_loses_no_entry_of_a_pod_that_it_does_not_name() {
    loses_nothing_in_any_mode(&[ServerSide]);
}

#[test]
fn forced_apply_loses_no_entry_of_a_pod_that_it_does_not_name() {
    loses_nothing_in_any_mode(&[Forced]);
}

#[test]
fn helm_upgrade_loses_no_entry_of_a_pod_that_it_does_not_name() {
    loses_nothing_in_any_mode(&[Helm]);
}

#[test]
fn clients_in_turn_lose_no_entry_of_a_pod_that_they_do_not_name() {
    loses_nothing_in_any_mode(&[Apply, ServerSide, Forced, Helm]);
}

/// A whole object says by itself which entries go; what stays must stay where it is.
#[test]
fn replace_moves_no_entry_that_it_keeps() {
    let plan = (any_network(), any_policy()).prop_flat_map(|(network, policy)| {
        let manifest = any_manifest(network, &policy);
        (Just(network), Just(policy), any::<bool>(), manifest)
    });
    let kept = RefCell::new(0);
    let tried = runner(SEQUENCES).run(&plan, |(network, policy, old, mut manifest)| {
        let mut session = session(network, old, &policy);
        for _ in 0..3 {
            session.plugin.add(&mut session.store, &network.pool());
        }
        for held in session.plugin.held.values() {
            manifest["spec"]["allocations"][&held.key] = held.entry.clone();
        }
        session.send(Replace, &manifest);
        prop_assert_eq!(&session.tally.lost, &Vec::<String>::new());
        *kept.borrow_mut() += session.tally.accepted;
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
    assert!(kept.into_inner() > SEQUENCES / 5);
}

/// What was accepted once is accepted again, changes nothing, and leaves the entries of pods that came since.
#[test]
fn an_accepted_manifest_applied_twice_ends_in_the_same_object() {
    let clients = prop::sample::select(&[Apply, ServerSide, Forced, Helm, Replace][..]);
    let plan = (any_network(), any_policy(), clients).prop_flat_map(|(network, policy, client)| {
        let steps = any_steps(network, &[Apply, ServerSide, Forced, Helm], &policy);
        let manifest = any_manifest(network, &policy);
        (Just(network), Just(policy), Just(client), any::<bool>(), steps, manifest)
    });
    let accepted = RefCell::new(0);
    let tried = runner(3 * SEQUENCES).run(&plan, |(network, policy, client, old, steps, manifest)| {
        let mut session = session(network, old, &policy);
        for step in &steps {
            match step {
                Step::Send(client, manifest) => drop(session.send(*client, manifest)),
                Step::Add => session.plugin.add(&mut session.store, &network.pool()),
                Step::Delete(nth) => session.plugin.delete(&mut session.store, *nth),
            }
        }
        if session.send(client, &manifest).is_accepted() {
            *accepted.borrow_mut() += 1;
            let (spec, generation) = (session.store.spec(), session.store.generation());
            let again = session.send(client, &manifest);
            prop_assert_eq!(again, Outcome::Unchanged);
            prop_assert_eq!(session.store.spec(), spec);
            prop_assert_eq!(session.store.generation(), generation);
        }
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
    assert!(accepted.into_inner() > SEQUENCES / 2);
}

/// The pods that come and go between two applies are not a reason to deny the second.
#[test]
fn an_accepted_manifest_is_accepted_beside_the_pods_that_came_since() {
    let clients = prop::sample::select(&[Apply, ServerSide, Forced, Helm][..]);
    let plan = (any_network(), clients, any::<bool>()).prop_flat_map(|(network, client, normalize)| {
        let policy = json!({ "normalize": normalize });
        let manifest = any_manifest(network, &policy);
        (Just(network), Just(client), Just(policy), manifest)
    });
    let accepted = RefCell::new(0);
    let tried = runner(3 * SEQUENCES).run(&plan, |(network, client, policy, manifest)| {
        let mut session = Session::new(network, &policy);
        if session.send(client, &manifest).is_accepted() {
            *accepted.borrow_mut() += 1;
            for _ in 0..3 {
                session.plugin.add(&mut session.store, &network.pool());
            }
            let (spec, generation) = (session.store.spec(), session.store.generation());
            let again = session.send(client, &manifest);
            prop_assert_eq!(again, Outcome::Unchanged);
            prop_assert_eq!(session.store.spec(), spec);
            prop_assert_eq!(session.store.generation(), generation);
        }
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
    assert!(accepted.into_inner() > SEQUENCES / 4);
}
