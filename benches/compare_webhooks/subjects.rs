//! The subjects, each registered for its namespace.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use testkit::MIB;
use testkit::process::Process;
use testkit::release::go_program;

use super::SUBJECTS;
use super::calls::program_of;
use super::plane::{Plane, free};
use super::process::{Leashed, awaited};
use super::rendered::registration;
use super::webhook::Webhook;

/// The hooks that are registered for each webhook.
pub const HOOKS: [&str; 2] = ["normalize", "validate"];

/// The programs, which serve until this is dropped.
pub struct Subjects {
    ours: Webhook,
    peer: Leashed,
}

impl Subjects {
    /// Starts and registers all of them.
    pub fn register(plane: &Plane) -> Self {
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/go_webhook/policy.yaml");
        plane.kubectl(&["apply", "-f", policy.to_str().unwrap()]).ok();
        let ours = Webhook::serve(plane, &[]);
        register(plane, "ours", &ours.address().to_string());
        let (peer, address) = start_peer(plane);
        register(plane, "peer", &address);
        Self { ours, peer }
    }

    /// Both webhooks, in the order of the last two subjects.
    pub fn programs(&self) -> [Process; 2] {
        [program_of(self.peer.id()), program_of(self.ours.leash())]
    }

    /// Prints the memory of the webhooks.
    pub fn report(&self) {
        println!();
        for (name, program) in SUBJECTS[2..].iter().zip(self.programs()) {
            println!("{name}: {:.1} MiB resident, peak", program.memory("VmHWM") / MIB);
        }
    }
}

/// The name of the webhook of `hook` for a subject, as in the metrics of the apiserver.
pub fn webhook(subject: &str, hook: &str) -> String {
    format!("{hook}.{subject}.test")
}

/// The registration of `deploy/`, for the server at `address` and one namespace.
fn register(plane: &Plane, namespace: &str, address: &str) {
    for hook in HOOKS {
        let mut configuration = registration(&[hook]);
        configuration["metadata"]["name"] = json!(format!("{namespace}-{hook}"));
        for webhook in configuration["webhooks"].as_array_mut().unwrap() {
            webhook["name"] = json!(self::webhook(namespace, hook));
            let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap();
            let url = format!("https://{address}{path}");
            webhook["clientConfig"] = json!({ "url": url, "caBundle": BASE64.encode(&plane.ca) });
            webhook["namespaceSelector"] =
                json!({ "matchLabels": { "kubernetes.io/metadata.name": namespace } });
            // A slow call has to be measured, not skipped.
            webhook["failurePolicy"] = json!("Fail");
            webhook["timeoutSeconds"] = json!(30);
        }
        plane.kubectl_with(&["create", "-f", "-"], &configuration.to_string(), &[]).ok();
    }
}

fn start_peer(plane: &Plane) -> (Leashed, String) {
    let (certs, address) = (plane.scratch.join("peer"), free());
    let pair = plane.certificate("peer");
    std::fs::create_dir(&certs).unwrap();
    std::fs::write(certs.join("tls.crt"), &pair.cert).unwrap();
    std::fs::write(certs.join("tls.key"), &pair.key).unwrap();
    let arguments = [format!("--cert-dir={}", certs.display()), format!("--port={}", address.port())];
    let mut peer = Leashed::start(&go_program("go_webhook"), &arguments, &plane.scratch.join("peer.log"));
    awaited("the webhook in Go to serve", || {
        assert_eq!(peer.ended(), None, "the webhook in Go");
        std::net::TcpStream::connect(address).ok()
    });
    (peer, address.to_string())
}
