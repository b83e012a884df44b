//! Every encoding in which issuers write a certificate and its key, and the errors of those that cannot be used.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ippool_webhook::admission::respond;
use ippool_webhook::server::Certificates;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use testkit::pki::{Ca, Pair};
use testkit::server::{ALLOWED, Running, quick};

/// The status of a request to a server with this pair, from a client that trusts only `ca`.
async fn answered(ca: &Ca, pair: &Pair) -> u16 {
    let server = Running::start_tls(quick(), Arc::new(respond), &ca.pem, pair.certificates()).await;
    server.caller().await.post("/validate", ALLOWED).await.status
}

#[tokio::test]
async fn the_whole_certificate_chain_is_sent() {
    let root = Ca::root();
    let intermediate = root.intermediate();
    let mut pair = intermediate.pair("leaf");
    pair.cert += &intermediate.pem;
    assert_eq!(answered(&root, &pair).await, 200);
}

/// The DER element at the start of `der`: its content, and the rest.
fn content(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, at) = match der[1] {
        0x81 => (usize::from(der[2]), 3),
        0x82 => (usize::from(der[2]) * 256 + usize::from(der[3]), 4),
        short => (usize::from(short), 2),
    };
    der[at..].split_at(length)
}

/// The key inside a PKCS#8 key (the third element of its sequence, an octet string): PKCS#1 for RSA, otherwise SEC1.
fn bare(pkcs8: &str, label: &str) -> String {
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(pkcs8.as_bytes()).unwrap() else {
        panic!("the key is PKCS#8")
    };
    let mut rest = content(key.secret_pkcs8_der()).0;
    for _version_and_algorithm in 0..2 {
        rest = content(rest).1;
    }
    let text = BASE64.encode(content(rest).0);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A certificate with a key of each kind that issuers offer, as PKCS#8.
fn pairs(ca: &Ca) -> [(&'static str, Pair); 3] {
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let rsa = KeyPair::from_pem(include_str!("fixtures/keys/rsa.pem")).unwrap();
    [("EC P-256", ca.pair("leaf")), ("EC P-384", ca.pair_of(&p384)), ("RSA", ca.pair_of(&rsa))]
}

#[tokio::test]
async fn keys_of_every_kind_are_accepted_in_every_encoding() {
    let ca = Ca::root();
    for (kind, pair) in pairs(&ca) {
        assert!(pair.key.contains("BEGIN PRIVATE KEY"), "PKCS#8");
        assert_eq!(answered(&ca, &pair).await, 200, "{kind}, PKCS#8");
        let label = if kind == "RSA" { "RSA PRIVATE KEY" } else { "EC PRIVATE KEY" };
        let key = bare(&pair.key, label);
        assert_eq!(answered(&ca, &Pair { key, ..pair }).await, 200, "{kind}, {label}");
    }
}

#[tokio::test]
async fn text_around_a_pem_block_is_ignored() {
    let ca = Ca::root();
    let pair = ca.pair("leaf");
    let sec1 = bare(&pair.key, "EC PRIVATE KEY");
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let forms = [
        (
            "the parameters before the key, as openssl ecparam",
            pair.cert.clone(),
            format!("{parameters}{sec1}"),
        ),
        (
            "text before a block, as openssl x509 -text",
            format!("Certificate:\n    Data:\n{}", pair.cert),
            sec1.clone(),
        ),
        ("lines that end as on Windows", pair.cert.replace('\n', "\r\n"), pair.key.replace('\n', "\r\n")),
        ("no line end at the end", pair.cert.trim_end().to_owned(), pair.key.trim_end().to_owned()),
        (
            "everything in one file",
            format!("{}{}", pair.key, pair.cert),
            format!("{}{}", pair.cert, pair.key),
        ),
    ];
    for (form, cert, key) in forms {
        assert_eq!(answered(&ca, &Pair { cert, key }).await, 200, "{form}");
    }
}

#[test]
fn a_chain_that_begins_with_a_ca_is_an_error_with_the_remedy() {
    let ca = Ca::root();
    let pair = ca.pair("leaf");
    let error =
        Certificates::from_pem(&format!("{}{}", ca.pem, pair.cert), &pair.key).unwrap_err().to_string();
    assert!(error.contains("has to be the first in it, before those of CAs"), "{error}");
}

#[test]
fn a_key_of_another_certificate_is_an_error_that_names_both_files() {
    let (ca, directory) = (Ca::root(), tempfile::tempdir().unwrap());
    let (cert, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
    std::fs::write(&cert, ca.pair("one").cert).unwrap();
    std::fs::write(&key, ca.pair("another").key).unwrap();
    let error = Certificates::from_files(cert, key).unwrap_err().to_string();
    assert!(error.contains("tls.crt cannot be used with the key of"), "{error}");
    assert!(error.contains("tls.key: the key is not that of the certificate"), "{error}");
}

#[test]
fn a_file_without_a_certificate_is_an_error_that_names_the_flag() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
    let missing = Certificates::from_files(cert.clone(), key.clone()).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read --tls-cert") && missing.contains("tls.crt"), "{missing}");
    std::fs::write(&cert, "hello").unwrap();
    std::fs::write(&key, "hello").unwrap();
    let empty = Certificates::from_files(cert.clone(), key.clone()).unwrap_err().to_string();
    assert!(empty.contains("--tls-cert") && empty.contains("holds no certificate in PEM"), "{empty}");
    std::fs::write(&cert, Ca::root().pem).unwrap();
    let keyless = Certificates::from_files(cert, key).unwrap_err().to_string();
    assert!(keyless.contains("--tls-key") && keyless.contains("PKCS#8, PKCS#1 or SEC1"), "{keyless}");
}

#[test]
fn an_unreadable_key_is_an_error_that_names_the_supported_kinds() {
    // A P-521 key, which cert-manager writes for 521 bits, ends in the same error.
    let ca = Ca::root();
    let key = "-----BEGIN EC PRIVATE KEY-----\nMAUCAQEEAA==\n-----END EC PRIVATE KEY-----\n";
    let error = Certificates::from_pem(&ca.pair("leaf").cert, key).unwrap_err().to_string();
    assert!(error.contains("ECDSA P-256 or P-384"), "{error}");
}

#[test]
fn a_file_without_end_is_an_error() {
    let error = Certificates::from_files("/dev/zero".into(), "/dev/zero".into()).unwrap_err().to_string();
    assert!(error.contains("longer than 1048576 bytes"), "{error}");
}

#[test]
fn a_file_that_hangs_at_start_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("tls.crt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = Certificates::from_files(pipe.clone(), pipe).unwrap_err().to_string();
    assert!(error.contains("not read within 5 s; is it a pipe"), "{error}");
}
