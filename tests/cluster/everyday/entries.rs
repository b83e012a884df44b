//! Entries that are dropped, change hands, or come under a key that is there.

use serde_json::{Value, json};

use super::session::{APPLY, REPLACE, Session};
use super::{Cluster, enforcing};

#[test]
fn a_replace_over_five_pods_with_an_empty_pool_is_warned_of() {
    let pods = ["web-0", "web-1", "web-2", "web-3", "web-4"];
    let mut session = Session::new(enforcing(), "14-replaced", "10.64.0.0/24");
    session.write("10.64.0.0/24", &[]);
    session.accepted(APPLY);
    pods.iter().for_each(|pod| session.attach(pod));
    session.changes_nothing(APPLY);
    session.lets_go(&pods);
    session.accepted(REPLACE);
    session.shows();
    session.ends();
}

/// A control plane whose pools have a field that some forks add.
fn with_claims() -> Cluster {
    let cluster = Cluster::start("everyday-claims", &[], &[]);
    let entry =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/allocations/additionalProperties";
    let path = format!("{entry}/properties/ipamclaimref");
    let patch = json!([{ "op": "add", "path": path, "value": { "type": "string" } }]).to_string();
    let crd = "ippools.whereabouts.cni.cncf.io";
    cluster.plane.kubectl(&["patch", "crd", crd, "--type=json", "-p", &patch]).ok();
    cluster
}

#[test]
fn an_owner_that_changes_under_its_claim_is_not_warned_of() {
    let (cluster, wanted) = (with_claims(), json!("default/vm-0.net1"));
    let mut session = Session::new(&cluster, "16-claim", "10.66.0.0/24");
    session.write("10.66.0.0/24", &[]);
    session.accepted(APPLY);
    session.attach("virt-launcher-a");
    let entry = |pod: &str, claim: &str| json!({ "spec": { "allocations": { "1": { "podref": format!("default/{pod}"), "ipamclaimref": claim } } } });
    // The new schema comes into force a little later; until then the field is dropped.
    super::super::process::awaited("the claim to be stored", || {
        let patch = entry("virt-launcher-a", "default/vm-0.net1").to_string();
        cluster.plane.kubectl(&["patch", "ippool", "10.66.0.0-24", "--type=merge", "-p", &patch]).ok();
        let claim = session.stored()?.1.pointer("/allocations/1/ipamclaimref").cloned()?;
        (claim == wanted).then_some(())
    });
    session.shows();
    session.lets_go(&["virt-launcher-a"]);
    session.patches("merge", &entry("virt-launcher-b", "default/vm-0.net1"));
    session.holds("virt-launcher-b", "10.66.0.1");
    session.lets_go(&["virt-launcher-b"]);
    session.patches("merge", &entry("virt-launcher-c", "default/vm-1.net1"));
    session.ends();
}

#[test]
fn a_second_spelling_of_a_stored_key_is_the_one_that_is_named() {
    let added = |key: &str| -> Value {
        json!({ "spec": { "allocations": { key: { "id": "reserved", "podref": "infra/router" } } } })
    };
    let mut session = Session::new(enforcing(), "17-second-spelling", "10.67.0.0/24");
    session.write("10.67.0.0/24", &[]);
    session.accepted(APPLY);
    session.attach("web-0");
    ["01", "+1"].iter().for_each(|key| session.is_denied("merge", &added(key)));
    session.write("10.67.0.0/24", &[("01", "router")]);
    super::session::APPLIES.iter().for_each(|verb| session.refused(verb));
    session.shows();
    session.ends();
}
