//! Starts the program with the arguments of a manifest, and a temporary directory for its mounts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use testkit::pki::Ca;

/// A running program, which is killed on drop.
pub struct Serving {
    child: Child,
    admin: SocketAddr,
    // Kept open, since the program writes its log to it.
    _log: BufReader<ChildStderr>,
    _mounts: tempfile::TempDir,
}

impl Serving {
    /// Starts it with `arguments` and this policy, on free ports of the loopback.
    pub fn with(arguments: &Value, policy: &Path) -> Self {
        let mounts = tempfile::tempdir().unwrap();
        let at = |path: &str| mounts.path().join(path);
        let pair = Ca::root().pair("localhost");
        std::fs::create_dir_all(at("tls")).unwrap();
        std::fs::create_dir_all(at("policy")).unwrap();
        std::fs::write(at("tls/tls.crt"), pair.cert).unwrap();
        std::fs::write(at("tls/tls.key"), pair.key).unwrap();
        std::fs::copy(policy, at("policy/policy.yaml")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ippool-webhook"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IPPOOL_WEBHOOK_")) {
            command.env_remove(name);
        }
        for argument in arguments.as_array().unwrap() {
            command.arg(here(argument.as_str().unwrap(), mounts.path()));
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let admin = admin_address(&mut log);
        Self { child, admin, _log: log, _mounts: mounts }
    }

    /// The response of the admin port, headers and body.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The argument with the mounts below `mounts` and without a fixed port.
fn here(argument: &str, mounts: &Path) -> String {
    let Some((flag, value)) = argument.split_once('=') else { return argument.to_owned() };
    if value.starts_with('/') {
        return format!("{flag}={}{value}", mounts.display());
    }
    let listens = flag.ends_with("listen");
    if listens { format!("{flag}=127.0.0.1:0") } else { argument.to_owned() }
}

/// The admin address in the log line "serving".
fn admin_address(log: &mut impl BufRead) -> SocketAddr {
    let mut lines = String::new();
    loop {
        let start = lines.len();
        assert!(log.read_line(&mut lines).unwrap() > 0, "it ended:\n{lines}");
        let line: Value = serde_json::from_str(&lines[start..]).unwrap_or_default();
        if line["message"] == "serving" {
            return line["admin"].as_str().unwrap().parse().unwrap();
        }
    }
}
