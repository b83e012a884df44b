use std::fs;

use super::*;
use crate::audit::evaluation::{Options, evaluate};
use crate::policy::Policy;

/// A pool with a leaked address, and what refers to it.
const OBJECTS: [&str; 5] = [
    r#"{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","kind":"IPPool","metadata":{"name":"10.0.9.0-24","namespace":"kube-system"},"spec":{"range":"10.0.9.0/24","allocations":{"1":{"id":"a","ifname":"net1","podref":"default/web-0"},"2":{"id":"b","ifname":"net1","podref":"default/gone"}}}}"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"k8s.v1.cni.cncf.io/network-status":"[{\"name\":\"default/macvlan\",\"ips\":[\"10.0.9.1\"]}]"},"name":"web-0","namespace":"default"},"status":{"phase":"Running"}}"#,
    r#"{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","kind":"OverlappingRangeIPReservation","metadata":{"name":"10.0.9.1","namespace":"kube-system"},"spec":{"podref":"default/web-0"}}"#,
    r#"{"apiVersion":"k8s.cni.cncf.io/v1","kind":"NetworkAttachmentDefinition","metadata":{"name":"macvlan","namespace":"default"},"spec":{"config":"{\"type\":\"macvlan\",\"ipam\":{\"type\":\"whereabouts\",\"range\":\"10.0.9.0/24\",\"exclude\":[\"10.0.9.8/30\"]}}"}}"#,
    r#"{"apiVersion":"whereabouts.cni.cncf.io/v1alpha1","kind":"NodeSlicePool","metadata":{"name":"macvlan","namespace":"kube-system"},"spec":{"range":"10.0.0.0/16"},"status":{"allocations":[{"nodeName":"node-1","sliceRange":"10.0.0.0/26"}]}}"#,
];

/// A dump of them in JSON and one in YAML, as kubectl writes both: the kind of the list follows its items.
fn dumps() -> [String; 2] {
    let list = format!(r#"{{"apiVersion":"v1","items":[{}],"kind":"List"}}"#, OBJECTS.join(",\n"));
    let items = OBJECTS.map(|object| {
        let value: serde_json::Value = serde_json::from_str(object).unwrap();
        let yaml = serde_saphyr::to_string(&value).unwrap();
        format!("- {}\n", yaml.trim_end().replace('\n', "\n  "))
    });
    [list, format!("apiVersion: v1\nitems:\n{}kind: List\n", items.concat())]
}

/// How often each dump is changed; forty thousand times took two minutes, without a panic.
const RUNS: usize = 300;

/// What an audit of a file finds, and whether it could be read.
fn audited(text: &[u8]) -> (Vec<String>, bool) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let policy = Policy::default();
    let mut collector = Collector::new(&policy);
    let notifications = read(&[file.path().to_owned()], &mut collector, &Progress::new());
    let is_read = notifications.is_empty() && collector.seen.has_any;
    let read = collector.seen.read();
    let options = Options { policy: &policy, keeps_entries: true, before: None };
    let report = evaluate(collector.finish(read, &[]), options).report;
    let found = report.findings.iter().map(|it| format!("{} {}", it.object(), it.finding)).collect();
    (found, is_read)
}

#[test]
fn a_dump_that_is_cut_anywhere_is_named_or_has_the_same_findings() {
    for dump in dumps() {
        let (whole, is_read) = audited(dump.as_bytes());
        assert!(is_read && whole.iter().any(|it| it.contains("IPP504")), "{whole:?}");
        for end in 1..dump.len() {
            let (found, is_read) = audited(&dump.as_bytes()[..end]);
            let cut = &dump[end.saturating_sub(40)..end];
            assert!(!is_read || found == whole || end < 30, "{end}: {cut:?} {found:?}");
            assert!(is_read || !found.iter().any(|it| it.contains("IPP504")), "{end}: {cut:?} {found:?}");
        }
    }
}

#[test]
fn json_that_is_broken_anywhere_is_named_or_is_a_finding() {
    let [dump, _] = dumps();
    let (whole, _) = audited(dump.as_bytes());
    for at in (0..dump.len()).step_by(3) {
        for by in ["", "{", "]", "\""] {
            let broken = [&dump[..at], by, &dump[at + 1..]].concat();
            if serde_json::from_str::<serde_json::Value>(&broken).is_ok() {
                continue;
            }
            let (found, is_read) = audited(broken.as_bytes());
            let is_finding = found.iter().any(|it| it.contains("cannot be read"));
            let place = &dump[at.saturating_sub(40)..dump.len().min(at + 5)];
            assert!(!is_read || is_finding || found == whole, "{at}: {by:?} {place:?} {found:?}");
        }
    }
}

#[test]
fn a_dump_with_other_bytes_anywhere_is_read_without_a_panic() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 16).unwrap() % below
    };
    for dump in dumps() {
        for _ in 0..RUNS {
            let mut bytes = dump.clone().into_bytes();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                match next(5) {
                    0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                    1 => bytes[at] = b"{}[]\":,\n -&*#|0/"[next(16)],
                    2 => drop(bytes.remove(at)),
                    3 => bytes.insert(at, b"{}[]\":,\n -&*#|0/"[next(16)]),
                    _ => {
                        let piece = bytes[at..bytes.len().min(at + next(60))].to_vec();
                        let to = next(bytes.len());
                        bytes.splice(to..to, piece);
                    }
                }
            }
            audited(&bytes);
        }
    }
}
