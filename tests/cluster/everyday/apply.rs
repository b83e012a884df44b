//! A manifest that is applied again and again, in each of the ways to apply it.

use super::enforcing;
use super::session::{APPLIES, APPLY, CREATE, DIFF, FORCED, SERVER_SIDE, Session};

/// Host bits beside an entry are refused; the corrected manifest is applied for as long as the pool is there.
fn corrected_once(name: &'static str, network: u8, verb: &[&str]) {
    let (range, written) = (format!("192.168.{network}.224/28"), format!("192.168.{network}.225/28"));
    let mut session = Session::new(enforcing(), name, &range);
    session.write(&written, &[("1", "router")]);
    session.refused(verb);
    session.shows();
    session.write(&range, &[("2", "router")]);
    session.accepted(verb);
    session.attach("web-0");
    session.changes_nothing(verb);
    session.attach("web-1");
    for verb in APPLIES.iter().chain([&DIFF]) {
        session.changes_nothing(verb);
    }
    session.write(&written, &[("1", "router")]);
    APPLIES.iter().for_each(|verb| session.refused(verb));
    session.write(&range, &[("2", "router")]);
    session.changes_nothing(verb);
    session.shows();
    session.ends();
}

#[test]
fn host_bits_beside_an_entry_are_denied_until_they_are_corrected() {
    corrected_once("01-client-side", 2, APPLY);
    corrected_once("01-server-side", 3, SERVER_SIDE);
    corrected_once("01-forced", 4, FORCED);
}

/// Host bits without an entry are normalized at every apply, beside the pods that come and go.
fn beside_pods(name: &'static str, network: u8, verb: &[&str]) {
    let (range, written) = (format!("192.168.{network}.224/28"), format!("192.168.{network}.225/28"));
    let mut session = Session::new(enforcing(), name, &range);
    session.write(&written, &[]);
    session.accepted(verb);
    session.attach("web-0");
    for pod in ["web-1", "web-2"] {
        session.attach(pod);
        session.changes_nothing(verb);
    }
    session.detach("web-1");
    if verb == APPLY {
        session.changes_nothing(DIFF);
        session
            .note("# to server-side apply, client-side apply is another owner, until it is overruled once\n");
        session.refused(SERVER_SIDE);
    } else {
        session.changes_nothing(&["diff", "--server-side", "--force-conflicts"]);
    }
    for verb in APPLIES.iter().chain([&verb, &DIFF]) {
        session.changes_nothing(verb);
    }
    session.attach("web-3");
    session.shows();
    session.ends();
}

#[test]
fn host_bits_without_entries_end_in_the_same_pool_at_every_apply() {
    beside_pods("04-client-side", 10, APPLY);
    beside_pods("04-server-side", 11, SERVER_SIDE);
    beside_pods("04-forced", 12, FORCED);
}

/// Applies in turn in every way, while pods come and go.
fn between_pods(name: &'static str, range: &str, written: &str, entries: &[(&str, &str)]) {
    let mut session = Session::new(enforcing(), name, range);
    session.write(written, entries);
    session.accepted(FORCED);
    for round in 0..24 {
        // Of three pods one leaves when another has come, so that keys are freed and taken again.
        session.attach(&format!("web-{round}"));
        if round % 3 != 0 {
            session.detach(&format!("web-{}", round - 1));
        }
        session.changes_nothing(APPLIES[round % APPLIES.len()]);
        session.changes_nothing(FORCED);
    }
    session.counts();
}

#[test]
fn a_manifest_applied_between_pods_that_come_and_go_moves_no_entry() {
    between_pods("04-between-pods", "10.54.0.0/24", "10.54.0.77/24", &[]);
    between_pods("01-between-pods", "fd00:54::/64", "FD00:54:0::/064", &[("2", "router"), ("5", "printer")]);
}

#[test]
fn a_padded_key_is_denied_the_first_time_it_is_applied() {
    let mut session = Session::new(enforcing(), "05-padded-key", "10.55.0.0/24");
    session.write("10.55.0.0/24", &[("007", "router")]);
    [CREATE, APPLY, SERVER_SIDE].iter().for_each(|verb| session.refused(verb));
    session.shows();
    session.write("10.55.0.0/24", &[("7", "router")]);
    session.accepted(APPLY);
    session.attach("web-0");
    APPLIES.iter().for_each(|verb| session.changes_nothing(verb));
    session.write("10.55.0.0/24", &[("007", "router")]);
    APPLIES.iter().for_each(|verb| session.refused(verb));
    session.shows();
    session.ends();
}

#[test]
fn an_empty_pool_with_host_bits_past_2_63_is_normalized() {
    let mut session = Session::new(enforcing(), "15-wide-host-bits", "fd80::/10");
    session.write("fd80:e200:7600::97ad/10", &[]);
    session.accepted(APPLY);
    APPLIES.iter().for_each(|verb| session.changes_nothing(verb));
    session.attach("web-0");
    APPLIES.iter().for_each(|verb| session.changes_nothing(verb));
    session.shows();
    session.ends();
}
