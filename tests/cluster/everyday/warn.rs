//! `--enforcement warn`, in which people begin.

use serde_json::json;

use super::Cluster;
use super::repair::repaired;
use super::session::{APPLIES, APPLY, DIFF, FORCED, SERVER_SIDE, Session};

/// A pool whose manifest was accepted with host bits beside an entry, and is repaired.
fn stored_as_written(cluster: &Cluster, name: &'static str, network: u8, verb: &[&str]) {
    let (range, written) = (format!("192.168.{network}.224/28"), format!("192.168.{network}.225/28"));
    let mut session = Session::new(cluster, name, &range);
    session.write(&written, &[("1", "router")]);
    session.accepted(verb);
    session.shows();
    session.attach("web-0");
    session.attach("web-1");
    session.changes_nothing(verb);
    session.changes_nothing(DIFF);
    session.write(&range, &[("2", "router")]);
    APPLIES.iter().for_each(|verb| session.refused(verb));
    session.note("# the repair in one request, with every key\n");
    session.patches("json", &repaired(&range, &[("2", "3"), ("1", "2"), ("0", "1")]));
    session.note("# the key that was applied now belongs to a pod, which the next apply would remove\n");
    session.would_store(verb);
    if verb == APPLY {
        session.sets_last_applied();
    } else {
        session.clears_owners();
    }
    [verb, verb, DIFF].iter().for_each(|verb| session.changes_nothing(verb));
    session.shows();
    session.ends();
}

/// A pool that is right, and a manifest with host bits that comes after.
fn stays_where_it_is(cluster: &Cluster, name: &'static str, network: u8, verb: &[&str]) {
    let (range, written) = (format!("192.168.{network}.224/28"), format!("192.168.{network}.225/28"));
    let mut session = Session::new(cluster, name, &range);
    session.write(&range, &[("2", "router")]);
    session.accepted(verb);
    session.attach("web-0");
    session.attach("web-1");
    session.write(&written, &[("1", "router")]);
    APPLIES.iter().for_each(|verb| session.refused(verb));
    session.is_denied("merge", &json!({ "spec": { "range": written, "allocations": { "1": null } } }));
    session.write(&range, &[("2", "router")]);
    APPLIES.iter().for_each(|verb| session.changes_nothing(verb));
    session.shows();
    session.ends();
}

#[test]
fn in_warn_mode_only_an_update_that_moves_entries_is_denied() {
    let cluster = Cluster::start("everyday-warn", &["--enforcement", "warn"], &[]);
    stored_as_written(&cluster, "02-created-client-side", 2, APPLY);
    stored_as_written(&cluster, "02-created-server-side", 3, SERVER_SIDE);
    stored_as_written(&cluster, "02-created-forced", 7, FORCED);
    stays_where_it_is(&cluster, "02-updated-client-side", 4, APPLY);
    stays_where_it_is(&cluster, "02-updated-forced", 5, FORCED);
    let mut session = Session::new(&cluster, "02-without-entries", "192.168.6.224/28");
    session.write("192.168.6.225/28", &[]);
    session.accepted(APPLY);
    session.attach("web-0");
    APPLIES.iter().chain([&DIFF]).for_each(|verb| session.changes_nothing(verb));
    session.shows();
    session.ends();
}
