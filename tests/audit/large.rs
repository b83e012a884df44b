//! A generated cluster, of which larger ones are measured (`make audit-bench`).

use std::collections::BTreeSet;
use std::io;

use serde_json::{Value, json};
use testkit::cluster::{Cluster, write_json, write_yaml};

use crate::cli_support::program;

/// `rule kind namespace/name address` of each finding, and why something was not checked.
fn audit(dump: Vec<u8>) -> (BTreeSet<String>, Value) {
    let run = program(&["audit", "--from=-", "--format=json"]).stdin(dump).run();
    assert_eq!(run.stderr, "");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    (testkit::cluster::found(&report), report["notDone"].clone())
}

/// An audit of a dump in this format.
fn assert_found(pools: usize, write: impl Fn(&Cluster, &mut Vec<u8>) -> io::Result<()>) {
    let (cluster, mut dump) = (Cluster::new(pools), Vec::new());
    write(&cluster, &mut dump).unwrap();
    let expected = cluster.findings();
    for rule in ["IPP503", "IPP504", "IPP505", "IPP508"] {
        assert!(expected.iter().any(|it| it.starts_with(rule)), "{rule}");
    }
    assert_eq!(audit(dump), (expected, json!([])));
}

#[test]
fn a_large_dump_in_json_has_the_findings_that_were_put_into_it() {
    assert_found(50, |cluster, dump| write_json(cluster.objects(), dump));
}

#[test]
fn a_large_dump_in_yaml_has_the_findings_that_were_put_into_it() {
    assert_found(10, |cluster, dump| write_yaml(cluster.objects(), dump));
}
