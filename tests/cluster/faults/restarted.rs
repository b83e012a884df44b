//! A rolling restart under constant writes.

use std::sync::Arc;

use super::deployment::deployment;
use super::form;
use super::load::under_load;
use crate::numbers::record;

/// During one restart and before the next.
const WRITES: usize = 50;

#[test]
fn no_write_fails_while_replicas_are_restarted_one_by_one() {
    let mut deployment = deployment();
    let plane = Arc::clone(&deployment.stage.plane);
    let (restarts, refused) = (form(4, 20), deployment.service.refused());
    let ((), outcome) = under_load(&plane, 10, |load| {
        for number in 0..restarts {
            deployment.restart(number % 2, load);
            load.more(WRITES);
        }
    });
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    assert!(outcome.written >= restarts * WRITES);
    assert_eq!(
        deployment.service.refused(),
        refused,
        "it takes connections for as long as the Service makes them"
    );
    record("rolling restart, replicas", restarts);
    record("rolling restart, writes", outcome.written);
    record("rolling restart, writes that failed", 0);
}
