//! Two pools out of bytes: one as stored, and one that somebody makes of it.

use arbitrary::{Arbitrary, Result, Unstructured};
use ippool_webhook::finding::{Denies, Severity};
use ippool_webhook::kinds;
use ippool_webhook::kinds::ippool::Range;
use serde_json::{Map, Value, json};

use testkit::review::{PERSON, ROBOT, WHEREABOUTS};

/// What a target is given.
#[derive(Debug)]
pub struct Pair {
    /// The pool as stored.
    pub old: Value,
    /// What somebody makes of it.
    pub new: Value,
    /// The stored pool with other metadata and some of its entries.
    pub reduced: Value,
    /// Who writes.
    pub user: &'static str,
    /// The policy file.
    pub policy: Value,
}

impl<'a> Arbitrary<'a> for Pair {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let user = *u.choose(&[PERSON, PERSON, ROBOT, WHEREABOUTS])?;
        let policy = policy(u)?;
        let old = pool(u)?;
        let reduced = reduced(u, &old)?;
        let new = changed(u, &old)?;
        Ok(Self { old, new, reduced, user, policy })
    }
}

/// Any severity of any rule, as far as the policy file takes it.
fn policy(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut severities = Map::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let rule = kinds::rules().nth(u.choose_index(kinds::rules().count())?).expect("a rule");
        let severity = *u.choose(&[Severity::Off, Severity::Warn, Severity::Deny])?;
        if severity != Severity::Deny || !matches!(rule.denies, Denies::Never(_)) {
            severities.insert(rule.id.to_owned(), json!(severity));
        }
    }
    let enforcement = *u.choose(&["deny", "deny", "warn"])?;
    Ok(json!({ "enforcement": enforcement, "normalize": !u.ratio(1, 4)?, "rules": severities }))
}

fn pool(u: &mut Unstructured<'_>) -> Result<Value> {
    let range = range(u)?;
    let name = name(u, &range)?;
    let mut object = json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": name, "namespace": "kube-system" },
        "spec": { "range": range, "allocations": allocations(u)? },
    });
    if u.ratio(1, 8)? {
        object["spec"] = leaf(u)?;
    } else if u.ratio(1, 4)? {
        object["spec"]["extra"] = json!({ "list": [1.5e300, null], "text": leaf(u)? });
    }
    Ok(object)
}

/// As whereabouts calls the pool, or anything.
fn name(u: &mut Unstructured<'_>, range: &Value) -> Result<String> {
    let network =
        range.as_str().and_then(|it| Range::parse(it.trim()).ok()).map(|it| it.network().to_string());
    Ok(match network {
        Some(network) if !u.ratio(1, 8)? => network.replace([':', '/'], "-"),
        _ => text(u)?,
    })
}

fn range(u: &mut Unstructured<'_>) -> Result<Value> {
    let text = match u.int_in_range(0..=9)? {
        0..=3 => format!("10.9.8.{}/{}", u.arbitrary::<u8>()?, u.int_in_range(20..=33)?),
        4 => format!("{}/{}", std::net::Ipv4Addr::from(u.arbitrary::<[u8; 4]>()?), u.int_in_range(0..=32)?),
        5 => format!("{}/{}", std::net::Ipv6Addr::from(u.arbitrary::<u128>()?), u.int_in_range(0..=128)?),
        6 => format!("fd00:9::{:x}/{}", u.arbitrary::<u16>()?, u.int_in_range(40..=128)?),
        7 => format!("::ffff:10.9.8.{}/{}", u.arbitrary::<u8>()?, u.int_in_range(90..=128)?),
        8 => text(u)?,
        _ => return leaf(u),
    };
    Ok(respelled(u, &text)?.into())
}

/// Mostly the same text, else another spelling of it.
fn respelled(u: &mut Unstructured<'_>, text: &str) -> Result<String> {
    Ok(match u.int_in_range(0..=11)? {
        0 => text.to_uppercase(),
        1 => text.replace('/', "/0"),
        2 => format!(" {text}\n"),
        3 => text.replace("::", ":0:0:"),
        _ => text.to_owned(),
    })
}

fn allocations(u: &mut Unstructured<'_>) -> Result<Value> {
    if u.ratio(1, 20)? {
        return leaf(u);
    }
    let mut entries = Map::new();
    let most = if u.ratio(1, 8)? { 60 } else { 6 };
    for _ in 0..u.int_in_range(0..=most)? {
        entries.insert(key(u)?, entry(u)?);
    }
    Ok(Value::Object(entries))
}

fn key(u: &mut Unstructured<'_>) -> Result<String> {
    let number = u.arbitrary::<u8>()? % 20;
    Ok(match u.int_in_range(0..=15)? {
        0 => format!("+{number}"),
        1 => format!("0{number}"),
        2 => format!("-{number}"),
        3 => u.arbitrary::<i64>()?.to_string(),
        4 => u.arbitrary::<u128>()?.to_string(),
        5 => format!("10.9.8.{number}"),
        6 => text(u)?,
        7 => u.arbitrary::<u8>()?.to_string(),
        _ => number.to_string(),
    })
}

fn entry(u: &mut Unstructured<'_>) -> Result<Value> {
    if u.ratio(1, 20)? {
        return leaf(u);
    }
    let id = if u.ratio(1, 2)? { "0123456789abcdef".repeat(4) } else { text(u)? };
    let podref = *u.choose(&["default/web-0", "default/web-1", "", "nonamespace", "a/b/c", "\u{1b}/x"])?;
    let mut entry = json!({ "id": id, "podref": podref, "ifname": "net1" });
    match u.int_in_range(0..=9)? {
        0 => entry["ifname"] = leaf(u)?,
        1 => entry["podref"] = leaf(u)?,
        2 => entry["ipamclaimref"] = leaf(u)?,
        3 => entry["extra"] = json!({ "x": leaf(u)? }),
        4 => drop(entry.as_object_mut().and_then(|it| it.remove("ifname"))),
        _ => {}
    }
    Ok(entry)
}

fn leaf(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=6)? {
        0 => Value::Null,
        1 => json!(u.arbitrary::<bool>()?),
        2 => json!(u.arbitrary::<i64>()?),
        3 => json!(u.arbitrary::<f64>()?),
        4 => json!([]),
        5 => json!({}),
        _ => text(u)?.into(),
    })
}

fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let length = u.int_in_range(0..=12)?;
    Ok(String::from_utf8_lossy(u.bytes(length.min(u.len()))?).into_owned())
}

fn entries_of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.pointer_mut("/spec/allocations")?.as_object_mut()
}

fn reduced(u: &mut Unstructured<'_>, old: &Value) -> Result<Value> {
    let (mut reduced, kept) = (old.clone(), u.arbitrary::<u64>()?);
    if let Some(entries) = entries_of(&mut reduced) {
        let all = std::mem::take(entries).into_iter().enumerate();
        *entries = all.filter(|(n, _)| kept >> (n % 64) & 1 == 1).map(|(_, entry)| entry).collect();
    }
    if u.ratio(1, 2)? {
        reduced["metadata"]["labels"] = json!({ "team": "infra" });
        reduced["metadata"]["finalizers"] = json!([]);
    }
    Ok(reduced)
}

/// A few changes, of which each is likely to mean something beside the others.
fn changed(u: &mut Unstructured<'_>, old: &Value) -> Result<Value> {
    let mut new = old.clone();
    for _ in 0..u.int_in_range(1..=3)? {
        change(u, &mut new)?;
    }
    new["metadata"]["name"] = old["metadata"]["name"].clone();
    Ok(new)
}

fn change(u: &mut Unstructured<'_>, new: &mut Value) -> Result<()> {
    if !new["spec"].is_object() {
        *new = pool(u)?;
        return Ok(());
    }
    match u.int_in_range(0..=8)? {
        0 => new["spec"]["range"] = range(u)?,
        1 => new["spec"]["range"] = canonical(new),
        2 | 3 => new["spec"]["range"] = host_bits(u, new)?,
        4 => new["spec"]["allocations"] = allocations(u)?,
        5 => new["spec"]["extra"] = leaf(u)?,
        6 => *new = pool(u)?,
        7 => shift(u, new)?,
        _ => {
            if let Some(entries) = entries_of(new) {
                entries.insert(key(u)?, entry(u)?);
            }
        }
    }
    Ok(())
}

fn canonical(object: &Value) -> Value {
    let range = &object["spec"]["range"];
    let read = range.as_str().and_then(|it| Range::parse(it.trim()).ok());
    read.map_or(range.clone(), |it| it.network().to_string().into())
}

/// The same prefix after another address of the network, or nearly.
fn host_bits(u: &mut Unstructured<'_>, object: &Value) -> Result<Value> {
    let range = &object["spec"]["range"];
    let Some(range) = range.as_str().and_then(|it| Range::parse(it.trim()).ok()) else {
        return Ok(range.clone());
    };
    let base = range.canonical().address_at(i64::from(u.arbitrary::<u8>()? % 20));
    let network = range.network();
    let prefix = network.prefix_len() + u8::from(u.ratio(1, 6)?);
    let text = base.map_or(network.to_string(), |base| format!("{base}/{prefix}"));
    Ok(respelled(u, &text)?.into())
}

/// Every key that is a number, moved.
fn shift(u: &mut Unstructured<'_>, object: &mut Value) -> Result<()> {
    let by = u.int_in_range(-20..=20)?;
    if let Some(entries) = entries_of(object) {
        let moved = std::mem::take(entries).into_iter().map(|(key, entry)| {
            let number = key.parse::<i64>().ok().and_then(|it| it.checked_add(by));
            (number.map_or(key, |it| it.to_string()), entry)
        });
        *entries = moved.collect();
    }
    Ok(())
}
