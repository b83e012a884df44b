//! whereabouts between two applies: it gives out the lowest free address and takes back its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::address::{address_in, base, entries, network, range_of};
use crate::store::{Store, Writer};
use testkit::review::WHEREABOUTS;

const PLUGIN: Writer = Writer { user: WHEREABOUTS, manager: "whereabouts" };

/// An entry that a live pod depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its key.
    pub key: String,
    /// The address that the pod was given.
    pub address: u128,
    /// What the plugin wrote.
    pub entry: Value,
}

/// The plugin, with the entries of the pods that live.
#[derive(Default)]
pub struct Plugin {
    made: u64,
    /// By the id of the container.
    pub held: BTreeMap<String, Held>,
}

impl Plugin {
    /// ADD: makes the pool where there is none, then takes the lowest free offset.
    pub fn add(&mut self, store: &mut Store, pool: &Value) {
        if store.object.is_none() {
            assert!(store.write(PLUGIN, pool).is_accepted(), "whereabouts may create a pool");
        }
        let mut object = rewritten(store);
        let Some(offset) = lowest_free(&object) else { return };
        self.made += 1;
        let (key, id) = (offset.to_string(), format!("{:064x}", self.made));
        let entry = json!({ "id": id, "podref": format!("pods/p{}", self.made), "ifname": "net1" });
        object["spec"]["allocations"][&key] = entry.clone();
        let address = address_in(&object, &key).expect("a free offset has an address");
        self.held.insert(id, Held { key, address, entry });
        self.write(store, &object);
    }

    /// DEL of one of the pods that live: removes the entry with its id.
    pub fn delete(&mut self, store: &mut Store, nth: usize) {
        let id = self.held.keys().nth(nth % self.held.len().max(1)).cloned();
        let Some(held) = id.and_then(|id| self.held.remove(&id)) else { return };
        let mut object = rewritten(store);
        if object["spec"]["allocations"][&held.key]["id"] == held.entry["id"] {
            object["spec"]["allocations"].as_object_mut().expect("a map").remove(&held.key);
            self.write(store, &object);
        }
    }

    /// A trusted writer's update is stored as sent, with no call of the webhook.
    fn write(&mut self, store: &mut Store, object: &Value) {
        let calls = store.calls.clone();
        assert!(store.write(PLUGIN, object).is_accepted(), "an update by whereabouts is never denied");
        assert_eq!(store.spec(), object["spec"], "an update by whereabouts is never patched");
        assert_eq!(store.calls, calls, "an update by whereabouts reaches no webhook");
        self.forget_what_is_gone(store);
    }

    /// Takes the addresses of a range that was repaired as the ones that count from now on.
    pub fn read_addresses_again(&mut self, store: &Store) {
        let object = store.object.as_ref().expect("a pool");
        for held in self.held.values_mut() {
            held.address = address_in(object, &held.key).unwrap_or(held.address);
        }
    }

    /// Stops watching the entries that are not stored any more under the key they had.
    fn forget_what_is_gone(&mut self, store: &Store) {
        let stored: BTreeMap<_, _> = store.object.iter().flat_map(entries).collect();
        self.held.retain(|_, held| stored.get(&held.key) == Some(&&held.entry));
    }
}

/// whereabouts reads the whole map and writes it back: keys it cannot read are gone, others become numbers.
fn rewritten(store: &Store) -> Value {
    let mut object = store.object.clone().unwrap_or_default();
    let canonical =
        |(key, entry): (&String, &Value)| Some((key.parse::<i64>().ok()?.to_string(), entry.clone()));
    let readable: Map<String, Value> = entries(&object).filter_map(canonical).collect();
    if base(range_of(&object)).is_some() {
        object["spec"]["allocations"] = Value::Object(readable);
    }
    object
}

/// Network and broadcast addresses are left out, and so is what lies outside the range.
fn lowest_free(object: &Value) -> Option<u32> {
    let (base, prefix) = base(range_of(object))?;
    let first = network((base, prefix));
    let last = first | u128::MAX.checked_shr(prefix).unwrap_or(0);
    let taken: BTreeSet<_> = entries(object).filter_map(|(key, _)| address_in(object, key)).collect();
    (0..64).find(|offset| {
        let address = base + u128::from(*offset);
        address > first && address < last && !taken.contains(&address)
    })
}
