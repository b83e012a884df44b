//! kubectl's reader in a child process: `tests/cluster/tools/yaml`, with pinned modules.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::Read;

/// The child with its pipes.
pub struct Kubectl {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

#[derive(Deserialize)]
struct Response {
    documents: Vec<Value>,
    error: Option<String>,
}

impl Kubectl {
    /// Builds and starts it.
    pub fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/tools/yaml");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl-yaml");
        let mut build = Command::new("go");
        build.args(["build", "-mod=readonly", "-trimpath", "-o"]).arg(&program).arg(".");
        build.current_dir(folder).env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
        let built = build.status().expect("the comparison with kubectl's reader needs Go on PATH");
        assert!(built.success(), "tests/cluster/tools/yaml does not build");
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// What kubectl reads from `text`.
    pub fn read(&mut self, text: &str) -> Read {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        let frame = [&length[..], text.as_bytes()].concat();
        self.input.as_mut().unwrap().write_all(&frame).unwrap();
        let mut length = [0; 4];
        self.output.read_exact(&mut length).unwrap();
        let mut response = vec![0; u32::from_be_bytes(length) as usize];
        self.output.read_exact(&mut response).unwrap();
        let Response { documents, error } = serde_json::from_slice(&response).unwrap();
        Read { documents, error }
    }
}

/// The child exits at the end of its input.
impl Drop for Kubectl {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
