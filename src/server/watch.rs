//! Noticing that a file has changed: told by the system at once, and by looking now and then in any case.
//!
//! The *directories* are watched, never the files. A Secret volume swaps a symlink beside them, by which a
//! watch of the file itself ends after the first time. Looking as well covers what no event tells of: a link
//! to somewhere else, a directory that was replaced, a system that is out of watches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tracing::{debug, warn};

/// From an event to the look that follows: whoever writes two files one after the other is done by then.
const CALM: Duration = Duration::from_millis(50);

/// Wakes whoever waits for a change near some files.
pub struct Watch {
    directories: BTreeSet<PathBuf>,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    interval: Duration,
}

impl Watch {
    /// Watches the directories of `files`, and looks every `interval` besides.
    pub fn of(files: &[&Path], interval: Duration) -> Self {
        let directories = files.iter().map(|file| directory(file)).collect();
        let changed = Arc::new(Notify::new());
        let waker = Arc::clone(&changed);
        // What happened does not matter: the content of the files is compared.
        let watcher = notify::recommended_watcher(move |_event| waker.notify_one());
        let watcher = watcher
            .inspect_err(|error| warn!(%error, "no directory can be watched; its files are looked at every few seconds"))
            .ok();
        let mut watch = Self { directories, changed, watcher, interval };
        watch.arm();
        watch
    }

    /// Waits until something happens there, or until it is time to look anyway.
    pub async fn look(&mut self) {
        tokio::select! {
            () = self.changed.notified() => tokio::time::sleep(CALM).await,
            // A directory that was replaced has to be watched anew; for one that was not, nothing changes.
            () = tokio::time::sleep(self.interval) => self.arm(),
        }
    }

    fn arm(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for directory in &self.directories {
            if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                debug!(%error, directory = %directory.display(), "a directory cannot be watched");
            }
        }
    }
}

fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
