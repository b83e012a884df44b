//! `--self-signed`: a certificate for localhost made at start, and what to try with it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::certificates::Certificates;
use crate::admission::{self, Endpoint};
use crate::policy::Policy;

/// Who the certificate is for: whoever tries it out on this machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// It is made anew at every start.
const VALID_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Clocks differ a little.
const VALID_SINCE: Duration = Duration::from_secs(3600);
/// A review of the repository, as a real apiserver sent it: a pool of 10.0.0.0/33.
const SAMPLE: &str = include_str!("../../../tests/fixtures/reviews/create-prefix-33.json");
/// Where it lies in the repository.
const SAMPLE_PATH: &str = "tests/fixtures/reviews/create-prefix-33.json";

/// A new certificate for localhost, and its CA as PEM.
///
/// # Errors
///
/// When no key can be made.
pub fn certificates() -> anyhow::Result<(Certificates, String)> {
    let ca_key = KeyPair::generate()?;
    let ca = ca_params();
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let key = KeyPair::generate()?;
    let leaf = leaf_params()?.signed_by(&key, &Issuer::new(ca, ca_key))?;
    Ok((Certificates::from_pem(&leaf.pem(), &key.serialize_pem())?, ca_pem))
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    dated(params, "ippool-webhook, self-signed CA")
}

fn leaf_params() -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(NAMES.map(String::from).to_vec())?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(dated(params, "ippool-webhook"))
}

fn dated(mut params: CertificateParams, name: &str) -> CertificateParams {
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = (now - VALID_SINCE).into();
    params.not_after = (now + VALID_FOR).into();
    params
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

/// Prints to `out` what to send to the server at `address`, and the answer it will give: the real one,
/// computed here as the server computes it.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn introduce(
    out: &mut impl Write,
    address: SocketAddr,
    ca_out: &Path,
    policy: &Policy,
) -> anyhow::Result<()> {
    let port = address.port();
    writeln!(out, "Serving on https://localhost:{port} with a self-signed certificate; Ctrl-C stops it.\n")?;
    writeln!(out, "In another terminal, from the repository, send it a review that a kube-apiserver sent")?;
    writeln!(out, "when somebody created a pool of 10.0.0.0/33:\n")?;
    writeln!(out, "  curl --cacert {} -H 'Content-Type: application/json' \\", quoted(ca_out))?;
    writeln!(out, "    --data-binary @{SAMPLE_PATH} https://localhost:{port}/validate\n")?;
    writeln!(out, "It answers (here with line breaks):\n")?;
    for line in sample_answer(policy)?.lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

fn sample_answer(policy: &Policy) -> anyhow::Result<String> {
    let answer = admission::respond(Endpoint::Validate, SAMPLE.as_bytes(), policy)
        .map_err(|malformed| anyhow::anyhow!("the sample review is malformed: {}", malformed.message))?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(serde_json::to_string_pretty(&answer)?)
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
