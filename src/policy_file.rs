//! The policy file of `serve` and `check`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::policy::Policy;

/// The longest policy file, in bytes; one that sets every rule takes 2 KiB.
const MAX_POLICY_BYTES: u64 = 1 << 20;

#[derive(Debug, Default)]
pub struct PolicyFile {
    pub policy: Policy,
    pub limits: PolicyLimits,
}

/// The `limits` section; `None` leaves the default of the server.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicyLimits {
    pub max_body_bytes: Option<u64>,
    pub max_in_flight_bytes: Option<u64>,
}

/// The policy file without what [`Policy`] reads.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Rest {
    limits: PolicyLimits,
}

/// Reads a policy file (YAML).
pub fn load(path: &Path) -> anyhow::Result<PolicyFile> {
    let text = read(path).with_context(|| format!("cannot read the policy {}", path.display()))?;
    // The parser requires a document, but a file without one is a policy that changes nothing.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(PolicyFile::default());
    }
    parse(&text).with_context(|| format!("{} is not a policy", path.display()))
}

fn parse(text: &str) -> anyhow::Result<PolicyFile> {
    let policy = serde_saphyr::from_str(text)?;
    let Rest { limits } = serde_saphyr::from_str(text)?;
    Ok(PolicyFile { policy, limits })
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_POLICY_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_POLICY_BYTES {
        bail!("it is longer than {} KiB", MAX_POLICY_BYTES >> 10);
    }
    Ok(text)
}
