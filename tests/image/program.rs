//! The programs of the image do what the program of the tests does. Without `IPPOOL_WEBHOOK_IMAGE`, that one takes their place.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::apiserver::{kubeconfig, start, status};
use testkit::program::{Serving, program};
use testkit::server::DENIED;

use super::{Image, images, on};

/// Calls `test` with a command for each program of the image, and with its name.
fn for_each_program(test: impl Fn(&dyn Fn() -> Command, &str)) {
    if std::env::var_os("IPPOOL_WEBHOOK_IMAGE").is_none() {
        return test(&|| program(&[]), "debug");
    }
    let (images, scratch) = images();
    for image in images {
        let program = image.program(scratch.path());
        test(&|| on(image.machine(), &program), &image.architecture);
    }
}

#[test]
fn every_program_of_the_image_serves_and_reviews() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for_each_program(|command, name| {
        let serving = Serving::start_as(command(), &[]);
        let reply = runtime.block_on(async { serving.caller().await.post("/validate", DENIED).await });
        let response = &reply.json()["response"];
        assert_eq!(response["status"]["code"], 422, "{name}: {}", reply.text);
        let cause = response["status"]["details"]["causes"][0]["message"].as_str().unwrap();
        assert!(cause.ends_with("[IPP102]"), "{name}: {cause}");
    });
}

#[test]
fn every_program_of_the_image_checks_manifests_and_shows_rules() {
    let manifest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/manifests/bad/range-prefix-33.yaml");
    for_each_program(|command, name| {
        let checked = command().args(["check", "--format", "json"]).arg(&manifest).output().unwrap();
        let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(report["findings"][0]["rule"], "IPP102", "{name}: {report}");
        assert_eq!(checked.status.code(), Some(1), "{name}");
        let rules = command().args(["rules", "--format", "json"]).output().unwrap();
        let rules: Value = serde_json::from_slice(&rules.stdout).unwrap();
        assert_eq!(rules.as_array().unwrap().len(), ippool_webhook::kinds::rules().len(), "{name}");
    });
}

/// Runs `program` where there is nothing but it and these files.
fn in_empty_root(program: &Path, root: &Path, arguments: &[&str]) -> Command {
    std::fs::copy(program, root.join("ippool-webhook")).unwrap();
    let mut command = Command::new("unshare");
    command.env_clear().env("PATH", "/usr/bin:/bin").arg("--map-root-user").arg("--root").arg(root);
    command.arg("/ippool-webhook").args(arguments);
    command
}

fn native(images: &[Image], scratch: &Path) -> Option<PathBuf> {
    let image = images.iter().find(|image| image.is_native());
    image.map(|image| image.program(scratch))
}

#[test]
fn an_empty_root_with_hosts_reaches_a_cluster_by_its_name() {
    let (address, root) = (start(|_, _, _| status(403, "not today")), tempfile::tempdir().unwrap());
    let write = |name: &str, text: String| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let of_image = std::env::var_os("IPPOOL_WEBHOOK_IMAGE").map(|_| images());
    let host = if of_image.is_some() { "cluster.test" } else { "localhost" };
    let server = format!("http://{host}:{}", address.port());
    write("etc/hosts", "127.0.0.1 cluster.test\n".to_owned());
    write("kubeconfig", kubeconfig(&server));
    let mut command = match &of_image {
        Some((images, scratch)) => {
            let program = native(images, scratch.path()).unwrap();
            in_empty_root(&program, root.path(), &["certs", "show", "--kubeconfig", "/kubeconfig"])
        }
        None => {
            let mut command = program(&["certs", "show", "--kubeconfig"]);
            // As if this machine had no root certificates.
            command
                .arg(root.path().join("kubeconfig"))
                .env("SSL_CERT_FILE", "/none")
                .env("SSL_CERT_DIR", "/none");
            command
        }
    };
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("not today"), "{said}");
}
