//! The policy file, for `serve` and `check` alike.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};

use crate::policy::Policy;

/// The largest policy that is read, in bytes; a policy that sets every rule takes 2 KiB.
const MAX_POLICY_BYTES: u64 = 1 << 20;

/// Reads a policy from YAML.
///
/// # Errors
/// When the file cannot be read, is larger than 1 MiB, or is no policy; the text names the file, the line
/// and what would be right.
pub fn load(path: &Path) -> anyhow::Result<Policy> {
    let text = read(path).with_context(|| format!("cannot read the policy {}", path.display()))?;
    // Nothing set is nothing changed. The parser would ask for a document.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Policy::default());
    }
    serde_saphyr::from_str(&text).with_context(|| format!("{} is no policy", path.display()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_POLICY_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_POLICY_BYTES {
        bail!("it is larger than {} KiB", MAX_POLICY_BYTES >> 10);
    }
    Ok(text)
}
