//! Faults in a cluster's life: a replica that is killed, restarted, stopped or out of files while pools are written.
//! The registration, the probe and the arguments are those of `deploy/`. `make faults` runs the long form and prints
//! the figures; `make cluster` runs the short one.

mod deployment;
mod files;
mod hung;
mod killed;
mod kubelet;
mod load;
mod restarted;

/// The number for the short form or for the long one.
fn form(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

fn is_long() -> bool {
    std::env::var_os("FAULTS").is_some_and(|it| it == "long")
}
