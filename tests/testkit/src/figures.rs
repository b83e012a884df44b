//! Measured figures in the table of `docs/limits.md`. With `UPDATE_LIMITS=1` they are written there; otherwise only their
//! row has to exist.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use crate::ROOT;

const UPDATE: &str = "UPDATE_LIMITS";

static PAGE: Mutex<()> = Mutex::new(());

/// A time as the page writes it.
pub fn seconds(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}

/// Prints what was measured, and writes it into the row whose first cell is `what`.
pub fn figure(what: &str, measured: &str) {
    println!("{what}: {measured}");
    let _page = PAGE.lock().unwrap();
    let path = Path::new(ROOT).join("docs/limits.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let row = |line: &&str| line.starts_with(&format!("| {what} |"));
    let old = page.lines().find(row).unwrap_or_else(|| panic!("docs/limits.md has no row for {what:?}"));
    if std::env::var_os(UPDATE).is_some() {
        let before: Vec<_> = old.split(" | ").collect();
        let (_, cells) = before.split_last().unwrap();
        let new = format!("{} | {measured} |", cells.join(" | "));
        std::fs::write(&path, page.replace(old, &new)).unwrap();
    }
}
