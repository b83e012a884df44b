//! `make demo`.

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_tour_ends_as_it_says_and_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/demo");
    let mut tour = Command::new(script);
    tour.arg(env!("CARGO_BIN_EXE_ippool-webhook")).env("TMPDIR", scratch.path()).stdin(Stdio::null());
    let output = tour.output().unwrap();
    let (said, complaints) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&complaints));
    for rule in ["[IPP102]", "[IPP206]", "[IPP202]", "[IPP104]", "[IPP204, preexisting]", "[IPP301]"] {
        assert!(said.contains(rule), "{rule}: {said}");
    }
    assert!(!said.contains('\x1b'), "colours are for terminals");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}
