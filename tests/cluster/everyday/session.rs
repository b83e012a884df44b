//! A session with kubectl: what is done, what a person sees of it, and whether a pod lost its address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::super::manifests::difference;
use super::super::numbers;
use super::super::plugin::Network;
use super::super::process::Ran;
use super::{Cluster, manifest};

pub const CREATE: &[&str] = &["create"];
pub const REPLACE: &[&str] = &["replace"];
pub const APPLY: &[&str] = &["apply"];
pub const SERVER_SIDE: &[&str] = &["apply", "--server-side"];
pub const FORCED: &[&str] = &["apply", "--server-side", "--force-conflicts"];
pub const DIFF: &[&str] = &["diff"];

/// The ways to apply a manifest. The second settles what the third would call a conflict.
pub const APPLIES: [&[&str]; 3] = [APPLY, FORCED, SERVER_SIDE];

/// A session about one pool.
pub struct Session<'a> {
    cluster: &'a Cluster,
    network: Network<'a>,
    /// Of the transcript.
    name: &'static str,
    pool: String,
    file: String,
    transcript: String,
    /// The pods that hold an address.
    held: BTreeMap<IpAddr, String>,
    writes: usize,
    lost: usize,
}

impl<'a> Session<'a> {
    /// A session about the pool of `range`, the network that pods are attached to.
    pub fn new(cluster: &'a Cluster, name: &'static str, range: &str) -> Self {
        Self::on(cluster, name, json!({ "range": range }))
    }

    /// A session about the pool of a network with these settings.
    pub fn on(cluster: &'a Cluster, name: &'static str, ipam: Value) -> Self {
        let network: IpNet = ipam["range"].as_str().unwrap().parse().unwrap();
        let pool = network.trunc().to_string().replace([':', '/'], "-");
        let (network, file) = (cluster.plugin.network(name, ipam), format!("{name}.yaml"));
        let (transcript, held) = (String::new(), BTreeMap::new());
        Self { cluster, network, name, pool, file, transcript, held, writes: 0, lost: 0 }
    }

    /// Writes the manifest that the next commands send, under the name of the pool.
    pub fn write(&mut self, range: &str, entries: &[(&str, &str)]) {
        self.write_named(&self.pool.clone(), range, entries);
    }

    /// The same under another name.
    pub fn write_named(&mut self, name: &str, range: &str, entries: &[(&str, &str)]) {
        let text = manifest(name, range, entries);
        std::fs::write(self.cluster.plane.scratch.join(&self.file), &text).unwrap();
        let spec = text.split_once("metadata:\n").unwrap().1;
        self.note(&format!("# {}, from metadata on:\n{spec}", self.file));
    }

    /// Sends the manifest, which is accepted.
    #[track_caller]
    pub fn accepted(&mut self, verb: &[&str]) {
        let file = self.file.clone();
        self.runs(&[verb, &["-f", &file]].concat());
    }

    /// Shows the spec that would be stored if the manifest were sent.
    #[track_caller]
    pub fn would_store(&mut self, verb: &[&str]) {
        let file = self.file.clone();
        self.runs(&[verb, &["--dry-run=server", "-o", "jsonpath={.spec}", "-f", &file]].concat());
        self.note("\n");
    }

    /// Sends the manifest, which is refused and changes nothing.
    #[track_caller]
    pub fn refused(&mut self, verb: &[&str]) {
        let file = self.file.clone();
        self.fails(&[verb, &["-f", &file]].concat());
    }

    /// Sends the manifest, which is accepted and changes nothing.
    #[track_caller]
    pub fn changes_nothing(&mut self, verb: &[&str]) {
        let before = self.stored();
        self.accepted(verb);
        assert_eq!(self.stored(), before, "{}", self.transcript);
    }

    /// Makes the manifest what client-side apply takes for the one before.
    #[track_caller]
    pub fn sets_last_applied(&mut self) {
        let file = self.file.clone();
        self.runs(&["apply", "set-last-applied", "--create-annotation", "-f", &file]);
    }

    /// Takes from those who applied server-side what they own of the pool.
    #[track_caller]
    pub fn clears_owners(&mut self) {
        self.patches("json", &json!([{ "op": "replace", "path": "/metadata/managedFields", "value": [{}] }]));
    }

    /// A patch of the pool, which is accepted.
    #[track_caller]
    pub fn patches(&mut self, kind: &str, patch: &Value) {
        let pool = self.pool.clone();
        self.runs(&["patch", "ippool", &pool, &format!("--type={kind}"), "-p", &patch.to_string()]);
    }

    /// Shows the spec that a merge patch would store.
    #[track_caller]
    pub fn would_patch(&mut self, patch: &Value) {
        let (pool, patch) = (self.pool.clone(), patch.to_string());
        let tried = ["--dry-run=server", "-o", "jsonpath={.spec}"];
        self.runs(&[&["patch", "ippool", &pool, "--type=merge", "-p", &patch], tried.as_slice()].concat());
        self.note("\n");
    }

    /// A patch of the pool, which is refused and changes nothing.
    #[track_caller]
    pub fn is_denied(&mut self, kind: &str, patch: &Value) {
        let pool = self.pool.clone();
        self.fails(&["patch", "ippool", &pool, &format!("--type={kind}"), "-p", &patch.to_string()]);
    }

    /// A command that succeeds.
    #[track_caller]
    pub fn runs(&mut self, arguments: &[&str]) {
        let code = self.kubectl(arguments).code;
        assert_eq!(code, 0, "{}", self.transcript);
    }

    /// A command that fails and changes nothing.
    #[track_caller]
    pub fn fails(&mut self, arguments: &[&str]) {
        let before = self.stored();
        let code = self.kubectl(arguments).code;
        assert_ne!(code, 0, "{}", self.transcript);
        assert_eq!(self.stored(), before, "{}", self.transcript);
    }

    fn kubectl(&mut self, arguments: &[&str]) -> Ran {
        let ran = self.cluster.plane.kubectl(arguments);
        let typed: Vec<_> = arguments.iter().map(|it| typed(it)).collect();
        let scratch = self.cluster.plane.scratch.join("tmp");
        let printed = ran.stderr.clone() + &ran.stdout;
        let printed = alike(&printed, &scratch, self.cluster.port);
        self.note(&format!("$ kubectl {}\n{printed}", typed.join(" ")));
        if ran.code != 0 {
            self.note(&format!("# exit code {}\n", ran.code));
        }
        self.writes += usize::from(!matches!(arguments[0], "get" | "diff"));
        self.take_stock();
        ran
    }

    /// Shows the spec of the pool, or that it is not there.
    pub fn shows(&mut self) {
        let pool = self.pool.clone();
        let spec = self.stored().map(|it| it.1.to_string());
        let shown = spec.unwrap_or_else(|| "# there is no such pool".to_owned());
        self.note(&format!("$ kubectl get ippool {pool} -o jsonpath={{.spec}}\n{shown}\n"));
    }

    /// Attaches a pod to the network of the pool.
    #[track_caller]
    pub fn attach(&mut self, pod: &str) {
        let addresses =
            self.network.add(pod, pod).unwrap_or_else(|error| panic!("{error}: {}", self.transcript));
        let address = addresses[0].addr();
        self.note(&format!("# the pod {pod} is attached and gets {address}\n"));
        let before = self.held.insert(address, pod.to_owned());
        assert_eq!(before, None, "{address} is given out twice\n{}", self.transcript);
        self.take_stock();
    }

    /// Detaches a pod.
    pub fn detach(&mut self, pod: &str) {
        self.network.del(pod, pod);
        self.note(&format!("# the pod {pod} is detached\n"));
        self.held.retain(|_, held| held != pod);
        self.take_stock();
    }

    /// From now on a pod that was there before is to keep this address.
    pub fn holds(&mut self, pod: &str, address: &str) {
        self.held.insert(address.parse().unwrap(), pod.to_owned());
        self.take_stock();
    }

    /// From now on this pod may lose its address, which is what was asked for.
    pub fn lets_go(&mut self, pods: &[&str]) {
        self.held.retain(|_, held| !pods.contains(&held.as_str()));
    }

    /// A sentence of the transcript.
    pub fn note(&mut self, text: &str) {
        self.transcript.push_str(text);
    }

    /// What is stored: the generation and the spec.
    pub fn stored(&self) -> Option<(Value, Value)> {
        let ran = self.cluster.plane.kubectl(&["get", "ippool", &self.pool, "-o", "json"]);
        if ran.stderr.contains("(NotFound)") {
            return None;
        }
        let pool: Value = serde_json::from_str(&ran.ok()).unwrap();
        Some((pool["metadata"]["generation"].clone(), pool["spec"].clone()))
    }

    /// Counts the pods whose address is not recorded for them.
    #[track_caller]
    fn take_stock(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let spec = self.stored().map(|it| it.1).unwrap_or_default();
        let recorded = addresses(&spec);
        let lost = self.held.iter().filter(|(address, pod)| recorded.get(address) != Some(pod)).count();
        self.lost += lost;
        assert_eq!(lost, 0, "{:?} in {spec}\n{}", self.held, self.transcript);
    }

    /// Adds to the figures. Of a long session nobody reads the transcript.
    pub fn counts(&self) {
        numbers::record("applies tried", self.writes);
        numbers::record("entries that moved or were lost", self.lost);
    }

    /// Compares what was seen with the transcript that is kept.
    #[track_caller]
    pub fn ends(self) {
        self.counts();
        let sessions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/everyday/sessions");
        let difference = difference(&sessions.join(format!("{}.txt", self.name)), &self.transcript);
        assert_eq!(difference.as_deref().unwrap_or_default(), "", "run again with UPDATE_EXPECTED=1");
    }
}

/// The pods by their addresses, as whereabouts counts them.
fn addresses(spec: &Value) -> BTreeMap<IpAddr, String> {
    let Some(range) = spec["range"].as_str() else { return BTreeMap::new() };
    let base = range.parse::<IpNet>().unwrap().addr();
    let entry = |(key, entry): (&String, &Value)| {
        let pod = entry["podref"].as_str()?.strip_prefix("default/")?;
        Some((address(base, key.parse().ok()?), pod.to_owned()))
    };
    spec["allocations"].as_object().into_iter().flatten().filter_map(entry).collect()
}

fn address(base: IpAddr, offset: u128) -> IpAddr {
    match base {
        IpAddr::V4(base) => IpAddr::V4((u32::from(base) + u32::try_from(offset).unwrap()).into()),
        IpAddr::V6(base) => IpAddr::V6((u128::from(base) + offset).into()),
    }
}

/// An argument as it is typed into a shell.
fn typed(argument: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_./=:,".contains(it);
    if argument.chars().all(plain) { argument.to_owned() } else { format!("'{argument}'") }
}

/// Without what differs from run to run, or from one kubectl to another.
fn alike(printed: &str, temporary: &Path, port: u16) -> String {
    printed
        .replace(temporary.to_str().unwrap(), "/tmp")
        .replace(&format!("127.0.0.1:{port}"), "127.0.0.1:8443")
        // Not every release says which namespace it deleted from.
        .replace(" deleted from kube-system namespace", " deleted")
}
