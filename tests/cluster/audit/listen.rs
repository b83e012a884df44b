//! `audit --listen` with the account of `deploy/components/audit`, while the cluster changes.

use std::net::SocketAddr;
use std::path::Path;

use super::{EXPECTED, Value, break_everything, json};
use crate::deploy::example;
use crate::http::exchange;
use crate::plane::{Plane, get};
use crate::process::{Leashed, awaited};
use crate::rendered::rendered_beside;

const ACCOUNT: &str = "ippool-webhook-audit";

/// A running audit.
struct Listening {
    address: SocketAddr,
    program: Leashed,
}

impl Listening {
    fn start(plane: &Plane) -> Self {
        let kubeconfig = plane.scratch.join("listen.kubeconfig");
        let token = plane.token("ippool-webhook", ACCOUNT);
        plane.write_kubeconfig(&kubeconfig, &json!({ "token": token }));
        let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
        let arguments = [
            "audit",
            &kubeconfig,
            "-A",
            "--listen=127.0.0.1:0",
            "--grace=1",
            "--interval=1",
            "--log-format=json",
        ];
        let program = Path::new(env!("CARGO_BIN_EXE_ippool-webhook"));
        let program = Leashed::start(program, &arguments, &plane.scratch.join("listen.log"));
        let address = awaited("the audit to serve", || {
            let log = program.log();
            let line = log.lines().find(|line| line.contains("\"serving\""))?;
            let line: Value = serde_json::from_str(line).unwrap();
            Some(line["address"].as_str().unwrap().parse().unwrap())
        });
        Self { address, program }
    }

    fn get(&self, path: &str) -> (u16, String) {
        exchange(self.address, None, get("localhost", path)).unwrap()
    }

    /// Waits for a series with this value; `None` for none.
    fn until(&self, series: &str, wanted: Option<&str>) {
        let what = format!("{series} to be {wanted:?}");
        awaited(&what, || {
            let (_, text) = self.get("/metrics");
            let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
            (value == wanted).then_some(())
        });
    }
}

/// Creates the account, its role and its binding as the manifests have them.
fn install(plane: &Plane) {
    plane.kubectl(&["create", "namespace", "ippool-webhook"]).ok();
    let own = example("deploy/README.md", "yaml", 2);
    for object in rendered_beside(&own, &[]) {
        let is_access = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"]
            .contains(&object["kind"].as_str().unwrap());
        if is_access && object["metadata"]["name"] == ACCOUNT {
            super::create(plane, &object);
        }
    }
}

/// The series of a finding, as `rule kind namespace/name …` has it.
fn series(finding: &str) -> String {
    let parts: Vec<_> = finding.split(' ').collect();
    let (namespace, name) = parts[2].split_once('/').unwrap();
    let pool = if parts[1] == "IPPool" { name } else { "" };
    format!("ippool_findings{{namespace=\"{namespace}\",pool=\"{pool}\",rule=\"{}\"}}", parts[0])
}

#[test]
fn metrics_and_the_page_follow_what_changes_in_the_cluster() {
    let plane = break_everything("audit-listen");
    install(&plane);
    let audit = Listening::start(&plane);
    awaited("the audit to be ready", || (audit.get("/readyz") == (200, "ok\n".to_owned())).then_some(()));
    for finding in EXPECTED {
        let series = series(finding);
        let count = EXPECTED.iter().filter(|it| self::series(it) == series).count();
        audit.until(&series, Some(&count.to_string()));
    }
    let (_, metrics) = audit.get("/metrics");
    let all: Vec<_> = metrics.lines().filter(|line| line.starts_with("ippool_findings{")).collect();
    let expected: std::collections::BTreeSet<_> = EXPECTED.iter().map(|it| series(it)).collect();
    assert_eq!(all.len(), expected.len(), "{all:#?}");
    let of = |name: &str, pool: &str| format!("ippool_{name}{{namespace=\"kube-system\",pool=\"{pool}\"}}");
    audit.until(&of("allocations", "10.80.0.0-24"), Some("4.0"));
    audit.until(&of("capacity", "10.80.0.0-24"), Some("254.0"));
    audit.until(&of("leaked", "10.80.0.0-24"), Some("2.0"));
    let not_done =
        metrics.lines().filter(|line| line.starts_with("ippool_audit_not_done{") && line.ends_with(" 1"));
    assert_eq!(not_done.collect::<Vec<_>>(), Vec::<&str>::new(), "the role suffices");

    plane.kubectl(&["delete", "pod", "a-0", "-n", "default", "--force", "--grace-period=0"]).ok();
    audit.until(&of("leaked", "10.80.0.0-24"), Some("3.0"));
    plane.kubectl(&["delete", "ippool", "10.82.0.0-24", "-n", "kube-system"]).ok();
    audit.until(&of("capacity", "10.82.0.0-24"), None);
    let (code, page) = audit.get("/");
    assert_eq!(code, 200);
    assert!(page.starts_with("<!doctype html>") && page.contains(">10.80.0.0-24</button>"), "{page}");
    assert_eq!(audit.get("/elsewhere").0, 404);
    let log = audit.program.log();
    assert!(!log.contains("forbidden"), "{log}");
}

#[test]
fn a_kind_that_may_not_be_watched_is_said_once_and_followed_once_it_may() {
    let plane = super::plane("audit-listen-role");
    install(&plane);
    let role = |rules: &str| {
        let patch = format!(r#"[{{"op":"replace","path":"/rules/2/resources","value":{rules}}}]"#);
        plane.kubectl(&["patch", "clusterrole", ACCOUNT, "--type=json", "-p", &patch]).ok();
    };
    role(r#"["nodes"]"#);
    let pool = json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": "10.0.9.0-24", "namespace": "kube-system" },
        "spec": { "range": "10.0.9.0/24", "allocations": { "1": { "id": "a", "ifname": "net1", "podref": "default/gone" } } },
    });
    super::create(&plane, &pool);
    let audit = Listening::start(&plane);
    audit.until("ippool_audit_not_done{rule=\"IPP504\"}", Some("1"));
    assert_eq!(audit.get("/readyz").0, 200, "what can be checked is");
    role(r#"["nodes", "pods"]"#);
    audit.until("ippool_audit_not_done{rule=\"IPP504\"}", Some("0"));
    audit.until("ippool_leaked{namespace=\"kube-system\",pool=\"10.0.9.0-24\"}", Some("1.0"));
    assert_eq!(audit.program.log().matches("Pods cannot be listed").count(), 1, "{}", audit.program.log());
}
