//! The overlay `self-managed` in a control plane, with the parts played that a cluster has besides: `certs ensure` is
//! run, the Secret is mounted, the pod is started, and the Service leads to it.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::volume::Volume;
use crate::plane::{Identity, Plane, free};
use crate::process::{Leashed, Ran, awaited, command};
use crate::rendered::rendered_beside;
use crate::service::Service;
use crate::webhook::Webhook;

/// What the Deployment mounts of the Secret.
const MOUNTED: [&str; 2] = ["tls.crt", "tls.key"];
/// The kubelet looks at Secrets a good deal later than that.
const LAG: Duration = Duration::from_millis(150);

/// `kubectl apply` has been done.
pub struct Stage {
    pub plane: Arc<Plane>,
    objects: Vec<Value>,
    /// Of the account that issues.
    account: PathBuf,
    service: SocketAddr,
}

/// A pod that runs, behind the Service.
pub struct Site {
    pub webhook: Webhook,
    pub service: Service,
    _mount: Mount,
}

/// Keeps a mount as its Secret is until it is dropped.
pub struct Mount(#[expect(dead_code, reason = "dropping it is the sign")] Sender<()>);

/// The overlay, with these components on it.
pub fn overlay(components: &[&str]) -> Vec<Value> {
    let kustomization = json!({
        "resources": ["../ippool-webhook/deploy/overlays/self-managed"],
        "components": components,
    });
    rendered_beside(&kustomization.to_string(), &[])
}

/// A port for the Service: 443 takes privileges that a test has not.
pub fn service_port() -> u16 {
    free().port()
}

impl Stage {
    /// Applies `objects` with the Service at `port`.
    pub fn apply(plane: Plane, mut objects: Vec<Value>, port: u16) -> Self {
        objects.iter_mut().for_each(|object| at_port(object, port));
        let plane = Arc::new(plane);
        let account = plane.scratch.join("certs.kubeconfig");
        let mut stage = Self { plane, objects, account, service: ([127, 0, 0, 1], port).into() };
        stage.apply_again();
        let service = stage.get("/api/v1/namespaces/ippool-webhook/services/ippool-webhook");
        let address: IpAddr = service["spec"]["clusterIP"].as_str().unwrap().parse().unwrap();
        stage.service = (address, port).into();
        let token = stage.plane.token("ippool-webhook", "ippool-webhook-certs");
        stage.plane.write_kubeconfig(&stage.account, &json!({ "token": token }));
        stage
    }

    /// What `kubectl apply` says to all of it.
    pub fn apply_again(&self) -> String {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": self.objects });
        self.plane.kubectl_with(&["apply", "-f", "-"], &list.to_string(), &[]).ok()
    }

    /// The object of this kind and name as it was applied.
    pub fn object(&self, kind: &str, name: &str) -> &Value {
        let found = self.objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// An object of the API as it is stored.
    pub fn get(&self, path: &str) -> Value {
        let (code, object) = self.plane.request("GET", path, "application/json", "", Identity::Admin);
        assert_eq!(code, 200, "{path}: {object}");
        object
    }

    pub fn secret(&self) -> Value {
        self.get("/api/v1/namespaces/ippool-webhook/secrets/ippool-webhook-tls")
    }

    /// An entry of the Secret.
    pub fn entry(&self, key: &str) -> String {
        text_of(&self.secret()["data"][key])
    }

    pub fn configuration(&self, kind: &str) -> Value {
        self.get(&configuration_path(kind))
    }

    /// What the webhook of the `mutating` or `validating` configuration trusts, PEM.
    pub fn bundle(&self, kind: &str) -> String {
        text_of(&self.configuration(kind)["webhooks"][0]["clientConfig"]["caBundle"])
    }

    /// Runs the issuing pod, once.
    pub fn issue(&self) -> Ran {
        let issuing = self.issuing();
        self.run(&issuing[..issuing.len() - 1])
    }

    /// The arguments of the issuing pod; the last one has it repeat.
    fn issuing(&self) -> Vec<&str> {
        let issuing = self.object("Deployment", "ippool-webhook-certs");
        let arguments = issuing.pointer("/spec/template/spec/containers/0/args").unwrap().as_array().unwrap();
        arguments.iter().map(|it| it.as_str().unwrap()).collect()
    }

    /// Starts the issuing pod, which repeats every second.
    pub fn keep_issuing(&self) -> Leashed {
        let account = format!("--kubeconfig={}", self.account.display());
        let mut arguments = self.issuing();
        *arguments.last_mut().unwrap() = "--interval=1";
        arguments.push(&account);
        let log = self.plane.scratch.join("certs.log");
        Leashed::start(Path::new(env!("CARGO_BIN_EXE_ippool-webhook")), &arguments, &log)
    }

    /// Runs `certs` with these arguments as the account that issues.
    pub fn certs(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["certs"], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run_as(&self.account, arguments)
    }

    /// Mounts the Secret, and starts the Deployment's container with it, where the Service leads.
    pub fn serve(&self) -> Site {
        let mount = self.mount();
        let (program, arguments) = self.container();
        let webhook = self.start(&program, &arguments, "webhook.log");
        let service = self.service();
        service.add(webhook.address());
        Site { webhook, service, _mount: mount }
    }

    /// The Service, which leads nowhere yet.
    pub fn service(&self) -> Service {
        Service::at(self.service)
    }

    /// The program of the Deployment's container, and its arguments.
    pub fn container(&self) -> (PathBuf, Vec<String>) {
        let deployment = self.object("Deployment", "ippool-webhook");
        let arguments = deployment.pointer("/spec/template/spec/containers/0/args").unwrap();
        let arguments = arguments.as_array().unwrap().iter().map(|it| self.here(it)).collect();
        (env!("CARGO_BIN_EXE_ippool-webhook").into(), arguments)
    }

    /// Starts it, and has it log to this file.
    pub fn start(&self, program: &Path, arguments: &[String], log: &str) -> Webhook {
        Webhook::start_as(program, arguments, &self.plane.scratch.join(log), &self.entry("ca.crt"))
    }

    /// Mounts the Secret, and keeps the mount as the Secret is, a little late.
    pub fn mount(&self) -> Mount {
        let (stop, stopped) = channel::<()>();
        let (plane, mut volume) = (Arc::clone(&self.plane), Volume::new(&self.mounts().join("tls")));
        let path = "/api/v1/namespaces/ippool-webhook/secrets/ippool-webhook-tls";
        thread::spawn(move || {
            while stopped.recv_timeout(LAG) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let (_, secret) = plane.request("GET", path, "application/json", "", Identity::Admin);
                volume.sync(&secret, &MOUNTED);
            }
        });
        let last = self.mounts().join("tls").join(MOUNTED[1]);
        awaited("the Secret to be mounted", || last.exists().then_some(()));
        Mount(stop)
    }

    /// The pod's mounts are below this directory.
    pub fn mounts(&self) -> PathBuf {
        self.plane.scratch.join("mounts")
    }

    /// An argument of the Deployment with the mounts below a directory of the test, and free ports.
    fn here(&self, argument: &Value) -> String {
        let argument = argument.as_str().unwrap();
        match argument.split_once('=') {
            Some((flag, _)) if flag.ends_with("listen") => format!("{flag}=127.0.0.1:0"),
            Some((flag, value)) if value.starts_with("/policy") => {
                format!("{flag}={}/deploy/base{}", env!("CARGO_MANIFEST_DIR"), &value["/policy".len()..])
            }
            Some((flag, value)) if value.starts_with('/') => {
                format!("{flag}={}{value}", self.mounts().display())
            }
            _ => argument.to_owned(),
        }
    }
}

/// Runs the program with this kubeconfig.
pub fn run_as(kubeconfig: &Path, arguments: &[&str]) -> Ran {
    let mut program = command(Path::new(env!("CARGO_BIN_EXE_ippool-webhook")));
    program.args(arguments).arg("--kubeconfig").arg(kubeconfig);
    Ran::of(program, "")
}

/// The `mutating` or `validating` configuration.
pub fn configuration_path(kind: &str) -> String {
    format!("/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/ippool-webhook")
}

fn text_of(base64: &Value) -> String {
    let text = base64.as_str().unwrap_or_else(|| panic!("base64 is wanted, not {base64}"));
    String::from_utf8(BASE64.decode(text).unwrap()).unwrap()
}

fn at_port(object: &mut Value, port: u16) {
    if object["kind"] == "Service" {
        object["spec"]["ports"][0]["port"] = json!(port);
    }
    for webhook in webhooks_of(object) {
        webhook["clientConfig"]["service"]["port"] = json!(port);
    }
}

/// The webhooks of a configuration; none of any other object.
pub fn webhooks_of(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    object.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten()
}
