//! What is said of a dump that is broken or incomplete, and what is audited all the same.

use std::fs;

use serde_json::{Value, json};

use crate::cli_support::program;
use crate::dumps::{LEAK, audit_folder, list, objects, of, yaml};
use crate::objects::{NONE, attachment, audit_text, entry, pool, pool_of, reservation, with};

#[test]
fn files_of_other_sorts_do_not_make_an_inspection_unusable() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &[u8]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("dump.json", list("List", &objects()).to_string().as_bytes());
    write("etcd/error.yaml", b"error: unable to connect: x: y\n");
    write("etcd/status.json", br#"{"status":"success","data":"#);
    write("logs/binary.yaml", b"\x7fELF\xff\xfe\0\0\n");
    let audit = audit_folder(folder.path());
    assert_eq!((audit.found(), audit.code), (vec![LEAK.to_owned()], Some(0)));
    let note = "note: the dump: files without an object that an audit reads are skipped: etcd/error.yaml:1: cannot be parsed: ";
    assert!(audit.stderr.starts_with(note), "{}", audit.stderr);
    assert!(audit.stderr.contains("logs/binary.yaml:1: is not UTF-8 text"), "{}", audit.stderr);
    // In such a file the missing pod may be.
    for (path, text) in [
        ("other.yaml", "kind: PodList\nx: y: z\n".as_bytes()),
        ("namespaces/default/core/pods.yaml", b"x: y: z\n"),
        ("utf-16.json", b"\xff\xfe{\0"),
    ] {
        write(path, text);
        let audit = audit_folder(folder.path());
        assert_eq!((audit.found(), audit.code), (Vec::new(), Some(2)), "{path}");
        assert!(audit.stderr.contains(&format!("error: {path}:")), "{path}: {}", audit.stderr);
        fs::remove_file(folder.path().join(path)).unwrap();
    }
}

#[test]
fn an_archive_has_to_be_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("must-gather.tar.gz"), b"\x1f\x8b\x08\0\0").unwrap();
    let run = program(&["audit", "--from=must-gather.tar.gz"]).in_dir(folder.path()).run();
    let said = "error: must-gather.tar.gz: is compressed with gzip; unpack it\n";
    assert!(run.stderr.starts_with(said), "{}", run.stderr);
    assert_eq!(run.code, Some(2));
}

#[test]
fn of_the_errors_of_a_file_the_first_are_said() {
    let audit = audit_text(&format!("{}{}", list("List", &objects()), "\n---\n{\"a\":}".repeat(100)), &[]);
    let lines: Vec<_> = audit.stderr.lines().collect();
    assert_eq!(lines.len(), 21, "{}", audit.stderr);
    assert_eq!(lines[20], "error: <stdin>:43: has more errors, from here on");
}

#[test]
fn a_json_dump_that_is_cut_is_named_and_the_rest_is_audited() {
    let mut objects = objects();
    objects.insert(1, pool("10.0.8.0-24", "10.0.8.0/24", &[("one", entry("default/web-0"))]));
    let text = format!("{:#}", list("List", &objects));
    let cut = text.find("network-status").unwrap();
    let lines = text[..cut].matches('\n').count() + 1;
    let audit = audit_text(&text[..cut], &[]);
    assert_eq!(
        audit.found(),
        ["IPP202 kube-system/10.0.8.0-24 spec.allocations[one]"],
        "no pod is taken for gone"
    );
    let said = format!(
        "<stdin>:{lines}: ends in the middle of an object: the dump is cut, and everything after this line is missing"
    );
    assert_eq!(audit.stderr, format!("error: {said}\n"));
    assert_eq!(audit.not_done("IPP504"), [said]);
    assert_eq!(audit.code, Some(2));
}

#[test]
fn a_yaml_dump_that_is_cut_is_named_and_the_rest_is_audited() {
    let text = "\
apiVersion: v1
items:
- apiVersion: whereabouts.cni.cncf.io/v1alpha1
  kind: IPPool
  metadata: {name: 10.0.9.0-24, namespace: kube-system}
  spec:
    range: 10.0.9.0/24
    allocations:
      one: {id: a, podref: default/web-0}
- apiVersion: whereabouts.cni.cncf.io/v1alpha1
  kind: IPPool
  metadata: {name: 10.0.8.0-24, namespace: kube-system}
  spec:
    range: 10.0.8.0/24
    allocations:
";
    let audit = audit_text(text, &[]);
    assert_eq!(
        audit.found(),
        ["IPP202 kube-system/10.0.9.0-24 spec.allocations[one]"],
        "the last item is left out"
    );
    assert!(audit.stderr.starts_with("error: <stdin>:15: ends in the middle of a list"), "{}", audit.stderr);
    assert_eq!(audit.code, Some(2));
    // A complete list of the same shape: its kind comes first.
    let audit = audit_text(&format!("kind: List\n{text}      \"0\": {{}}\n"), &[]);
    assert_eq!(audit.stderr, "");
}

#[test]
fn a_document_that_is_cut_before_its_name_is_named() {
    let [pool, pod] = objects().try_into().unwrap();
    let text = format!("{}---\napiVersion: v1\nkind: Pod\nmetadata:\n", yaml(&pool));
    let line = text.lines().count() - 2;
    let audit = audit_text(&text, &[]);
    let said =
        format!("error: <stdin>:{line}: the Pod here has no metadata.name: the dump is cut, or was edited\n");
    assert_eq!((audit.stderr, audit.code), (said, Some(2)));
    let without_name = with(pod, "/metadata/name", Value::Null);
    let audit = audit_text(&list("List", &[pool, without_name]).to_string(), &[]);
    let said = "error: <stdin>:1: the Pod here has no metadata.name";
    assert!(audit.stderr.starts_with(said), "{}", audit.stderr);
    assert_eq!((audit.found(), audit.code), (Vec::new(), Some(2)), "the pod may be the owner");
}

#[test]
fn lists_in_too_many_lists_are_left_out_and_named() {
    let in_lists = |count| (0..count).fold(objects()[0].clone(), |inner, _| list("List", &[inner]));
    let audit = audit_text(&in_lists(9).to_string(), &[]);
    assert_eq!((audit.report["pools"].as_array().unwrap().len(), audit.code), (1, Some(0)));
    let audit = audit_text(&in_lists(10).to_string(), &[]);
    let said = "error: <stdin>:1: has more than 8 lists within each other; the inner ones are left out\n";
    assert!(audit.stderr.starts_with(said), "{}", audit.stderr);
    assert_eq!(audit.code, Some(2));
}

#[test]
fn a_document_that_cannot_be_parsed_does_not_hide_the_others() {
    let [pool, pod] = objects().try_into().unwrap();
    let text = format!("{}---\n{}---\nkind: Pod\n  - broken: [\n", yaml(&pool), yaml(&pod));
    let audit = audit_text(&text, &[]);
    assert_eq!(audit.report["pools"].as_array().unwrap().len(), 1);
    assert_eq!(audit.found(), NONE, "what is missing may be the pod");
    assert!(audit.stderr.contains("cannot be parsed"), "{}", audit.stderr);
    assert_eq!(audit.code, Some(2));
}

#[test]
fn an_object_that_cannot_be_read_is_a_finding() {
    let text = |pool: &str| format!(r#"{{"apiVersion":"v1","kind":"List","items":[{pool}]}}"#);
    let broken = r#"{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","kind":"IPPool","metadata":{"name":"10.0.9.0-24","namespace":"kube-system"},"spec":{"range":"\ud800"}}"#;
    let audit_of_pool = audit_text(&text(broken), &[]);
    assert_eq!(audit_of_pool.found(), ["IPP101 kube-system/10.0.9.0-24 spec"]);
    assert!(audit_of_pool.messages("IPP101")[0].contains("the object cannot be read: "));
    assert_eq!(audit_of_pool.code, Some(1));
    let reservation = broken.replace("IPPool", "OverlappingRangeIPReservation").replace("range", "podref");
    assert_eq!(
        audit_text(&text(&[reservation.as_str(); 2].join(",")), &[]).found(),
        ["IPP503 OverlappingRangeIPReservation kube-system/10.0.9.0-24 metadata.name"]
    );
}

#[test]
fn what_an_object_that_cannot_be_read_might_say_is_not_guessed() {
    let broken = |object: Value| object.to_string().replace("BROKEN", r"\ud800");
    let nad = with(attachment("broken", json!({})), "/spec/config", json!("BROKEN"));
    let reserved = reservation("10.0.9.2", "BROKEN");
    let objects = [
        pool_of(&[("1", entry("default/web-0")), ("2", entry("default/web-1"))]),
        pool("10.0.8.0-24", "10.0.8.0/24", &[]),
        attachment("macvlan", json!({ "range": "10.0.9.0/24" })),
        reservation("10.0.9.1", "default/web-0"),
        nad,
        reserved,
    ];
    let audit = audit_text(&broken(list("List", &objects)), &[]);
    assert_eq!(
        audit.found(),
        [
            "IPP506 NetworkAttachmentDefinition default/broken metadata.name",
            "IPP503 OverlappingRangeIPReservation kube-system/10.0.9.2 metadata.name",
        ]
    );
    let nad = "the NetworkAttachmentDefinition default/broken cannot be read";
    assert_eq!(audit.not_done("IPP508"), [nad]);
    let reservation = "the OverlappingRangeIPReservation kube-system/10.0.9.2 cannot be read";
    assert_eq!(audit.not_done("IPP503"), [reservation]);
}

#[test]
fn a_file_that_is_missing_is_an_error_and_the_others_are_audited() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dump.json"), list("List", &objects()).to_string()).unwrap();
    let run = program(&["audit", "--format=json", "--from", "missing.json", "--from=dump.json"]);
    let audit = of(run.in_dir(folder.path()).run());
    assert_eq!(audit.report["pools"].as_array().unwrap().len(), 1);
    assert!(audit.stderr.starts_with("error: missing.json: cannot be read: "), "{}", audit.stderr);
    assert_eq!(audit.code, Some(2));
}

#[test]
fn a_dump_without_any_object_is_an_error() {
    for text in ["", "kind: ConfigMap\napiVersion: v1\n", "{\"a\": 1}"] {
        let audit = audit_text(text, &[]);
        assert_eq!(
            audit.stderr,
            "error: the dump has no object that an audit reads: no IPPool, no Pod, no list\n"
        );
        assert_eq!(audit.code, Some(2), "{text}");
    }
    let empty = audit_text("apiVersion: v1\nitems: []\nkind: List\n", &[]);
    assert_eq!((empty.report["pools"].clone(), empty.code), (json!([]), Some(0)));
}
