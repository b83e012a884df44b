//! Which dumps are read, and what they show.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::process::Process;

use crate::cli_support::{Run, program};
use crate::objects::{
    Audit, NONE, attachment, audit, audit_text, entry, in_namespace, pod, pool, pool_of, reservation, with,
};

/// A pool with a leaked address, and a pod beside it.
pub fn objects() -> Vec<Value> {
    let pool = pool_of(&[("1", entry("default/web-0")), ("2", entry("default/gone"))]);
    vec![pool, pod("default/web-0", &["10.0.9.1"])]
}

pub const LEAK: &str = "IPP504 kube-system/10.0.9.0-24 spec.allocations[2].podref 10.0.9.2";

pub fn list(kind: &str, items: &[Value]) -> Value {
    json!({ "apiVersion": "v1", "items": items, "kind": kind, "metadata": { "resourceVersion": "" } })
}

pub fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap()
}

/// Audits a folder.
pub fn audit_folder(folder: &Path) -> Audit {
    let run = program(&["audit", "--format=json", "--from", "."]).in_dir(folder).run();
    of(run)
}

pub fn of(run: Run) -> Audit {
    Audit {
        report: serde_json::from_str(&run.stdout).unwrap_or_default(),
        stderr: run.stderr,
        code: run.code,
    }
}

#[test]
fn the_same_objects_in_any_form_give_the_same_report() {
    let expected = audit(&objects()).report;
    let lines: Vec<_> = objects().iter().map(ToString::to_string).collect();
    let nested = list("List", &[list("List", &objects())]);
    for text in [
        list("List", &objects()).to_string(),
        yaml(&list("List", &objects())),
        format!("[{}]", lines.join(", ")),
        nested.to_string(),
        yaml(&nested),
        format!("\u{feff}{}", yaml(&list("List", &objects()))),
    ] {
        let audit = audit_text(&text, &[]);
        assert_eq!((&audit.stderr, audit.code), (&String::new(), Some(0)), "{text}");
        assert_eq!(audit.report["findings"], expected["findings"], "{text}");
        assert_eq!(audit.report["pools"], expected["pools"], "{text}");
    }
}

#[test]
fn an_object_that_is_in_no_list_says_nothing_of_others() {
    let documents: Vec<_> = objects().iter().map(yaml).collect();
    let lines: Vec<_> = objects().iter().map(ToString::to_string).collect();
    for text in [documents.join("---\n"), lines.join("\n"), lines.join("\n---\n")] {
        let audit = audit_text(&text, &[]);
        assert_eq!(audit.found(), NONE, "as `kubectl get pod web-0` prints it: {text}");
        assert_eq!(audit.report["pools"][0]["allocated"], 2);
        let why = |kind: &str| format!("the dump has single {kind}s, which are in no list of {kind}s");
        assert_eq!(audit.not_done("IPP504"), [why("IPPool"), why("Pod")]);
    }
    // The pool is not a part of the list after it.
    let [pool, pod] = objects().try_into().unwrap();
    let tenant = crate::objects::pool("10.0.8.0-24", "10.0.8.0/24", &[("1", entry("tenant/web-0"))]);
    let text = format!("{}---\n{}---\n{}", yaml(&pool), yaml(&tenant), yaml(&list("List", &[pod])));
    let audit = audit_text(&text, &[]);
    assert_eq!(audit.found(), [LEAK]);
    assert!(audit.not_done("IPP504").contains(&"pods of these namespaces were not read: tenant".to_owned()));
}

#[test]
fn an_empty_list_of_pods_does_not_show_that_there_are_none() {
    // As `kubectl get --raw /api/v1/namespaces/tenant/pods` prints it.
    let audit = audit_text(
        &format!("{}{}", list("List", &[pool_of(&[("1", entry("default/web-0"))])]), list("PodList", &[])),
        &[],
    );
    assert_eq!(audit.found(), NONE);
    assert_eq!(audit.not_done("IPP504"), ["the dump has no Pod"]);
}

#[test]
fn the_items_of_a_typed_list_need_not_say_what_they_are() {
    let untyped = |mut object: Value| {
        object.as_object_mut().unwrap().retain(|key, _| !["kind", "apiVersion"].contains(&key.as_str()));
        object
    };
    let [pool, pod] = objects().try_into().unwrap();
    let lists = |kind_first: bool| {
        let list = |api_version: &str, kind: &str, item: Value| {
            let head = format!(r#""kind":"{kind}","apiVersion":"{api_version}""#);
            let items = format!(r#""items":[{}]"#, untyped(item));
            if kind_first { format!("{{{head},{items}}}") } else { format!("{{{items},{head}}}") }
        };
        [
            list("whereabouts.cni.cncf.io/v1alpha1", "IPPoolList", pool.clone()),
            list("v1", "PodList", pod.clone()),
        ]
    };
    for kind_first in [true, false] {
        let [pools, pods] = lists(kind_first);
        for text in [format!("{pools}{pods}"), format!("{pods}{pools}")] {
            let audit = audit_text(&text, &[]);
            assert_eq!(audit.found(), [LEAK], "{text} {}", audit.stderr);
        }
    }
}

#[test]
fn pods_that_come_before_the_pools_count() {
    let mut reversed = objects();
    reversed.reverse();
    reversed.push(pool("10.0.8.0-24", "10.0.8.0/24", &[("5", entry("default/web-0"))]));
    let audit = audit(&reversed);
    assert_eq!(audit.found(), ["IPP505 kube-system/10.0.8.0-24 spec.allocations[5].podref 10.0.8.5", LEAK]);
}

#[test]
fn pods_that_come_before_the_newest_copy_of_a_pool_count() {
    let version = |object: Value, version: &str| with(object, "/metadata/resourceVersion", json!(version));
    let old = version(pool_of(&[]), "9");
    let new = version(pool_of(&[("1", entry("default/web-0")), ("2", entry("default/gone"))]), "10");
    let audit = audit(&[old, pod("default/web-0", &["10.0.9.1"]), new]);
    assert_eq!(audit.found(), [LEAK]);
}

#[test]
fn a_pipe_is_read_again_where_its_pods_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let [pool, pod] = objects().try_into().unwrap();
    let text = list("List", &[pod, pool]).to_string();
    let writer = std::thread::spawn(move || fs::write(pipe, text));
    let audit = of(program(&["audit", "--format=json", "--from=pipe"]).in_dir(folder.path()).run());
    writer.join().unwrap().unwrap();
    assert_eq!((audit.found(), audit.stderr.as_str()), (vec![LEAK.to_owned()], ""));
}

#[test]
fn a_folder_of_an_inspection_is_read_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join("quay-io/namespaces").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let [pool, pod] = objects().try_into().unwrap();
    write("default/core/pods.yaml", &format!("---\n{}", yaml(&list("PodList", &[pod]))));
    write("tenant/core/pods.yaml", &yaml(&list("PodList", &[])));
    write("kube-system/whereabouts.cni.cncf.io/ippools/10.0.9.0-24.yaml", &yaml(&pool));
    let other = crate::objects::pool(
        "10.0.8.0-24",
        "10.0.8.0/24",
        &[("1", entry("tenant/gone")), ("2", entry("unread/web-0"))],
    );
    write("kube-system/whereabouts.cni.cncf.io/ippools/10.0.8.0-24.yaml", &yaml(&other));
    write(
        "default/core/events.yaml",
        &yaml(&list("EventList", &[json!({ "kind": "Event", "apiVersion": "v1" })])),
    );
    write("default/pods/web-0/web-0.log", "not YAML: {");
    write("unread/core/pods.yaml", "");
    let audit = audit_folder(folder.path());
    assert_eq!(audit.found(), ["IPP504 kube-system/10.0.8.0-24 spec.allocations[1].podref 10.0.8.1", LEAK]);
    assert_eq!(audit.not_done("IPP504"), ["pods of these namespaces were not read: unread"]);
    assert_eq!((audit.stderr.as_str(), audit.code), ("", Some(0)));
}

#[test]
fn of_two_copies_the_newer_counts_and_that_is_said_once() {
    let version = |object: Value, version: &str| with(object, "/metadata/resourceVersion", json!(version));
    let old = version(pool_of(&[("one", entry("default/web-0"))]), "9");
    let new = version(pool_of(&[("1", entry("default/web-0"))]), "10");
    let pods = [pod("default/web-0", &["10.9.9.9"]), pod("default/web-0", &["10.0.9.1"])];
    let [old_pod, new_pod] = pods;
    let (old_pod, new_pod) = (version(old_pod, "11"), version(new_pod, "12"));
    for objects in
        [[old.clone(), new.clone(), old_pod.clone(), new_pod.clone()], [new.clone(), new_pod, old_pod, old]]
    {
        let audit = audit(&objects);
        assert_eq!(audit.found(), NONE);
        assert_eq!(
            audit.stderr,
            "note: the dump: some objects are there more than once; the newest resourceVersion counts\n"
        );
        assert_eq!(audit.code, Some(0));
    }
    // The same copy twice is nothing to speak of.
    assert_eq!(audit(&[new.clone(), new]).stderr, "");
}

#[test]
fn objects_of_other_groups_and_kinds_are_left_out() {
    let calico = json!({ "apiVersion": "crd.projectcalico.org/v1", "kind": "IPPool", "metadata": { "name": "p" }, "spec": {} });
    let mut objects = objects();
    objects.push(calico);
    assert_eq!(audit(&objects).found(), [LEAK]);
}

/// The peak memory, in KiB, of an audit of a dump with this many pods that no allocation names.
fn peak(pods: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("dump.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut audit = Command::new(env!("CARGO_BIN_EXE_ippool-webhook"));
    let mut audit = audit.args(["audit", "--from"]).arg(&pipe).stdout(Stdio::null()).spawn().unwrap();
    let mut dump = fs::File::options().write(true).open(&pipe).unwrap();
    dump.write_all(list("List", &objects()).to_string().as_bytes()).unwrap();
    let mut other = in_namespace("tenant", pod("tenant/x", &["172.16.0.1"]));
    other["spec"] = json!({ "containers": [{ "name": "c", "image": "x".repeat(500) }] });
    for number in 0..pods {
        other["metadata"]["name"] = json!(format!("other-{number}"));
        dump.write_all(other.to_string().as_bytes()).unwrap();
    }
    // A pipe holds 64 KiB: all the others have been read.
    let peak = Process(audit.id()).memory("VmHWM") / 1024.0;
    drop(dump);
    assert!(audit.wait().unwrap().success());
    peak
}

#[test]
fn a_dump_takes_the_memory_of_what_allocations_name() {
    let (few, many) = (peak(1_000), peak(100_000));
    // The name of each would take 5 MiB.
    assert!(many < few + 3.0 * 1024.0, "{few} KiB with 1,000 pods, {many} KiB with 100,000");
}

#[test]
fn reservations_and_attachments_are_read_from_a_dump_too() {
    let mut objects = objects();
    objects.push(reservation("10.0.9.1", "default/web-0"));
    objects.push(attachment("macvlan", json!({ "range": "10.0.9.0/24", "range_start": "10.0.9.2" })));
    let audit = audit(&objects);
    assert_eq!(
        audit.found(),
        [
            "IPP508 kube-system/10.0.9.0-24 spec.allocations[1] 10.0.9.1",
            "IPP503 kube-system/10.0.9.0-24 spec.allocations[2].podref 10.0.9.2",
            LEAK,
        ]
    );
}
