//! Sequences of manifests out of bytes, as `tests/apply` draws them at random.

use arbitrary::{Arbitrary, Result, Unstructured};
use serde_json::{Map, Value, json};

use crate::clients::Client::{self, Apply, Forced, Helm, ServerSide};
use crate::networks::{NETWORKS, Network, Step};

/// Each client by itself, and all of them in turn.
const CLIENTS: [&[Client]; 5] =
    [&[Apply], &[ServerSide], &[Forced], &[Helm], &[Apply, ServerSide, Forced, Helm]];

/// The longest sequence.
const MAX_STEPS: usize = 40;

/// What a target is given.
#[derive(Debug)]
pub struct Sequence {
    pub(crate) network: &'static Network,
    pub(crate) policy: Value,
    pub(crate) clients: &'static [Client],
    /// The range of a pool from before the webhook, where there is one.
    pub(crate) before: Option<&'static str>,
    pub(crate) steps: Vec<Step>,
    /// Who applies what twice in the end.
    pub(crate) last: (Client, Value),
}

impl<'a> Arbitrary<'a> for Sequence {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let network = u.choose(&NETWORKS)?;
        let policy = json!({ "enforcement": u.choose(&["deny", "warn"])?, "normalize": !u.ratio(1, 4)? });
        let clients = *u.choose(&CLIENTS)?;
        let before = if u.ratio(1, 4)? { Some(*u.choose(network.with_host_bits)?) } else { None };
        let last = (*u.choose(clients)?, manifest(u, network, &policy)?);
        let mut steps = Vec::new();
        while !u.is_empty() && steps.len() < MAX_STEPS {
            steps.push(step(u, network, clients, &policy)?);
        }
        Ok(Self { network, policy, clients, before, steps, last })
    }
}

fn step(u: &mut Unstructured<'_>, network: &Network, clients: &[Client], policy: &Value) -> Result<Step> {
    Ok(match u.int_in_range(0..=8)? {
        0..=4 => Step::Send(*u.choose(clients)?, manifest(u, network, policy)?),
        5..=7 => Step::Add,
        _ => Step::Delete(u.int_in_range(0..=7)?),
    })
}

fn manifest(u: &mut Unstructured<'_>, network: &Network, policy: &Value) -> Result<Value> {
    let mut entries = Map::new();
    for _ in 0..u.int_in_range(0..=4)? {
        entries.insert(key(u)?, entry(u)?);
    }
    let mut manifest =
        network.manifest(&json!({ "range": range(u, network, policy)?, "allocations": entries }));
    if u.arbitrary()? {
        manifest["metadata"]["labels"] = json!({ "team": "infra" });
    }
    Ok(manifest)
}

/// Unreadable text is left out where the policy lets it in: there are no addresses in it.
fn range(u: &mut Unstructured<'_>, network: &Network, policy: &Value) -> Result<&'static str> {
    let denied = if policy["enforcement"] == "warn" { network.respelled } else { network.unreadable };
    let of = match u.int_in_range(0..=20)? {
        0..=6 => return Ok(network.canonical),
        7..=9 => network.respelled,
        10..=15 => network.with_host_bits,
        16..=18 => network.other,
        _ => denied,
    };
    u.choose(of).copied()
}

/// Low enough to meet the keys of whereabouts, some of them not canonical.
fn key(u: &mut Unstructured<'_>) -> Result<String> {
    let number = u.int_in_range(0..=15)?;
    Ok(match u.int_in_range(0..=20)? {
        0 => (*u.choose(&["007", "+1", "01", "-0", "one", "10.9.8.226"])?).to_owned(),
        _ => number.to_string(),
    })
}

fn entry(u: &mut Unstructured<'_>) -> Result<Value> {
    let podref = u.choose(&["", "infra/gateway", "infra/dns"])?;
    let mut entry = json!({ "id": u.choose(&["reserved", "other"])?, "podref": podref });
    if u.arbitrary()? {
        entry["ifname"] = json!("eth0");
    }
    Ok(entry)
}
