//! What the tests, benches and fuzz targets share: reviews, bodies to measure with, and a server with its clients.

pub mod adversarial;
pub mod bodies;
pub mod figures;
pub mod monitoring;
pub mod pages;
pub mod review;

#[cfg(feature = "serve")]
pub mod apiserver;
#[cfg(feature = "serve")]
pub mod client;
#[cfg(feature = "serve")]
pub mod client_auth;
#[cfg(feature = "serve")]
pub mod cluster;
#[cfg(feature = "serve")]
pub mod ippool;
#[cfg(feature = "serve")]
pub mod pki;
#[cfg(feature = "serve")]
pub mod process;
#[cfg(feature = "serve")]
pub mod program;
#[cfg(feature = "serve")]
pub mod release;
#[cfg(feature = "serve")]
pub mod server;

/// The root of the repository.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// The bytes of one MiB.
pub const MIB: f64 = 1_048_576.0;

/// The recorded update of a pool with this many allocations.
pub fn recorded(allocations: usize) -> Vec<u8> {
    let name = match allocations {
        3 => "whereabouts-third-allocation".to_owned(),
        many => format!("large-{many}"),
    };
    let path = format!("{ROOT}/tests/fixtures/reviews/{name}.json");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The path of the program, which cargo tells the tests and benches that it runs.
pub fn program_path() -> std::path::PathBuf {
    let name = "CARGO_BIN_EXE_ippool-webhook";
    std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set; run this with cargo")).into()
}
