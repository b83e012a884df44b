//! A pool in a Helm release. For a custom resource Helm sends the difference between the manifests of two releases
//! as a JSON merge patch, and never looks at the pool.

use serde_json::{Map, Value, json};

use super::session::{CREATE, Session};
use super::{enforcing, manifest};

/// The JSON merge patch (RFC 7386) that makes `new` of `old`.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = after.iter().filter_map(|(key, new)| {
        let old = before.get(key).unwrap_or(&Value::Null);
        Some((key.clone(), difference(old, new)?))
    });
    let patch: Map<_, _> = gone.chain(changed).collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// What Helm sends for the pool when a release follows another.
pub fn upgrade(before: &str, after: &str) -> Value {
    let [before, after]: [Value; 2] = [before, after].map(|it| serde_saphyr::from_str(it).unwrap());
    difference(&before, &after).unwrap_or_else(|| json!({}))
}

#[test]
fn a_release_with_host_bits_is_denied_and_the_corrected_one_stays() {
    const NAME: &str = "192.168.5.224-28";
    let reserving = |entries: &[(&str, &str)]| manifest(NAME, "192.168.5.224/28", entries);
    let mut session = Session::new(enforcing(), "01-helm", "192.168.5.224/28");
    session.write("192.168.5.225/28", &[("1", "router")]);
    session.refused(CREATE);
    session.shows();
    session.write("192.168.5.224/28", &[("2", "router")]);
    session.accepted(CREATE);
    session.attach("web-0");
    session.attach("web-1");
    session.note("# a release that adds a reservation\n");
    let (one, two) = (reserving(&[("2", "router")]), reserving(&[("2", "router"), ("9", "printer")]));
    session.patches("merge", &upgrade(&one, &two));
    session.note("# a release with host bits and another reservation\n");
    let wrong = manifest(NAME, "192.168.5.225/28", &[("1", "router"), ("8", "printer"), ("9", "scanner")]);
    session.is_denied("merge", &upgrade(&two, &wrong));
    session.note("# a release without the first reservation\n");
    session.patches("merge", &upgrade(&two, &reserving(&[("9", "printer")])));
    session.attach("web-2");
    session.shows();
    session.ends();
}

#[test]
fn a_release_never_sends_a_range_that_it_repeats() {
    const NAME: &str = "192.168.7.224-28";
    let written = |entries: &[(&str, &str)]| manifest(NAME, "192.168.7.225/28", entries);
    let mut session = Session::new(enforcing(), "01-helm-repeated-range", "192.168.7.224/28");
    session.write("192.168.7.225/28", &[]);
    session.accepted(CREATE);
    session.attach("web-0");
    session.note("# a release that adds an entry, counted from host bits that Helm does not send again\n");
    session.would_patch(&upgrade(&written(&[]), &written(&[("1", "router")])));
    session.note("# a release that corrects the range first, then one that adds the entry\n");
    let corrected = |entries: &[(&str, &str)]| manifest(NAME, "192.168.7.224/28", entries);
    session.patches("merge", &upgrade(&written(&[]), &corrected(&[])));
    session.patches("merge", &upgrade(&corrected(&[]), &corrected(&[("2", "router")])));
    session.attach("web-1");
    session.shows();
    session.ends();
}
