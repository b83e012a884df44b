//! The webhook, served by the real program and registered in a control plane.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::http::exchange;
use super::plane::{Identity, Plane, get};
use super::process::{Leashed, awaited};
use super::rendered::registration;

/// What is registered of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// The mutating one, whose failures are ignored.
    Normalize,
    /// The validating ones of the base: trusted writers do not pass through the one for writes, everyone through
    /// the one for deletions.
    Validate,
    /// The validating one of the overlay observe-cni, which only trusted writers pass through.
    ObserveCni,
}

impl Hook {
    /// With all of them every write of everyone is seen.
    pub const ALL: [Self; 3] = [Self::Normalize, Self::Validate, Self::ObserveCni];

    /// What is called in `deploy/`; all of it is in force at the same moment.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Normalize => &["normalize"],
            Self::Validate => &["validate", "deletion"],
            Self::ObserveCni => &["observe"],
        }
    }
}

/// The program serving, until it is dropped.
pub struct Webhook {
    address: SocketAddr,
    admin: SocketAddr,
    ca: String,
    program: Leashed,
}

impl Webhook {
    /// Serves with a certificate of the control plane's CA, and with these arguments besides.
    pub fn serve(plane: &Plane, arguments: &[&str]) -> Self {
        let pair = plane.certificate("ippool-webhook");
        let (cert, key) = (plane.scratch.join("webhook.crt"), plane.scratch.join("webhook.key"));
        std::fs::write(&cert, &pair.cert).unwrap();
        std::fs::write(&key, &pair.key).unwrap();
        let mut all = vec!["serve", "--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        all.extend(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]);
        all.extend(arguments);
        Self::start(&all, &plane.scratch.join("webhook.log"), &plane.ca)
    }

    /// Starts the program with all of these arguments; `ca` has issued what it serves.
    pub fn start<A: AsRef<OsStr>>(arguments: &[A], log: &Path, ca: &str) -> Self {
        Self::start_as(Path::new(env!("CARGO_BIN_EXE_ippool-webhook")), arguments, log, ca)
    }

    /// Starts what is the program in the end, with all of these arguments.
    pub fn start_as<A: AsRef<OsStr>>(program: &Path, arguments: &[A], log: &Path, ca: &str) -> Self {
        let mut program = Leashed::start(program, arguments, log);
        let serving = awaited("the webhook to serve", || {
            assert_eq!(program.ended(), None, "the webhook");
            logged(&program.log(), "serving")
        });
        let address = |name: &str| serving[name].as_str().unwrap().parse().unwrap();
        Self { address: address("address"), admin: address("admin"), ca: ca.to_owned(), program }
    }

    /// Registers `hooks` and waits until the apiserver calls them. What was registered before is replaced.
    pub fn register(&self, plane: &Plane, hooks: &[Hook]) {
        self.unregister(plane);
        register_at(plane, self.address, &self.ca, hooks);
        for hook in hooks {
            let what = format!("the apiserver to call {hook:?}");
            awaited(&what, || self.is_in_force(plane, *hook).then_some(()));
        }
    }

    /// Takes away whatever is registered and waits until the apiserver calls it no more.
    pub fn unregister(&self, plane: &Plane) {
        let all = ["delete", "mutatingwebhookconfigurations,validatingwebhookconfigurations", "--all"];
        plane.kubectl(&all).ok();
        for hook in Hook::ALL {
            let what = format!("the apiserver to forget {hook:?}");
            awaited(&what, || (!self.is_in_force(plane, hook)).then_some(()));
        }
    }

    /// The value of a series of `/metrics`, labels included, as it is written there; 0 where it is not.
    pub fn metric(&self, series: &str) -> f64 {
        self.metrics(|name| name == series)
    }

    /// TLS handshakes that failed, whatever the reason.
    pub fn failed_handshakes(&self) -> usize {
        self.metrics(|name| name.starts_with("ippool_webhook_tls_handshakes_failed_total{")) as usize
    }

    /// Reviews of trusted writers that were denied, at both endpoints; more than 0 is a bug.
    pub fn refusals_of_trusted(&self) -> usize {
        self.reviews(&["writer=\"trusted\"", "outcome=\"denied\""])
    }

    /// Reviews that were denied, by any writer.
    pub fn refusals(&self) -> usize {
        self.reviews(&["outcome=\"denied\""])
    }

    /// Reviews of trusted writers by the validating webhook, whatever became of them.
    pub fn observed(&self) -> usize {
        self.reviews(&["endpoint=\"validate\"", "writer=\"trusted\""])
    }

    /// The number of reviews with all of these labels.
    pub fn reviews(&self, labels: &[&str]) -> usize {
        let counted = |name: &str| {
            name.starts_with("ippool_webhook_reviews_total{")
                && labels.iter().all(|label| name.contains(label))
        };
        self.metrics(counted) as usize
    }

    /// Where it serves reviews.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is probed.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The process itself, as long as it runs.
    pub fn process(&self) -> Option<u32> {
        self.program.process("ippool-webhook")
    }

    /// How it ended and what it said last, where it does not run any more.
    pub fn ended(&mut self) -> Option<String> {
        self.program.ended()
    }

    /// The process of its leash.
    #[allow(dead_code, reason = "for measurements")]
    pub fn leash(&self) -> u32 {
        self.program.id()
    }

    /// All it has logged so far, an object a line.
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// The sum of the series whose name, labels included, is wanted.
    fn metrics(&self, wanted: impl Fn(&str) -> bool) -> f64 {
        let answer = exchange(self.admin, None, get(&format!("http://{}", self.admin), "/metrics"));
        let (code, text) = answer.unwrap_or_else(|error| panic!("/metrics: {error}"));
        assert_eq!(code, 200, "{text}");
        let series = text.lines().filter_map(|line| line.rsplit_once(' '));
        series.filter(|(name, _)| wanted(name)).map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    }

    /// Whether the apiserver calls it, which it begins and ends to do some time after it was told.
    fn is_in_force(&self, plane: &Plane, hook: Hook) -> bool {
        match hook {
            Hook::Normalize => {
                try_out(plane, "10.255.255.1/24", Identity::Admin)["spec"]["range"] == "10.255.255.0/24"
            }
            Hook::Validate => {
                let reviewed = || self.reviews(&["endpoint=\"validate\"", "writer=\"other\""]);
                let before = reviewed();
                try_out(plane, "10.255.255.0/24", Identity::Admin);
                reviewed() > before
            }
            Hook::ObserveCni => {
                let before = self.observed();
                let token = plane.token("kube-system", "whereabouts");
                let range = try_out(plane, "10.255.255.0/24", Identity::Token(&token));
                assert_eq!(range["spec"]["range"], "10.255.255.0/24", "{range}");
                self.observed() > before
            }
        }
    }
}

/// Registers `hooks` as served at `address` with a certificate of `ca`, and does not wait.
pub fn register_at(plane: &Plane, address: SocketAddr, ca: &str, hooks: &[Hook]) {
    let items: Vec<_> = hooks.iter().map(|hook| served_at(address, ca, registration(hook.names()))).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    plane.kubectl_with(&["create", "-f", "-"], &list.to_string(), &[]).ok();
}

/// A configuration of `deploy/` with a server in the place of the Service.
fn served_at(address: SocketAddr, ca: &str, mut configuration: Value) -> Value {
    for webhook in configuration["webhooks"].as_array_mut().unwrap() {
        let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap();
        let url = format!("https://{address}{path}");
        webhook["clientConfig"] = json!({ "url": url, "caBundle": BASE64.encode(ca) });
    }
    configuration
}

/// The event of `message` in a log, where it is there.
fn logged(log: &str, message: &str) -> Option<Value> {
    let mut events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.find(|event| event["message"] == message)
}

/// What the apiserver answers to a pool of this range and does not store.
fn try_out(plane: &Plane, range: &str, identity: Identity<'_>) -> Value {
    let pool = json!({
        "apiVersion": "whereabouts.cni.cncf.io/v1alpha1",
        "kind": "IPPool",
        "metadata": { "name": "10.255.255.0-24" },
        "spec": { "range": range, "allocations": {} },
    });
    let path = "/apis/whereabouts.cni.cncf.io/v1alpha1/namespaces/kube-system/ippools?dryRun=All";
    plane.request("POST", path, "application/json", &pool.to_string(), identity).1
}
