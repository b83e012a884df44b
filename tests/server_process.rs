//! The program as a person or a kubelet starts and stops it.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use testkit::client::{Caller, header};
use testkit::pki::Ca;
use testkit::program::{Serving, program, until_logged};
use testkit::server::{ALLOWED, DENIED};

/// Runs the program to its end, which is to be a failure to start; what it says.
fn refuses(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = program(arguments).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{said}");
    said
}

#[tokio::test]
async fn after_sigterm_the_request_in_flight_is_answered_and_it_exits_0() {
    let mut serving = Serving::start(&["--shutdown-delay", "0"]);
    let mut caller = serving.caller().await;
    caller.send(&header("/validate", ALLOWED.len())).await;
    caller.send(&ALLOWED[..100]).await;
    let mut admin = Caller(tokio::net::TcpStream::connect(serving.admin).await.unwrap());
    // Once the first half is counted, the request is known to be under way.
    loop {
        admin.send("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        if admin.answer().await.text.contains("ippool_webhook_in_flight_bytes 100\n") {
            break;
        }
    }
    serving.signal("TERM");
    until_logged(&mut serving.log, "draining: readiness off, still serving");
    caller.send(&ALLOWED[100..]).await;
    let reply = caller.answer().await;
    assert_eq!((reply.status, reply.closes()), (200, true), "{}", reply.text);
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("shutdown complete"), "{log}");
}

#[tokio::test]
async fn a_second_signal_exits_immediately() {
    let mut serving = Serving::start(&["--shutdown-delay", "600"]);
    let mut caller = serving.caller().await;
    caller.send(&header("/validate", ALLOWED.len())).await;
    serving.signal("INT");
    until_logged(&mut serving.log, "draining: readiness off, still serving");
    serving.signal("TERM");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("received a second signal, exiting immediately"), "{log}");
    assert!(caller.is_cut().await);
}

#[tokio::test]
async fn self_signed_prints_a_curl_command_and_its_real_response() {
    let mut serving = Serving::start(&["--shutdown-delay", "0"]);
    let answer = serving.caller().await.post("/validate", DENIED).await.json();
    serving.signal("TERM");
    let mut printed = String::new();
    serving.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    let url = format!("https://localhost:{}/validate", serving.address.port());
    let ca = serving.directory.path().join("ca.pem");
    for part in [&url, ca.to_str().unwrap(), "curl --cacert", "@tests/fixtures/reviews/create-prefix-33.json"]
    {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
    let shown = printed.find("  {").map(|at| serde_json::from_str::<Value>(&printed[at..]).unwrap());
    assert_eq!(shown, Some(answer));
    assert!(Path::new("tests/fixtures/reviews/create-prefix-33.json").exists());
}

#[tokio::test]
async fn a_review_is_logged_as_one_line_without_the_object() {
    let mut serving = Serving::start(&["--shutdown-delay", "0"]);
    let mut caller = serving.caller().await;
    caller.post("/validate", ALLOWED).await;
    caller.post("/validate", DENIED).await;
    caller.post("/validate", "{\"podref\":\n").await;
    let event = until_logged(&mut serving.log, "reviewed");
    assert_eq!(event["level"], "INFO");
    assert_eq!(event["outcome"], "denied", "what is allowed is not worth a line at this level");
    let review: Value = serde_json::from_str(DENIED).unwrap();
    let request = &review["request"];
    assert_eq!(event["uid"], request["uid"]);
    let wanted = ["validate", "CREATE", "admin", "kube-system", "bad-cidr", "IPP102=1"];
    let fields = ["endpoint", "operation", "user", "namespace", "name", "rules"]
        .map(|name| event[name].as_str().unwrap());
    assert_eq!(fields, wanted);
    assert!(event["duration_ms"].as_f64().unwrap() > 0.0);
    assert!(!event.to_string().contains("10.0.0.0/33"), "{event}");

    let event = until_logged(&mut serving.log, "rejected");
    assert_eq!((&event["reason"], &event["status"]), (&"not_json".into(), &400.into()));
    assert!(!event.to_string().contains("podref"), "{event}");
}

#[tokio::test]
async fn the_log_names_each_rule_once_with_the_number_of_its_findings() {
    const POOL: &str = r#"{"range": "10.0.0.0/24", "allocations": {
        "one": {"id": "a", "podref": "a/a"}, "two": {"id": "b", "podref": "a/b"}, "300": {"id": "c", "podref": ""}}}"#;
    let mut serving = Serving::start(&[]);
    let mut review: Value = serde_json::from_str(DENIED).unwrap();
    review["request"]["object"]["metadata"]["name"] = "10.0.0.0-24".into();
    review["request"]["object"]["spec"] = serde_json::from_str(POOL).unwrap();
    serving.caller().await.post("/validate", &review.to_string()).await;
    let event = until_logged(&mut serving.log, "reviewed");
    assert_eq!((&event["rules"], &event["findings"]), (&"IPP202=2,IPP206=1,IPP211=1".into(), &4.into()));
}

#[tokio::test]
async fn a_port_without_a_host_listens_on_all_addresses() {
    let serving = Serving::start(&["--listen", ":0", "--admin-listen", "localhost:0"]);
    assert!(serving.address.ip().is_unspecified() && serving.admin.ip().is_loopback());
    assert_eq!(serving.admin("/livez").await.0, 200);
    let mut hosts = vec!["127.0.0.1"];
    // A machine without IPv6 has no ::1.
    hosts.extend(std::net::TcpListener::bind("[::1]:0").is_ok().then_some("::1"));
    for host in hosts {
        let stream = tokio::net::TcpStream::connect((host, serving.address.port())).await;
        assert!(stream.is_ok(), "{host}: {stream:?}");
    }
}

#[test]
fn an_address_without_a_port_is_an_error_with_the_forms() {
    for address in ["localhost", "8443", ":", ":65536", "::1:8443", "[::1]", "https://localhost:8443"] {
        let said = refuses(&["serve", "--self-signed", "--listen", address]);
        assert!(said.contains("write HOST:PORT, [IPv6]:PORT, or :PORT for all addresses"), "{said}");
    }
    let said = refuses(&["serve", "--self-signed", "--listen", "no-such-host.invalid:1"]);
    assert!(said.contains("cannot listen on no-such-host.invalid:1 (--listen)"), "{said}");
}

#[tokio::test]
async fn enforcement_warn_allows_a_denied_review_and_counts_it() {
    let serving = Serving::start(&["--enforcement", "warn"]);
    let answer = serving.caller().await.post("/validate", DENIED).await.json();
    assert_eq!(answer["response"]["allowed"], true);
    assert!(answer["response"]["warnings"][0].as_str().unwrap().contains("IPP102"), "{answer}");
    let metrics = serving.admin("/metrics").await.1;
    assert!(
        metrics.contains("ippool_webhook_reviews_would_deny_total{endpoint=\"validate\"} 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn an_untrusted_write_like_the_plugins_is_logged_and_counted() {
    const ALLOCATES: &str = include_str!("fixtures/reviews/whereabouts-third-allocation.json");
    let mut serving = Serving::start(&[]);
    let mut caller = serving.caller().await;
    for user in ["system:serviceaccount:kube-system:whereabouts", "alice", "system:serviceaccount:ipam:agent"]
    {
        let review = ALLOCATES.replace("system:serviceaccount:kube-system:whereabouts", user);
        assert_eq!(caller.post("/validate", &review).await.json()["response"]["allowed"], true);
    }
    let message = "an untrusted service account writes like the CNI plugin; if it is that of whereabouts, add the user to \
                   trustedWriters in the policy and to the matchConditions of the webhooks";
    let event = until_logged(&mut serving.log, message);
    let fields = ["level", "user", "namespace", "name"].map(|name| event[name].as_str().unwrap());
    assert_eq!(fields, ["WARN", "system:serviceaccount:ipam:agent", "kube-system", "10.100.0.0-24"]);
    let metrics = serving.admin("/metrics").await.1;
    assert!(metrics.contains("ippool_webhook_untrusted_plugin_writes_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn flags_override_the_policy_file_which_overrides_the_defaults() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy.yaml");
    std::fs::write(&policy, "rules: {IPP102: warn}\nlimits: {maxBodyBytes: 3000, maxInFlightBytes: 5000}\n")
        .unwrap();
    let policy = policy.to_str().unwrap();
    let long = format!("{ALLOWED:<3001}");
    for (more, status) in
        [(&["--policy", policy][..], 413), (&["--policy", policy, "--max-body-bytes", "4000"], 200)]
    {
        let serving = Serving::start(more);
        let mut caller = serving.caller().await;
        assert_eq!(caller.post("/validate", &long).await.status, status);
        let answer = caller.post("/validate", DENIED).await.json();
        assert_eq!(answer["response"]["allowed"], true, "{answer}");
    }
}

#[test]
fn a_port_in_use_is_an_error_with_the_flag_and_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, other) in [("--listen", "--admin-listen"), ("--admin-listen", "--listen")] {
        let said = refuses(&["serve", "--self-signed", flag, &address, other, "127.0.0.1:0"]);
        let wanted = format!("cannot listen on {address} ({flag})");
        assert!(said.contains(&wanted) && said.contains("another address"), "{said}");
        assert_eq!(said.matches("(os error ").count(), 1, "{said}");
    }
}

#[test]
fn wrong_flags_are_an_error_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).unwrap();
        directory.path().join(name).to_str().unwrap().to_owned()
    };
    let pair = Ca::root().pair("server");
    let (cert, key) = (file("tls.crt", &pair.cert), file("tls.key", &pair.key));
    let policy = file("policy.yaml", "normalize: true\nrules:\n  IPP999: warn\n");
    let cases: [(&[&str], &[&str]); 10] = [
        (&[], &["no certificate", "--tls-cert and --tls-key, or --self-signed to try it out"]),
        (&["--tls-cert", &cert], &["--tls-key"]),
        (
            &["--self-signed", "--tls-cert", &cert, "--tls-key", &key],
            &["--self-signed", "cannot be used with"],
        ),
        (&["--tls-cert", "/no/such", "--tls-key", &key], &["--tls-cert /no/such", "No such file"]),
        (&["--self-signed", "--policy", &policy], &["policy.yaml", "IPP999", "line 3"]),
        (&["--self-signed", "--policy", "/no/such"], &["--policy", "/no/such"]),
        (&["--self-signed", "--idle-timeout", "99"], &["--idle-timeout", "at least 100", "90 s"]),
        (
            &["--self-signed", "--max-in-flight-bytes", "1000"],
            &["--max-in-flight-bytes 1000", "--max-body-bytes"],
        ),
        (&["--self-signed", "--client-name", "x"], &["--client-ca"]),
        (&["--self-signed", "--client-ca", &key], &["--client-ca", "CA certificates in PEM"]),
    ];
    for (arguments, parts) in cases {
        let said = refuses(
            &[&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], arguments].concat(),
        );
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        assert!(said.matches("(os error ").count() <= 1, "{said}");
    }
}
