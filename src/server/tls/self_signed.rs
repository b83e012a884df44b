//! `--self-signed`: a certificate for localhost, generated at start, and a first request to try it with.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

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
pub fn certificates() -> anyhow::Result<(Certificates, String)> {
    let now = pki::now();
    let ca = Authority::new(now)?;
    let issued = ca.issue(&NAMES.map(String::from), now)?;
    let certificates = Certificates::from_pem(&issued.cert.pem(), &issued.signing_key.serialize_pem())?;
    Ok((certificates, ca.certificate.pem()))
}

/// Prints to `out` a request for the server at `address` and the response to it, which is computed here in the same way.
pub fn print_quickstart(
    out: &mut impl Write,
    address: SocketAddr,
    ca_out: &Path,
    policy: &Policy,
) -> anyhow::Result<()> {
    let (port, ca) = (address.port(), quoted(ca_out));
    writeln!(
        out,
        "Serving on https://localhost:{port} with a self-signed certificate; press Ctrl-C to stop.

In another terminal, from the repository, send it a review that a kube-apiserver sent
when a user created a pool of 10.0.0.0/33:

  curl --cacert {ca} -H 'Content-Type: application/json' \\
    --data-binary @{SAMPLE_PATH} https://localhost:{port}/validate

The response (with line breaks added here):
"
    )?;
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
