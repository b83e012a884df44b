//! The contenders: registered, each for its namespace, and shown to judge.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::plane::{Identity, Plane, free};
use super::process::{Leashed, awaited};
use super::rendered::registration;
use super::webhook::Webhook;

/// Programs that serve while this lives.
pub struct Rivals {
    ours: Webhook,
    peer: Leashed,
}

impl Rivals {
    /// Starts and registers all of them.
    pub fn register(plane: &Plane) -> Self {
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer/policy.yaml");
        plane.kubectl(&["apply", "-f", policy.to_str().unwrap()]).ok();
        let ours = Webhook::serve(plane, &[]);
        register(plane, "ours", &ours.address().to_string());
        let (peer, address) = start_peer(plane);
        register(plane, "peer", &address);
        Self { ours, peer }
    }

    /// Every contender but `nothing` refuses an offset past the end, and the webhooks repair host bits.
    pub fn assert_that_each_judges(&self, plane: &Plane) {
        for (namespace, refuses, repairs) in
            [("nothing", false, false), ("policy", true, false), ("peer", true, true), ("ours", true, true)]
        {
            let what = format!("{namespace} to judge");
            awaited(&what, || {
                let (code, answer) = try_out(plane, namespace, "10.1.0.0/24", "256");
                let refused = code == 422 || code == 403;
                (refused == refuses && (!refuses || answer.to_string().contains("256"))).then_some(())
            });
            let (_, answer) = try_out(plane, namespace, "10.1.0.1/24", "1");
            assert_eq!(answer["spec"]["range"] == "10.1.0.0/24", repairs, "{namespace}: {answer}");
        }
    }

    /// Prints what the webhooks took of memory.
    pub fn report(&self) {
        println!();
        for (name, leash) in [("ours", self.ours.leash()), ("peer", self.peer.id())] {
            println!("{name}: {:.1} MiB resident at most", memory(leash));
        }
    }
}

/// `VmHWM` of the program that a leash holds, in MiB.
fn memory(leash: u32) -> f64 {
    let children = std::fs::read_to_string(format!("/proc/{leash}/task/{leash}/children")).unwrap();
    let most = children.split_whitespace().filter_map(|child| {
        let status = std::fs::read_to_string(format!("/proc/{child}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<f64>().ok()
    });
    most.fold(0.0, f64::max) / 1024.0
}

/// The registration of `deploy/`, for the server at `address` and one namespace.
fn register(plane: &Plane, namespace: &str, address: &str) {
    for hook in ["normalise", "validate"] {
        let mut configuration = registration(hook);
        configuration["metadata"]["name"] = json!(format!("{namespace}-{hook}"));
        for webhook in configuration["webhooks"].as_array_mut().unwrap() {
            let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap();
            let url = format!("https://{address}{path}");
            webhook["clientConfig"] = json!({ "url": url, "caBundle": BASE64.encode(&plane.ca) });
            webhook["namespaceSelector"] =
                json!({ "matchLabels": { "kubernetes.io/metadata.name": namespace } });
            // What is slow is to be seen, not to be left out.
            webhook["failurePolicy"] = json!("Fail");
            webhook["timeoutSeconds"] = json!(30);
        }
        plane.kubectl_with(&["create", "-f", "-"], &configuration.to_string(), &[]).ok();
    }
}

fn start_peer(plane: &Plane) -> (Leashed, String) {
    let built = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peer/build")).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = String::from_utf8(built.stdout).unwrap();
    let (certs, address) = (plane.scratch.join("peer"), free());
    let pair = plane.certificate("peer");
    std::fs::create_dir(&certs).unwrap();
    std::fs::write(certs.join("tls.crt"), &pair.cert).unwrap();
    std::fs::write(certs.join("tls.key"), &pair.key).unwrap();
    let arguments = [format!("--cert-dir={}", certs.display()), format!("--port={}", address.port())];
    let mut peer = Leashed::start(Path::new(program.trim()), &arguments, &plane.scratch.join("peer.log"));
    awaited("the webhook in Go to serve", || {
        assert_eq!(peer.ended(), None, "the webhook in Go");
        std::net::TcpStream::connect(address).ok()
    });
    (peer, address.to_string())
}

/// Creates a pool with one allocation without storing it: the code and the answer.
fn try_out(plane: &Plane, namespace: &str, range: &str, offset: &str) -> (u16, Value) {
    let pool = json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": "10.1.0.0-24" },
        "spec": { "range": range, "allocations": { offset: super::allocation(1) } },
    });
    let path = format!("/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/{namespace}/ippools?dryRun=All");
    plane.request("POST", &path, "application/json", &pool.to_string(), Identity::Admin)
}
