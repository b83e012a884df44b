//! The container image, checked without a registry or an engine. `make image` runs these tests on the release it
//! has just laid out (`IPPOOL_WEBHOOK_IMAGE` names the layout); without it a small static program takes its place. A program
//! for another machine runs under qemu.
#![cfg(all(target_os = "linux", feature = "serve"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod dist;
mod program;

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// The largest image worth calling small, in bytes; the release takes less than half of it.
const MOST_BYTES: u64 = 10_000_000;

fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Output {
    let name = program.as_ref().display().to_string();
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output();
    output.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a program for `machine`, in an emulator if that is another one.
fn on(machine: &str, program: &Path) -> Command {
    if machine == ARCH {
        return Command::new(program);
    }
    let mut command = Command::new(format!("qemu-{machine}"));
    command.arg(program);
    command
}

fn ran(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/image/layout")
}

/// A static program that tells its version as the release does.
fn stand_in(directory: &Path) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/static.c");
    let text = concat!("-DTEXT=\"ippool-webhook ", env!("CARGO_PKG_VERSION"), "\"");
    let program = directory.join("program");
    let freestanding = ["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-O1"];
    let rest = [text, "-o", program.to_str().unwrap(), source];
    ran("cc", &[freestanding.as_slice(), &rest].concat());
    program
}

fn lay_out(program: &Path, layout: &Path) {
    ran(script(), &[layout.to_str().unwrap(), program.to_str().unwrap()]);
}

/// The blob of a descriptor, which is as long as it says and has the digest it says.
fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let file = layout.join("blobs/sha256").join(digest);
    assert!(ran("sha256sum", &[file.to_str().unwrap()]).starts_with(digest), "{digest}");
    assert_eq!(descriptor["size"], fs::metadata(&file).unwrap().len(), "{digest}");
    file
}

fn parsed(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The image of one architecture.
struct Image {
    architecture: String,
    manifest: Value,
    config: Value,
    layer: PathBuf,
}

impl Image {
    fn read(layout: &Path, descriptor: &Value) -> Self {
        let manifest = parsed(&blob(layout, descriptor));
        let config = parsed(&blob(layout, &manifest["config"]));
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
        let layer = blob(layout, &manifest["layers"][0]);
        let architecture = config["architecture"].as_str().unwrap().to_owned();
        assert_eq!(descriptor["platform"], json!({ "architecture": architecture, "os": "linux" }));
        Self { architecture, manifest, config, layer }
    }

    /// Unpacks the program into `directory`.
    fn program(&self, directory: &Path) -> PathBuf {
        ran("tar", &["-xzf", self.layer.to_str().unwrap(), "-C", directory.to_str().unwrap()]);
        directory.join("ippool-webhook")
    }

    /// Its architecture, as Rust and qemu name it.
    fn machine(&self) -> &str {
        match self.architecture.as_str() {
            "amd64" => "x86_64",
            "arm64" => "aarch64",
            other => other,
        }
    }

    fn is_native(&self) -> bool {
        self.machine() == ARCH
    }
}

/// The images of a layout: one name leads to an index of them.
fn read(layout: &Path) -> Vec<Image> {
    assert_eq!(parsed(&layout.join("oci-layout")), json!({ "imageLayoutVersion": "1.0.0" }));
    let named = parsed(&layout.join("index.json"))["manifests"].as_array().unwrap().clone();
    let [index] = named.as_slice() else { panic!("one name: {named:?}") };
    let annotations = index["annotations"].as_object().unwrap();
    assert_eq!(annotations["org.opencontainers.image.ref.name"], env!("CARGO_PKG_VERSION"));
    let index = parsed(&blob(layout, index));
    let descriptors = index["manifests"].as_array().unwrap();
    // For each image these three, and the index, are all there is.
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap().count();
    assert_eq!(blobs, 3 * descriptors.len() + 1);
    descriptors.iter().map(|descriptor| Image::read(layout, descriptor)).collect()
}

/// The images of this run, with what keeps them.
fn images() -> (Vec<Image>, tempfile::TempDir) {
    let scratch = tempfile::tempdir().unwrap();
    if let Some(layout) = std::env::var_os("IPPOOL_WEBHOOK_IMAGE") {
        return (read(Path::new(&layout)), scratch);
    }
    let layout = scratch.path().join("layout");
    lay_out(&stand_in(scratch.path()), &layout);
    (read(&layout), scratch)
}

#[test]
fn the_image_starts_the_program_as_a_numbered_user() {
    let (images, _scratch) = images();
    for image in images {
        let config = &image.config["config"];
        assert_eq!(config["User"], "65532:65532");
        assert_eq!(config["Entrypoint"], json!(["/ippool-webhook"]));
        assert_eq!(config["Cmd"], Value::Null);
        assert_eq!(config["ExposedPorts"], json!({ "8080/tcp": {}, "8443/tcp": {} }));
        assert_eq!(config["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn the_dockerfile_says_the_same() {
    let dockerfile = Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile");
    let text = fs::read_to_string(dockerfile).unwrap();
    let last = text.split("\nFROM ").last().unwrap();
    let instructions: Vec<_> =
        last.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let wanted = [
        "scratch",
        "COPY --from=build --chown=0:0 --chmod=0755 /ippool-webhook /ippool-webhook",
        "USER 65532:65532",
        "EXPOSE 8443/tcp 8080/tcp",
        "ENTRYPOINT [\"/ippool-webhook\"]",
    ];
    assert_eq!(instructions, wanted);
}

#[test]
fn the_image_is_one_static_program_and_nothing_else() {
    let (images, scratch) = images();
    for image in images {
        let listed = ran("tar", &["--numeric-owner", "-tvzf", image.layer.to_str().unwrap()]);
        let fields: Vec<_> = listed.split_whitespace().collect();
        let [mode, owner, _size, _day, _hour, name] = fields.as_slice() else { panic!("one file: {listed}") };
        assert_eq!((*mode, *owner, *name), ("-rwxr-xr-x", "0/0", "ippool-webhook"));
        assert!(image.manifest["layers"][0]["size"].as_u64().unwrap() < MOST_BYTES);
        let program = image.program(scratch.path());
        let headers = ran("readelf", &["--wide", "--program-headers", program.to_str().unwrap()]);
        assert!(!headers.contains("INTERP"), "{headers}");
        // It runs where there is nothing else, and is the release it says it is.
        let version = on(image.machine(), &program).arg("--version").output().unwrap().stdout;
        assert_eq!(
            String::from_utf8(version).unwrap().trim(),
            concat!("ippool-webhook ", env!("CARGO_PKG_VERSION"))
        );
    }
}

#[test]
fn the_dockerfile_builds_as_the_image_is_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let (dockerfile, makefile) = (read("Dockerfile"), read("Makefile"));
    assert!(dockerfile.contains("deploy/image/cargo $machine-unknown-linux-gnu build"));
    assert!(makefile.contains("deploy/image/cargo $*-unknown-linux-gnu build"));
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.split('"').nth(1).unwrap();
    assert!(dockerfile.contains(&format!(" rust:{version}-bookworm AS build")), "{version}");
}

#[test]
fn the_layer_unpacks_to_what_the_config_says() {
    let (images, scratch) = images();
    for image in images {
        let tar = scratch.path().join("layer.tar");
        fs::write(&tar, run("gzip", &["-dc", image.layer.to_str().unwrap()]).stdout).unwrap();
        let sum = ran("sha256sum", &[tar.to_str().unwrap()]);
        let digest = sum.split_whitespace().next().unwrap();
        let rootfs = json!({ "type": "layers", "diff_ids": [format!("sha256:{digest}")] });
        assert_eq!(image.config["rootfs"], rootfs);
    }
}

#[test]
fn the_same_program_gives_the_same_image() {
    let scratch = tempfile::tempdir().unwrap();
    let program = stand_in(scratch.path());
    let index = ["one", "two"].map(|name| {
        let layout = scratch.path().join(name);
        lay_out(&program, &layout);
        fs::read_to_string(layout.join("index.json")).unwrap()
    });
    assert_eq!(index[0], index[1]);
}

#[test]
fn a_program_that_needs_a_loader_is_rejected() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, program) = (scratch.path().join("program.c"), scratch.path().join("program"));
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    ran("cc", &["-o", program.to_str().unwrap(), source.to_str().unwrap()]);
    let layout = scratch.path().join("layout");
    let output = run(script(), &[layout.to_str().unwrap(), program.to_str().unwrap()]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("asks for a dynamic loader; build it with deploy/image/cargo"), "{said}");
    assert!(!layout.exists());
}

#[test]
fn a_directory_that_holds_something_else_is_not_replaced() {
    let scratch = tempfile::tempdir().unwrap();
    let (program, layout) = (stand_in(scratch.path()), scratch.path().join("letters"));
    fs::create_dir(&layout).unwrap();
    fs::write(layout.join("letter"), "dear").unwrap();
    let output = run(script(), &[layout.to_str().unwrap(), program.to_str().unwrap()]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("is there and is no image layout"));
    assert_eq!(fs::read_to_string(layout.join("letter")).unwrap(), "dear");
}
