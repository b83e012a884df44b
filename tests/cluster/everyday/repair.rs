//! Pools from before the webhook: entries that stay where they are, and repairs in one request.

use serde_json::{Value, json};

use super::session::{APPLIES, APPLY, Session};
use super::{Before, enforcing};

/// Their names, ranges and keys.
pub const BEFORE: [Before<'static>; 6] = [
    ("10.53.0.0-24", "10.53.0.7/24", &["1", "8", "9"]),
    ("10.59.0.0-24", "10.60.0.0/24", &["1", "2"]),
    ("10.59.1.0-24", "10.60.1.0/24", &["1", "2"]),
    ("10.53.1.0-24", "10.53.1.7/24", &["1", "8", "9"]),
    ("10.53.2.0-24", "10.53.2.7/24", &["1", "8", "9"]),
    ("fd00-5---64", "FD00:5::/64", &["1", "2"]),
];

/// A JSON patch.
fn steps(steps: &[(&str, &str, Value)]) -> Value {
    let step = |(op, path, value): &(&str, &str, Value)| match *op {
        "remove" => json!({ "op": op, "path": path }),
        "move" => json!({ "op": op, "from": value, "path": path }),
        _ => json!({ "op": op, "path": path, "value": value }),
    };
    steps.iter().map(step).collect()
}

/// A move of an entry from one key to another.
fn moved(from: &str, to: &str) -> (&'static str, String, Value) {
    ("move", format!("/spec/allocations/{to}"), json!(format!("/spec/allocations/{from}")))
}

/// Another range, and entries that move from one key to another, in this order.
pub fn repaired(range: &str, keys: &[(&str, &str)]) -> Value {
    let moves: Vec<_> = keys.iter().map(|(from, to)| moved(from, to)).collect();
    let moves = moves.iter().map(|(op, path, from)| (*op, path.as_str(), from.clone()));
    let range = ("replace", "/spec/range", json!(range));
    steps(&std::iter::once(range).chain(moves).collect::<Vec<_>>())
}

fn released(key: &str) -> Value {
    steps(&[("remove", &format!("/spec/allocations/{key}"), Value::Null)])
}

#[test]
fn entries_of_a_pool_with_host_bits_stay_under_their_keys() {
    // From here on the plugin counts right, also in such a pool.
    let ipam = json!({ "range": "10.53.0.0/24", "range_start": "10.53.0.20" });
    let mut session = Session::on(enforcing(), "03-entries-removed", ipam);
    session.shows();
    [("old-1", "10.53.0.8"), ("old-8", "10.53.0.15")].iter().for_each(|(pod, at)| session.holds(pod, at));
    session.patches("json", &released("9"));
    session.attach("web-0");
    session.lets_go(&["old-8"]);
    session.patches("json", &released("8"));
    session.attach("web-1");
    session.write("10.53.0.7/24", &[]);
    APPLIES.iter().for_each(|verb| session.changes_nothing(verb));
    session.shows();
    session.ends();
}

#[test]
fn a_moved_pool_goes_back_to_the_range_of_its_name() {
    let mut session = Session::new(enforcing(), "08-keys-stay", "10.59.0.0/24");
    session.shows();
    session.patches("merge", &json!({ "spec": { "range": "10.59.0.0/24" } }));
    session.holds("old-1", "10.59.0.1");
    session.attach("web-0");
    session.shows();
    session.ends();
    let mut session = Session::new(enforcing(), "08-keys-rewritten", "10.59.1.0/24");
    session.shows();
    session.is_denied("json", &repaired("10.59.2.0/24", &[]));
    session.patches("json", &repaired("10.59.1.0/24", &[("1", "5"), ("2", "6")]));
    session.holds("old-1", "10.59.1.5");
    session.attach("web-0");
    session.shows();
    session.ends();
}

#[test]
fn host_bits_are_repaired_in_one_request_with_every_key() {
    let mut session = Session::new(enforcing(), "09-one-patch", "10.53.1.0/24");
    session.shows();
    let held = [("old-1", "10.53.1.8"), ("old-8", "10.53.1.15"), ("old-9", "10.53.1.16")];
    held.iter().for_each(|(pod, at)| session.holds(pod, at));
    session.is_denied("merge", &json!({ "spec": { "range": "10.53.1.0/24" } }));
    session.is_denied("json", &repaired("10.53.1.0/24", &[("9", "16")]));
    session.patches("json", &repaired("10.53.1.0/24", &[("9", "16"), ("8", "15"), ("1", "8")]));
    session.attach("web-0");
    session.write("10.53.1.0/24", &[]);
    APPLIES.iter().for_each(|verb| session.changes_nothing(verb));
    session.shows();
    session.ends();
}

#[test]
fn a_stored_range_is_respelled_as_its_page_says() {
    let mut session = Session::new(enforcing(), "10-respelled", "fd00:5::/64");
    session.shows();
    [("old-1", "fd00:5::1"), ("old-2", "fd00:5::2")].iter().for_each(|(pod, at)| session.holds(pod, at));
    session.attach("web-0");
    session.patches("merge", &json!({ "spec": { "range": "fd00:5::/64" } }));
    session.attach("web-1");
    session.write("FD00:5::/64", &[]);
    APPLIES.iter().for_each(|verb| session.changes_nothing(verb));
    session.write("fd00:5::/64", &[]);
    session.changes_nothing(APPLY);
    session.shows();
    session.ends();
}
