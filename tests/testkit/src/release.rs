//! The program serving in a process of its own, for measurements.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::pki::{Ca, Pair};
use crate::process::Process;
use crate::{ROOT, program_path};

/// The program of this folder in `benches`, one in Go to compare with, which is built if it is missing.
pub fn go_program(folder: &str) -> PathBuf {
    let build = format!("{ROOT}/benches/build_go");
    let built = Command::new(build).arg(folder).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "{}", built.status);
    String::from_utf8(built.stdout).unwrap().trim().into()
}

/// A directory with the serving certificate and its key.
pub struct CertFiles(tempfile::TempDir);

impl CertFiles {
    pub fn new(ca: &Ca) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.swap(&ca.pair("server"));
        files
    }

    /// Replaces the pair; each file in one step.
    pub fn swap(&self, pair: &Pair) {
        for (name, text) in [("tls.key", &pair.key), ("tls.crt", &pair.cert)] {
            std::fs::write(self.path("new"), text).unwrap();
            std::fs::rename(self.path("new"), self.path(name)).unwrap();
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// The program serving; dropping it kills the program.
pub struct Serving {
    program: Child,
    pub address: SocketAddr,
    admin: SocketAddr,
    pub ready_after: Duration,
}

impl Serving {
    /// Starts the program and waits until it is ready.
    pub fn start(files: &CertFiles) -> Self {
        let started = Instant::now();
        let mut program = Command::new(program_path())
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--log-format",
                "json",
            ])
            .arg("--tls-cert")
            .arg(files.path("tls.crt"))
            .arg("--tls-key")
            .arg(files.path("tls.key"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
        let serving = log.find_map(|line| {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            (event["message"] == "serving").then_some(event)
        });
        let serving = serving.expect("it ended before it served");
        let address = |name: &str| serving[name].as_str().unwrap().parse().unwrap();
        let (address, admin) = (address("address"), address("admin"));
        while !ask(admin, "/readyz").starts_with("HTTP/1.1 200") {}
        let ready_after = started.elapsed();
        // The pipe of the log must not fill up.
        std::thread::spawn(move || log.for_each(drop));
        Self { program, address, admin, ready_after }
    }

    /// The running program.
    pub fn process(&self) -> Process {
        Process(self.program.id())
    }

    /// The value of a series of `/metrics`, labels included; 0 where it is not there.
    pub fn metric(&self, series: &str) -> f64 {
        let text = ask(self.admin, "/metrics");
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok();
        text.lines().find_map(value).unwrap_or(0.0)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}

/// The whole response of the admin port.
fn ask(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
