//! Manifests applied one after the other, with whereabouts adding and removing in between, in the model of `tests/apply`.

use serde_json::Value;

use crate::clients::Client;
use crate::manifests::Sequence;
use crate::networks::Step;
use crate::session::Session;
use crate::store::Outcome;

/// Holds every manifest of the sequence to what is promised to those who apply it.
pub fn check(sequence: &Sequence) {
    let Sequence { network, policy, clients, before, steps, last } = sequence;
    let mut session = match before {
        Some(range) => Session::before_the_webhook(network, policy, range),
        None => Session::new(network, policy),
    };
    for step in steps {
        match step {
            Step::Send(client, manifest) => drop(session.send(*client, manifest)),
            Step::Add => session.plugin.add(&mut session.store, &network.pool()),
            Step::Delete(nth) => session.plugin.delete(&mut session.store, *nth),
        }
    }
    a_manifest_applied_twice_changes_nothing(&mut session, last.0, &last.1);
    assert_eq!(session.tally.lost, [""; 0]);
    // In deny mode a manifest of one client means the address as well, where that client sends its range each time.
    if policy["enforcement"] == "deny" && clients.len() == 1 && last.0 != Client::Helm {
        assert_eq!(session.tally.misread, [""; 0]);
    }
}

fn a_manifest_applied_twice_changes_nothing(session: &mut Session, client: Client, manifest: &Value) {
    if session.send(client, manifest).is_accepted() {
        let (spec, generation) = (session.store.spec(), session.store.generation());
        assert_eq!(session.send(client, manifest), Outcome::Unchanged);
        assert_eq!((session.store.spec(), session.store.generation()), (spec, generation));
    }
}
