//! The webhook is down: what a person sees.

use serde_json::json;

use super::Cluster;
use super::session::{APPLIES, APPLY, CREATE, DIFF, Session};

#[test]
fn while_it_is_down_metadata_and_deletions_go_through_for_kubectl() {
    let mut cluster = Cluster::start("everyday-down", &[], &[]);
    let mut session = Session::new(&cluster, "12-before", "10.62.0.0/24");
    session.write("10.62.0.1/24", &[]);
    session.accepted(APPLY);
    session.attach("web-0");
    session.ends();
    cluster.webhook = None;
    let mut session = Session::new(&cluster, "12-down", "10.62.0.0/24");
    session.holds("web-0", "10.62.0.1");
    session.attach("web-1");
    session.note("# the manifest with host bits cannot be normalized, and waits\n");
    session.write("10.62.0.1/24", &[]);
    APPLIES.iter().chain([&DIFF]).for_each(|verb| session.refused(verb));
    session.note("# the corrected one changes nothing but its annotation\n");
    session.write("10.62.0.0/24", &[]);
    APPLIES.iter().for_each(|verb| session.changes_nothing(verb));
    session.is_denied("json", &json!([{ "op": "remove", "path": "/spec/allocations/1" }]));
    session.runs(&["label", "ippool", "10.62.0.0-24", "team=net"]);
    session.patches("merge", &json!({ "metadata": { "finalizers": ["example.com/held"] } }));
    session.runs(&["delete", "ippool", "10.62.0.0-24", "--wait=false"]);
    session.attach("web-2");
    session.lets_go(&["web-0", "web-1", "web-2"]);
    session.patches("merge", &json!({ "metadata": { "finalizers": null } }));
    session.shows();
    session.refused(CREATE);
    session.ends();
}
