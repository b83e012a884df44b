//! `--self-signed`: a certificate for localhost, generated at start, and a first request to try it with.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;

use super::certificates::Certificates;
use crate::admission::{self, Endpoint};
use crate::pki::{self, Authority};
use crate::policy::Policy;

/// The names of the server for clients on this machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// A review that a real apiserver sent: a pool of 10.0.0.0/33.
const SAMPLE: &str = include_str!("../../../tests/fixtures/reviews/create-prefix-33.json");
/// Its path in the repository.
const SAMPLE_PATH: &str = "tests/fixtures/reviews/create-prefix-33.json";

/// A new certificate for localhost, and its CA as PEM.
///
/// # Errors
///
/// When no key can be generated.
pub fn certificates() -> anyhow::Result<(Certificates, String)> {
    let now = pki::now();
    let ca = Authority::new(now)?;
    let issued = ca.issue(&NAMES.map(String::from), now)?;
    Ok((Certificates::from_pem(&issued.certificate, &issued.key)?, ca.certificate.pem()))
}

/// Writes the CA where `curl --cacert` finds it.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_ca(ca_pem: &str, ca_out: &Path) -> anyhow::Result<()> {
    std::fs::write(ca_out, ca_pem).with_context(|| {
        format!("cannot write the CA to {}; name a writable file with --ca-out", ca_out.display())
    })
}

/// Prints to `out` a request for the server at `address` and the response to it, which is computed here in the same way.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn print_quickstart(
    out: &mut impl Write,
    address: SocketAddr,
    ca_out: &Path,
    policy: &Policy,
) -> anyhow::Result<()> {
    let port = address.port();
    writeln!(
        out,
        "Serving on https://localhost:{port} with a self-signed certificate; press Ctrl-C to stop.\n"
    )?;
    writeln!(out, "In another terminal, from the repository, send it a review that a kube-apiserver sent")?;
    writeln!(out, "when a user created a pool of 10.0.0.0/33:\n")?;
    writeln!(out, "  curl --cacert {} -H 'Content-Type: application/json' \\", quoted(ca_out))?;
    writeln!(out, "    --data-binary @{SAMPLE_PATH} https://localhost:{port}/validate\n")?;
    writeln!(out, "The response (with line breaks added here):\n")?;
    for line in sample_response(policy)?.lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

fn sample_response(policy: &Policy) -> anyhow::Result<String> {
    let response = admission::respond(Endpoint::Validate, SAMPLE.as_bytes(), policy)
        .map_err(|malformed| anyhow::anyhow!("the sample review is malformed: {}", malformed.message))?;
    let response: serde_json::Value = serde_json::from_slice(&response.body)?;
    Ok(serde_json::to_string_pretty(&response)?)
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
