//! Manifests applied one after the other, with whereabouts adding and removing in between: the sequences of
//! `tests/apply`, drawn from the bytes of the fuzzer.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::clients::Client::{self, Apply, Forced, Helm, ServerSide};
use crate::manifests::{Network, Step, any_manifest, any_network, any_policy, any_steps};
use crate::session::Session;
use crate::store::Outcome;

/// Each client by itself, and all of them in turn.
const CLIENTS: [&[Client]; 5] =
    [&[Apply], &[ServerSide], &[Forced], &[Helm], &[Apply, ServerSide, Forced, Helm]];

/// More numbers of 64 bits than the longest sequence draws.
const PADDING: u64 = 4_000;

/// Draws a sequence from `bytes` and holds every manifest of it to what is promised.
pub fn check(bytes: &[u8]) {
    let rng = TestRng::from_seed(RngAlgorithm::PassThrough, &padded(bytes));
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    let (network, policy) = (draw(&mut runner, &any_network()), draw(&mut runner, &any_policy()));
    let clients = draw(&mut runner, &prop::sample::select(&CLIENTS[..]));
    let client = draw(&mut runner, &prop::sample::select(clients));
    let manifest = draw(&mut runner, &any_manifest(network, &policy));
    let mut session = session(network, &policy, draw(&mut runner, &prop::bool::weighted(0.2)));
    for step in draw(&mut runner, &any_steps(network, clients, &policy)) {
        take(&mut session, network, &step);
    }
    a_manifest_applied_twice_changes_nothing(&mut session, client, &manifest);
    assert_eq!(session.tally.lost, [""; 0]);
    // In deny mode a manifest of one client means the address as well, where that client sends its range each time.
    if policy["enforcement"] == "deny" && clients.len() == 1 && client != Helm {
        assert_eq!(session.tally.misread, [""; 0]);
    }
}

/// The strategies take nothing but zeros where the bytes end, and some draw until it is something else.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let behind = (1..PADDING).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32).to_le_bytes());
    bytes.iter().copied().chain(behind.flatten()).collect()
}

fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).expect("no strategy here refuses what it drew").current()
}

fn session(network: &'static Network, policy: &Value, old: bool) -> Session {
    let with_host_bits = if network.name.starts_with("10") { "10.9.8.225/28" } else { "fd00:9::2/64" };
    match old {
        true => Session::before_the_webhook(network, policy, with_host_bits),
        false => Session::new(network, policy),
    }
}

fn take(session: &mut Session, network: &Network, step: &Step) {
    match step {
        Step::Send(client, manifest) => drop(session.send(*client, manifest)),
        Step::Add => session.plugin.add(&mut session.store, &network.pool()),
        Step::Delete(nth) => session.plugin.delete(&mut session.store, *nth),
    }
}

fn a_manifest_applied_twice_changes_nothing(session: &mut Session, client: Client, manifest: &Value) {
    if session.send(client, manifest).is_accepted() {
        let (spec, generation) = (session.store.spec(), session.store.generation());
        assert_eq!(session.send(client, manifest), Outcome::Unchanged);
        assert_eq!((session.store.spec(), session.store.generation()), (spec, generation));
    }
}
