//! `certs/apiserver`: an apiserver that shows a certificate, and a webhook that answers nobody without one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::NAME;
use super::install::try_out;
use super::stage::{Site, Stage, overlay, service_port};
use super::volume::Volume;
use crate::http::exchange_with;
use crate::plane::{Plane, for_client, get};
use crate::process::awaited;
use crate::writer::{Ends, Writer};
use testkit::client::client;
use testkit::pki::{Ca, Pair};

/// What kubeadm's apiserver shows, and the component `client-certificates` asks for.
const CLIENT: &str = "kube-apiserver-kubelet-client";

/// A pool that is accepted, and one that is refused.
const GOOD: &str = "10.70.0.0/24";
const BAD: &str = "10.70.0.0/33";
/// To a GET, by a server that has read it.
const ANSWERED: u16 = 405;

/// Puts the files of `certs/apiserver` into `scratch`, as its README tells, and names them to the apiserver.
fn configure(scratch: &Path, ca: &Ca, port: u16) -> Vec<String> {
    let write = |name: &str, text: &str| std::fs::write(scratch.join(name), text).unwrap();
    let pair = for_client(ca, CLIENT);
    write("apiserver-kubelet-client.crt", &pair.cert);
    write("apiserver-kubelet-client.key", &pair.key);
    let name = format!("{NAME}:{port}");
    for file in ["admission.yaml", "kubeconfig.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs/apiserver").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let here = scratch.to_str().unwrap();
        let text = text.replace("/etc/kubernetes/ippool-webhook", here).replace("/etc/kubernetes/pki", here);
        write(file, &text.replace(&format!("name: {NAME}\n"), &format!("name: {name}\n")));
    }
    vec![format!("--admission-control-config-file={}", scratch.join("admission.yaml").display())]
}

/// The apiserver, the webhook, and the mount with the CA of its clients.
struct Guarded {
    stage: Stage,
    site: Site,
    clients: Volume,
}

/// A test that takes it leaves the apiserver answered.
fn guarded() -> MutexGuard<'static, Guarded> {
    static GUARDED: OnceLock<Mutex<Guarded>> = OnceLock::new();
    let guarded = GUARDED.get_or_init(|| Mutex::new(Guarded::new()));
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guarded {
    fn new() -> Self {
        let port = service_port();
        let plane = Plane::start_with("client-certificates", &|scratch, ca| configure(scratch, ca, port));
        let objects = overlay(&["../ippool-webhook/deploy/components/client-certificates"]);
        let stage = Stage::apply(plane, objects, port);
        let mut clients = Volume::new(&stage.mounts().join("client-ca"));
        show(&mut clients, &[&stage.plane.ca]);
        stage.issue().ok();
        let site = stage.serve();
        awaited("the apiserver to be answered", || (try_out(&stage, GOOD).0 == 201).then_some(()));
        Self { stage, site, clients }
    }

    /// What a caller gets who shows `pair`: a code, where it gets anything.
    fn ask(&self, pair: Option<&Pair>) -> Option<u16> {
        let request = get(&format!("https://{NAME}"), "/validate");
        let tls = client(&self.stage.entry("ca.crt"), pair);
        exchange_with(NAME, self.site.webhook.address(), tls, request).ok().map(|(code, _)| code)
    }

    /// Has the webhook trust clients of these CAs, and waits until it does.
    fn trust(&mut self, authorities: &[&str]) {
        let reloads = "ippool_webhook_client_ca_reloads_total{outcome=\"success\"}";
        let before = self.site.webhook.metric(reloads);
        show(&mut self.clients, authorities);
        awaited("the CA to be taken up", || (self.site.webhook.metric(reloads) > before).then_some(()));
    }
}

/// As the kubelet shows a ConfigMap.
fn show(volume: &mut Volume, authorities: &[&str]) {
    let bundle = BASE64.encode(authorities.concat());
    volume.sync(&json!({ "data": { "ca.crt": bundle } }), &["ca.crt"]);
}

#[test]
fn the_apiserver_is_answered_and_nobody_else_is() {
    let guarded = guarded();
    let stage = &guarded.stage;
    let (code, refusal) = try_out(stage, BAD);
    assert!(code == 422 && refusal["message"].as_str().unwrap().contains("[IPP102]"), "{code} {refusal}");
    let (right, wrong) = (stage.plane.client(CLIENT), stage.plane.client("system:node:worker-1"));
    assert_eq!(guarded.ask(Some(&right)), Some(ANSWERED));
    assert_eq!(guarded.ask(Some(&wrong)), Some(403));
    assert_eq!(guarded.ask(None), None);
    assert_eq!(guarded.ask(Some(&for_client(&Ca::root(), CLIENT))), None, "of another CA");
    // What is served can be seen by anybody.
    let address = guarded.site.webhook.address().to_string();
    stage.certs(&["show", "--connect", &address]).ok();
}

#[test]
fn the_ca_of_the_clients_is_replaced_while_pools_are_written() {
    let mut guarded = guarded();
    let (old, new) = (guarded.stage.plane.ca.clone(), Ca::root());
    let caller = for_client(&new, CLIENT);
    let (over, plane) = (AtomicBool::new(false), Arc::clone(&guarded.stage.plane));
    thread::scope(|scope| {
        let ends = Ends(&over);
        scope.spawn(|| {
            let mut writer = Writer::begin(&plane, 0);
            while !over.load(Ordering::SeqCst) {
                writer.write().unwrap_or_else(|wrong| panic!("{wrong}"));
            }
        });
        for _ in 0..5 {
            guarded.trust(&[&old, &new.pem]);
            assert_eq!(guarded.ask(Some(&caller)), Some(ANSWERED));
            guarded.trust(&[&old]);
            assert_eq!(guarded.ask(Some(&caller)), None);
        }
        drop(ends);
    });
    // The apiserver looks at its own certificate every five minutes; here it keeps the old one, and is out.
    guarded.trust(&[&new.pem]);
    let (code, answer) = try_out(&guarded.stage, GOOD);
    assert_eq!(code, 500, "{answer}");
    guarded.trust(&[&old]);
    assert_eq!(try_out(&guarded.stage, GOOD).0, 201);
}
