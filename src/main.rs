//! The program; everything it does is in the library.

use std::process::ExitCode;

/// Where memory comes from in the image; `Cargo.toml` says why.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ippool_webhook::cli::main()
}
