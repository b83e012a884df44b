//! What is guaranteed of a stored pool and what somebody makes of it, under any policy.

use std::net::IpAddr;

use ippool_webhook::admission::{Endpoint, respond};
use ippool_webhook::finding::Severity;
use ippool_webhook::kinds;
use ippool_webhook::kinds::ippool::Range;
use ippool_webhook::kinds::ippool::read_offset;
use ippool_webhook::policy::Policy;
use serde_json::{Value, json};

use crate::address::{base, entries, network, range_of};
use crate::answers;
use crate::pair::Pair;
use testkit::review::{PERSON, ROBOT, UID, WHEREABOUTS, causes, patch, review};

/// Holds every request that can be made of the pair to the guarantees.
pub fn check(pair: &Pair) {
    let Ok(policy) = serde_json::from_value::<Policy>(pair.policy.clone()) else {
        panic!("no policy: {}", pair.policy);
    };
    what_brings_nothing_in_is_allowed(pair, &policy);
    trusted_update_is_allowed_and_not_patched(pair, &policy);
    for (operation, old) in [("CREATE", &Value::Null), ("UPDATE", &pair.old), ("DELETE", &pair.old)] {
        normalizing_moves_nothing(&policy, &review(operation, pair.user, &pair.new, old));
    }
    accepted_update_keeps_addresses(pair, &policy);
}

/// The response to `review`, which is a valid one for its caller.
fn ask(policy: &Policy, endpoint: Endpoint, review: &Value) -> Value {
    let answer = respond(endpoint, review.to_string().as_bytes(), policy).expect("a well-formed review");
    let response = answers::checked(endpoint, &answer.body);
    assert_eq!(response["uid"], UID);
    let user = review["request"]["userInfo"]["username"].as_str().expect("a name");
    if response["allowed"] == false {
        let code = if user.starts_with("system:serviceaccount:") { 403 } else { 422 };
        assert_eq!(response["status"]["code"], code);
    }
    response
}

/// Metadata only, a removal, or nothing at all.
fn what_brings_nothing_in_is_allowed(pair: &Pair, policy: &Policy) {
    for user in [PERSON, ROBOT, WHEREABOUTS] {
        for new in [&pair.reduced, &pair.old] {
            let request = review("UPDATE", user, new, &pair.old);
            let response = ask(policy, Endpoint::Validate, &request);
            assert_eq!(causes(&response), [""; 0], "{new} of {}", pair.old);
            assert_eq!(patch(&ask(policy, Endpoint::Mutate, &request)), None, "{new} of {}", pair.old);
        }
    }
}

fn trusted_update_is_allowed_and_not_patched(pair: &Pair, policy: &Policy) {
    let request = review("UPDATE", WHEREABOUTS, &pair.new, &pair.old);
    assert_eq!(causes(&ask(policy, Endpoint::Validate, &request)), [""; 0], "{request}");
    assert_eq!(patch(&ask(policy, Endpoint::Mutate, &request)), None, "{request}");
}

/// A patch leaves every entry at the address that was written, or at the one it is stored at; once is enough.
fn normalizing_moves_nothing(policy: &Policy, request: &Value) {
    let written = &request["request"]["object"];
    let Some(after) = mutated(policy, request) else { return };
    let mut restored = after.clone();
    restored["spec"]["range"] = written["spec"]["range"].clone();
    assert_eq!(restored.to_string(), written.to_string(), "only the range is another");
    let (before, now) = (base(range_of(written).trim()), base(range_of(&after)));
    let old = &request["request"]["oldObject"];
    let repeats = || now == base(range_of(old)) && after["spec"]["allocations"] == old["spec"]["allocations"];
    assert!(entries(written).count() == 0 || before == now || repeats(), "{request}");
    assert_eq!(before.map(on_network), now.map(on_network), "{request}");
    let mut again = request.clone();
    again["request"]["object"] = after;
    assert_eq!(mutated(policy, &again), None, "a second pass: {again}");
}

fn on_network(base: (u128, u32)) -> (u128, u32) {
    (network(base), base.1)
}

/// The object after the patch; `None` where there is none.
fn mutated(policy: &Policy, request: &Value) -> Option<Value> {
    let patch = patch(&ask(policy, Endpoint::Mutate, request))?;
    let mut object = request["request"]["object"].clone();
    json_patch::patch(&mut object, &patch).expect("the patch fits the object");
    Some(object)
}

/// In warn mode as well, unless IPP301 itself is told otherwise.
fn accepted_update_keeps_addresses(pair: &Pair, policy: &Policy) {
    let guards = kinds::find_rule("IPP301").is_some_and(|rule| policy.severity(rule) == Severity::Deny);
    let mut request = review("UPDATE", PERSON, &pair.new, &pair.old);
    if let Some(after) = mutated(policy, &request) {
        request["request"]["object"] = after;
    }
    let allowed = ask(policy, Endpoint::Validate, &request)["allowed"] == true;
    let (old, stored) = (&pair.old, &request["request"]["object"]);
    let readable = [old, stored].iter().all(|it| Range::parse(range_of(it)).is_ok());
    if !guards || !allowed || !readable || is_repaired(old, stored) {
        return;
    }
    for (key, entry) in entries(old).filter(|it| entries(stored).any(|other| other == *it)) {
        // What whereabouts finds no address for, a negative key for one, cannot lose it.
        let Some(before) = address_in(old, key) else { continue };
        let rewritten = |(key, it): (&String, &Value)| it == entry && address_in(stored, key) == Some(before);
        let kept = address_in(stored, key) == Some(before) || entries(stored).any(rewritten);
        assert!(kept, "{key}: no longer {before} in {}", json!([old, stored]));
    }
}

/// The address that whereabouts takes a key for.
fn address_in(object: &Value, key: &str) -> Option<IpAddr> {
    Range::parse(range_of(object)).ok()?.address_at(read_offset(key).ok()?)
}

/// IPP301's first repair: the range is taken back to the network that the name says.
fn is_repaired(old: &Value, new: &Value) -> bool {
    let name = old["metadata"]["name"].as_str().unwrap_or_default();
    let agrees = |object: &Value| {
        let network = Range::parse(range_of(object).trim()).map(|it| it.network());
        network.is_ok_and(|it| name.ends_with(&it.to_string().replace([':', '/'], "-")))
    };
    !agrees(old) && agrees(new)
}
