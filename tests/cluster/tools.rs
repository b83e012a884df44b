//! The programs of the control plane: `tools/build` finds or builds them, once for all tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Where the programs are.
pub struct Tools {
    pub etcd: PathBuf,
    pub apiserver: PathBuf,
    pub kubectl: PathBuf,
    pub whereabouts: PathBuf,
    /// The plugin's module; its CRDs and RBAC are read from `doc/crds` in it.
    pub whereabouts_dir: PathBuf,
}

impl Tools {
    /// Whether this release of whereabouts knows pools of nodes, which came with 0.9.0.
    pub fn has_node_slices(&self) -> bool {
        self.whereabouts_dir.join("doc/crds/whereabouts.cni.cncf.io_nodeslicepools.yaml").exists()
    }
}

/// A file of `tests/cluster/tools`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/tools").join(name)
}

/// The programs; where one cannot be had the test fails, and `build` has said on stderr which one it is.
pub fn tools() -> &'static Tools {
    static TOOLS: OnceLock<Tools> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let mut paths = provided(&[]);
        let mut path = |key| paths.remove(key).unwrap();
        Tools {
            etcd: path("ETCD"),
            apiserver: path("KUBE_APISERVER"),
            kubectl: path("KUBECTL"),
            whereabouts: path("WHEREABOUTS"),
            whereabouts_dir: path("WHEREABOUTS_DIR"),
        }
    })
}

/// The paths that `build` prints with these arguments.
pub fn provided(arguments: &[&str]) -> HashMap<String, PathBuf> {
    let mut build = Command::new(script("build"));
    let ran = build.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let ran = ran.expect("tests/cluster/tools/build needs bash");
    assert!(ran.status.success(), "a program of the control plane is missing; the lines above name it");
    let stdout = String::from_utf8(ran.stdout).unwrap();
    let pairs = stdout.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, path)| (key.to_owned(), path.into())).collect()
}
