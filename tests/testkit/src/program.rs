//! The program serving in a process of its own, for tests.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::ops::Deref;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::apiserver::{kubeconfig, start_with_queries};
use crate::client::{AdminPort, Caller, client, connect, soon};
use crate::pki::Ca;
use crate::process::Process;
use crate::program_path;

/// Any free ports, and a log that can be parsed; flags override them.
const LOOPBACK: [(&str, &str); 3] = [
    ("IPPOOL_WEBHOOK_LISTEN", "127.0.0.1:0"),
    ("IPPOOL_WEBHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
    ("IPPOOL_WEBHOOK_LOG_FORMAT", "json"),
];

/// The program with these arguments, without environment variables that could change them.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(program_path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IPPOOL_WEBHOOK_")) {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// The program serving with a certificate for localhost; dropping it kills the program.
pub struct Serving {
    pub child: Child,
    pub log: BufReader<ChildStderr>,
    pub address: SocketAddr,
    admin_port: AdminPort,
    pub ca: String,
    pub directory: tempfile::TempDir,
}

impl Deref for Serving {
    type Target = AdminPort;

    fn deref(&self) -> &AdminPort {
        &self.admin_port
    }
}

impl Serving {
    /// With a certificate made at its start.
    pub fn start(more: &[&str]) -> Self {
        Self::start_as(program(&[]), more)
    }

    /// The same, started by this command.
    pub fn start_as(mut command: Command, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ca_out = directory.path().join("ca.pem");
        let arguments = ["serve", "--self-signed", "--ca-out", ca_out.to_str().unwrap()];
        command.args([&arguments, more].concat());
        let (child, log, serving) = spawn(&mut command);
        let ca = std::fs::read_to_string(&ca_out).unwrap();
        Self::new(child, log, &serving, ca, directory)
    }

    /// With the certificate in the files `tls.crt` and `tls.key` of its directory, and started by `through`, a shell
    /// command that ends in the program.
    pub fn start_with_files(through: &str, more: &[&str]) -> Self {
        let (directory, ca) = (tempfile::tempdir().unwrap(), Ca::root());
        let (pair, path) = (ca.pair("server"), |name: &str| directory.path().join(name));
        std::fs::write(path("tls.crt"), pair.cert).unwrap();
        std::fs::write(path("tls.key"), pair.key).unwrap();
        let (cert, key) = (path("tls.crt"), path("tls.key"));
        let files = ["serve", "--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let direct = program(&[&files, more].concat());
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{through} \"$0\" \"$@\"")]).arg(program_path());
        command.args(direct.get_args());
        let (child, log, serving) = spawn(&mut command);
        Self::new(child, log, &serving, ca.pem, directory)
    }

    fn new(
        child: Child,
        log: BufReader<ChildStderr>,
        serving: &Value,
        ca: String,
        directory: tempfile::TempDir,
    ) -> Self {
        let address = |name: &str| serving[name].as_str().unwrap().parse().unwrap();
        let (address, admin) = (address("address"), address("admin"));
        let admin_port = AdminPort { admin };
        Self { child, log, address, admin_port, ca, directory }
    }

    /// The peak of resident memory, in bytes.
    pub fn peak(&self) -> f64 {
        Process(self.child.id()).memory("VmHWM")
    }

    /// Waits until a metric has a value that `wanted` accepts.
    pub async fn until_metric(&self, series: &str, wanted: impl Fn(f64) -> bool) {
        soon(async { while !wanted(self.metric(series).await) {} }).await;
    }

    pub async fn caller(&self) -> Caller<TlsStream<TcpStream>> {
        Caller(soon(connect(self.address, client(&self.ca, None))).await.unwrap())
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// The exit code and the rest of the log.
    pub fn ended(&mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the log up to the line of `message`.
pub fn until_logged(log: &mut impl BufRead, message: &str) -> Value {
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if let Some(event) = serde_json::from_str::<Value>(&line).ok().filter(|it| it["message"] == message) {
            return event;
        }
        line.clear();
    }
    panic!("the log ended without {message:?}")
}

/// Starts the program, and returns the log line by which it says that it serves.
fn spawn(command: &mut Command) -> (Child, BufReader<ChildStderr>, Value) {
    command.envs(LOOPBACK).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let serving = until_logged(&mut log, "serving");
    (child, log, serving)
}

/// `audit --listen` of a cluster that a stand-in for an apiserver answers for; dropping it kills the program.
pub struct Watching {
    child: Child,
    admin_port: AdminPort,
    _folder: tempfile::TempDir,
}

impl Watching {
    /// Each answer is a code and an object, for a path with its query.
    pub fn start(answer: impl Fn(&str) -> (u16, Value) + Send + 'static) -> Self {
        let server = start_with_queries(move |_, target, _| answer(target));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig(&format!("http://{server}"))).unwrap();
        let flags = ["--listen=127.0.0.1:0", "--grace=0", "--interval=1", "--log-format=json"];
        let mut program = program(&["audit", "-A", "--kubeconfig=kubeconfig"]);
        program.args(flags).current_dir(&folder).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let serving = until_logged(&mut log, "serving");
        // The program must not wait for a reader of its log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let admin = serving["address"].as_str().unwrap().parse().unwrap();
        Self { child, admin_port: AdminPort { admin }, _folder: folder }
    }

    /// Waits until a path answers with this code and a text for which `wanted` holds.
    pub async fn until(&self, path: &str, code: u16, wanted: impl Fn(&str) -> bool) {
        let look = async {
            loop {
                let (found, text) = self.admin(path).await;
                if found == code && wanted(&text) {
                    return;
                }
            }
        };
        soon(look).await;
    }
}

impl Deref for Watching {
    type Target = AdminPort;

    fn deref(&self) -> &AdminPort {
        &self.admin_port
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
