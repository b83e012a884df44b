//! The range and the name of a pool.

use serde_json::json;

use super::enforcing;
use super::session::{APPLIES, APPLY, CREATE, REPLACE, SERVER_SIDE, Session};

#[test]
fn a_name_that_whereabouts_never_looks_up_is_denied() {
    let mut session = Session::new(enforcing(), "06-name", "192.168.6.224/28");
    session.write_named("192.168.6.225-28", "192.168.6.225/28", &[("0", "gateway")]);
    [CREATE, APPLY, SERVER_SIDE].iter().for_each(|verb| session.refused(verb));
    session.write_named("192.168.6.225-28", "192.168.6.224/28", &[("1", "gateway")]);
    session.refused(APPLY);
    session.write_named("2001-db8-0-0---64", "2001:db8::/64", &[("1", "gateway")]);
    session.refused(APPLY);
    session.write("192.168.6.224/28", &[("1", "gateway")]);
    session.accepted(APPLY);
    session.attach("web-0");
    session.shows();
    session.ends();
}

#[test]
fn an_empty_pool_stays_the_pool_of_its_network() {
    let mut session = Session::new(enforcing(), "07-empty-pool", "10.57.0.0/24");
    session.write("10.57.0.0/24", &[]);
    session.accepted(APPLY);
    for range in ["10.58.0.0/24", "10.57.0.0/16", "10.57.0.0/25", "fd00:57::/64"] {
        session.is_denied("merge", &json!({ "spec": { "range": range } }));
    }
    session.is_denied("json", &json!([{ "op": "replace", "path": "/spec/range", "value": "10.58.0.0/24" }]));
    session.write("10.58.0.0/24", &[]);
    APPLIES.iter().chain([&REPLACE]).for_each(|verb| session.refused(verb));
    ["web-0", "web-1", "web-2"].iter().for_each(|pod| session.attach(pod));
    session.shows();
    session.ends();
}

#[test]
fn a_network_is_widened_in_its_network_attachment_definition() {
    let mut session = Session::new(enforcing(), "11-widened", "192.168.42.0/28");
    session.write("192.168.42.0/28", &[]);
    session.accepted(APPLY);
    session.attach("web-0");
    session.is_denied("merge", &json!({ "spec": { "range": "192.168.42.0/24" } }));
    session.write("192.168.42.0/24", &[]);
    APPLIES.iter().chain([&REPLACE]).for_each(|verb| session.refused(verb));
    session.shows();
    session.ends();
}
