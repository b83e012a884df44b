//! Runs the program as a user would, with an empty environment.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A run of the program, not started yet.
pub struct Program {
    command: Command,
    stdin: Vec<u8>,
}

/// Runs the program in `tests/fixtures/manifests`.
pub fn run(arguments: &[&str]) -> Run {
    program(arguments).run()
}

/// The program with these arguments in `tests/fixtures/manifests`.
pub fn program(arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ippool-webhook"));
    command.env_clear().args(arguments).current_dir(manifests());
    Program { command, stdin: Vec::new() }
}

/// The folder of the manifests.
pub fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests")
}

impl Program {
    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets the working directory.
    pub fn in_dir(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Sets standard input.
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.stdin = input.into();
        self
    }

    /// Runs it to the end.
    pub fn run(mut self) -> Run {
        let pipes = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let input = self.stdin;
        // The program may exit before it has read everything, so a broken pipe is not an error.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// The findings of `--format json`.
    pub fn findings(&self) -> Vec<serde_json::Value> {
        let report: serde_json::Value = serde_json::from_str(&self.stdout).unwrap();
        report["findings"].as_array().unwrap().clone()
    }

    /// `file:line rule` of each finding of `--format json`.
    pub fn places(&self) -> Vec<String> {
        let place = |it: &serde_json::Value| {
            format!("{}:{} {}", it["file"].as_str().unwrap(), it["line"], it["rule"].as_str().unwrap())
        };
        self.findings().iter().map(place).collect()
    }
}

/// Compares with `tests/fixtures/expected/<name>`; with `UPDATE_EXPECTED` set, writes the file.
#[track_caller]
pub fn assert_expected(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/expected").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(actual, expected, "{name}; UPDATE_EXPECTED=1 cargo test writes it anew");
}
