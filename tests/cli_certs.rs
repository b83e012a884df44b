//! `certs` against an apiserver in this process, which keeps a Secret and two configurations.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli_support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cli_support::{Run, program};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

const SECRET: &str = "/api/v1/namespaces/ippool-webhook/secrets/ippool-webhook-tls";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ippool-webhook";
const VALIDATING: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/ippool-webhook";

/// Objects by their paths. It answers GET and PATCH, rejects a patch of another `resourceVersion`, and creates nothing.
#[derive(Clone)]
struct Apiserver {
    address: SocketAddr,
    objects: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Apiserver {
    /// With the objects of an installation: an empty Secret, and webhooks without a bundle.
    fn start() -> Self {
        let service = json!({ "namespace": "ippool-webhook", "name": "ippool-webhook" });
        let configuration = |kind: &str| {
            let webhooks = json!([{ "name": "ours", "clientConfig": { "service": service } }, { "name": "other", "clientConfig": { "url": "https://other" } }]);
            json!({ "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "webhooks": webhooks,
                "metadata": { "name": "ippool-webhook", "resourceVersion": "1" } })
        };
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "ippool-webhook-tls", "resourceVersion": "1" } });
        let objects = [
            (SECRET, secret),
            (MUTATING, configuration("MutatingWebhookConfiguration")),
            (VALIDATING, configuration("ValidatingWebhookConfiguration")),
        ];
        let objects = objects.map(|(path, object)| (path.to_owned(), object));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, objects: Arc::new(Mutex::new(objects.into())) };
        let answering = server.clone();
        std::thread::spawn(move || listener.incoming().for_each(|it| answering.answer(it.unwrap())));
        server
    }

    /// Answers one request, and closes the connection.
    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let head: Vec<_> = head.map(|line| line.to_ascii_lowercase()).collect();
        // The client may connect without a request.
        let Some((method, target)) = head.first().and_then(|line| line.split_once(' ')) else { return };
        let path = target.split([' ', '?']).next().unwrap();
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let (code, object) = match (method, self.objects.lock().unwrap().get_mut(path)) {
            ("get", Some(object)) => (200, object.clone()),
            ("post", Some(_)) => status(403, "Forbidden"),
            ("patch", Some(object)) => patched(object, &serde_json::from_slice(&body).unwrap()),
            _ => status(404, "NotFound"),
        };
        let (object, head) = (object.to_string(), format!("HTTP/1.1 {code} Status\r\nconnection: close\r\n"));
        let length = object.len();
        let head = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + &object).as_bytes()).unwrap();
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        change(self.objects.lock().unwrap().get_mut(path).unwrap());
    }

    /// Runs `certs` with these arguments.
    fn certs(&self, arguments: &[&str]) -> Run {
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        let config = json!({
            "current-context": "c",
            "clusters": [{ "name": "c", "cluster": { "server": format!("http://{}", self.address) } }],
            "users": [{ "name": "c", "user": {} }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
        });
        fs::write(&kubeconfig, config.to_string()).unwrap();
        program(&[&["certs"], arguments].concat()).arg("--kubeconfig").arg(&kubeconfig).run()
    }

    /// Everything that is stored.
    fn stored(&self) -> BTreeMap<String, Value> {
        self.objects.lock().unwrap().clone()
    }

    /// The certificates of the bundles of both webhooks, in PEM.
    fn bundles(&self) -> [String; 2] {
        [MUTATING, VALIDATING]
            .map(|path| text(&self.stored()[path]["webhooks"][0]["clientConfig"]["caBundle"]))
    }
}

fn status(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code });
    (code, status)
}

/// The object after a merge patch; elements of `webhooks` are merged by name.
fn patched(object: &mut Value, patch: &Value) -> (u16, Value) {
    let version = object["metadata"]["resourceVersion"].clone();
    if patch["metadata"]["resourceVersion"] != version {
        return status(409, "Conflict");
    }
    let mut patch = patch.clone();
    let webhooks = patch.as_object_mut().unwrap().remove("webhooks");
    for webhook in webhooks.iter().flat_map(|it| it.as_array().unwrap()) {
        let stored = object["webhooks"].as_array_mut().unwrap();
        json_patch::merge(stored.iter_mut().find(|it| it["name"] == webhook["name"]).unwrap(), webhook);
    }
    json_patch::merge(object, &patch);
    object["metadata"]["resourceVersion"] = format!("{}1", version.as_str().unwrap()).into();
    (200, object.clone())
}

fn text(base64: &Value) -> String {
    String::from_utf8(BASE64.decode(base64.as_str().unwrap()).unwrap()).unwrap()
}

/// Asserts that the lines of a successful run begin like this.
#[track_caller]
fn assert_lines(run: &Run, starts: &[&str]) {
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", run.stdout);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{start}: {lines:#?}");
    }
}

/// How long the certificate and the CA live that are made now.
fn lives(now: OffsetDateTime) -> String {
    let life = |what: &str, days: i64| {
        // Both are valid from an hour ago, and renewed after two thirds of their lifetime.
        let (end, third) = (now + Duration::days(days), Duration::minutes((days * 24 + 1) * 20));
        let (end, from) = (end.date(), (end - third).date());
        format!("{what} is valid until {end} and is renewed from {from} on\n")
    };
    life("the certificate", 90) + &life("its CA", 730)
}

#[test]
fn the_first_run_publishes_the_ca_before_it_stores_the_certificate() {
    let server = Apiserver::start();
    let before = OffsetDateTime::now_utc();
    let first = server.certs(&["ensure"]);
    let starts = [
        "stored a new CA, CN=",
        "published to MutatingWebhookConfiguration ippool-webhook: adds CN=",
        "published to ValidatingWebhookConfiguration ippool-webhook: adds CN=",
        "stored a certificate of CN=",
        "the certificate is valid until ",
        "its CA is valid until ",
    ];
    assert_lines(&first, &starts);
    // Midnight may have been between the two.
    let lives = [before, OffsetDateTime::now_utc()].map(lives);
    assert!(lives.iter().any(|it| first.stdout.ends_with(it)), "{lives:#?}: {}", first.stdout);
    let stored = server.stored();
    let ca = text(&stored[SECRET]["data"]["ca.crt"]);
    assert_eq!(server.bundles(), [ca.clone(), ca]);
    assert_eq!(stored[MUTATING]["webhooks"][1]["clientConfig"], json!({ "url": "https://other" }));
    assert_lines(&server.certs(&["ensure"]), &starts[4..]);
    assert_eq!(server.stored(), stored, "nothing was left to do");
    let shown = server.certs(&["show"]);
    assert!(shown.code == Some(0) && shown.stdout.ends_with("all of it fits\n"), "{}", shown.stdout);
}

#[test]
fn a_new_ca_is_published_and_propagated_before_it_signs() {
    let server = Apiserver::start();
    server.certs(&["ensure"]);
    assert_lines(
        &server.certs(&["ensure", "--renew", "ca", "--propagation-delay", "0"]),
        &[
            "stored a new CA, ",
            "published to MutatingWebhookConfiguration ippool-webhook: adds CN=",
            "published to ValidatingWebhookConfiguration ippool-webhook: adds CN=",
            "waiting 0 s until every apiserver has seen it",
            "stored a certificate of CN=",
            "the certificate is valid until ",
            "its CA is valid until ",
        ],
    );
    let authorities = server.bundles().map(|it| it.matches("BEGIN CERTIFICATE").count());
    assert_eq!(authorities, [2, 2], "old and new");
}

#[test]
fn a_dry_run_lists_what_it_would_do_and_writes_nothing() {
    let server = Apiserver::start();
    let before = server.stored();
    assert_lines(
        &server.certs(&["ensure", "--dry-run"]),
        &[
            "would store a new CA, CN=",
            "would publish to MutatingWebhookConfiguration ippool-webhook: adds CN=",
            "would publish to ValidatingWebhookConfiguration ippool-webhook: adds CN=",
            "would store a certificate of CN=",
            "the certificate is valid until ",
            "its CA is valid until ",
            "nothing was written",
        ],
    );
    assert_eq!(server.stored(), before);
}

#[test]
fn all_reasons_not_to_write_are_reported_at_once() {
    let server = Apiserver::start();
    server.change(SECRET, |it| it["immutable"] = true.into());
    server.change(MUTATING, |it| {
        it["metadata"]["annotations"] = json!({ "cert-manager.io/inject-ca-from": "a/b" });
    });
    let before = server.stored();
    let publish_to = ["--publish-to", "mutating/ippool-webhook,validating/absent"];
    let run = server.certs(&[&["ensure"], &publish_to[..]].concat());
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    for part in [
        "MutatingWebhookConfiguration ippool-webhook: the annotation cert-manager.io/inject-ca-from has another program",
        "ValidatingWebhookConfiguration absent: it does not exist",
        "Secret ippool-webhook/ippool-webhook-tls: it is immutable, so no certificate in it can ever be renewed",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    assert_eq!(server.stored(), before);
}

#[test]
fn a_secret_that_cannot_be_created_is_an_error_with_the_remedy() {
    let server = Apiserver::start();
    server.objects.lock().unwrap().remove(SECRET);
    // The path to create it does not exist, as without the namespace.
    let run = server.certs(&["ensure"]);
    let why = "error: cannot create Secret ippool-webhook/ippool-webhook-tls: NotFound\n    \
               kubectl get namespaces ippool-webhook\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), why), "{}", run.stdout);
    let secrets = SECRET.strip_suffix("/ippool-webhook-tls").unwrap();
    server.objects.lock().unwrap().insert(secrets.to_owned(), json!("forbidden"));
    let run = server.certs(&["ensure"]);
    for part in [
        "cannot create Secret ippool-webhook/ippool-webhook-tls, which does not exist (the overlay self-managed has it, empty: apply it again): the apiserver says: Forbidden",
        "\n    kubectl auth can-i create secrets/ippool-webhook-tls -n ippool-webhook\n",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
}
