//! Noticing that a file may have changed: by an event of the file system, and by polling.
//!
//! The *directories* are watched, never the files. The kubelet swaps a symlink beside the files of a Secret volume,
//! which ends a watch of the file itself the first time. Polling covers what no event reports: a link to somewhere
//! else, a directory that was replaced, a system without free watches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tracing::{info, warn};

/// From an event to the reading of the files: a writer of two files has finished both by then.
const DEBOUNCE: Duration = Duration::from_millis(50);

const NOT_WATCHED: &str = "the directory of a certificate cannot be watched, so a change is found by polling every \
     few seconds; does it exist, and has the node inotify instances and watches left (fs.inotify.max_user_*)?";

/// Waits for changes near some files.
pub struct Watch {
    directories: BTreeSet<PathBuf>,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// Whether the last attempt to watch failed, which is logged once.
    failed: bool,
    poll: Duration,
}

impl Watch {
    /// `watch`, watching the directories that have these names now; or a new one for the directories of `files`, which
    /// polls every `poll`. It may block for as long as the file system does.
    pub fn armed(watch: Option<Self>, files: &[PathBuf], poll: Duration) -> Self {
        let mut watch = watch.unwrap_or_else(|| Self::new(files, poll));
        watch.arm();
        watch
    }

    fn new(files: &[PathBuf], poll: Duration) -> Self {
        let directories = files.iter().map(|file| directory(file)).collect();
        let changed = Arc::new(Notify::new());
        let waker = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, is_change) {
                waker.notify_one();
            }
        });
        let watcher = watcher.inspect_err(|error| warn!(%error, "{NOT_WATCHED}")).ok();
        Self { directories, changed, watcher, failed: false, poll }
    }

    /// Waits until a file may have changed, or it is time to poll.
    pub async fn changed(&mut self) {
        tokio::select! {
            () = self.changed.notified() => tokio::time::sleep(DEBOUNCE).await,
            () = tokio::time::sleep(self.poll) => {}
        }
    }

    /// Watches the directories that have these names now: one that was replaced is no longer watched.
    fn arm(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let watch = |directory: &PathBuf| watcher.watch(directory, RecursiveMode::NonRecursive);
        let armed = self.directories.iter().try_for_each(watch);
        let had_failed = std::mem::replace(&mut self.failed, armed.is_err());
        match armed {
            Err(error) if !had_failed => warn!(%error, "{NOT_WATCHED}"),
            Ok(()) if had_failed => info!("the directories of the certificates are watched again"),
            _ => {}
        }
    }
}

/// Whether an event may mean new content. Reading the files is an event, too, and must not cause the next reading.
fn is_change(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);
    const TIMEOUT: Duration = Duration::from_secs(20);

    /// Waits until all events of what happened before have arrived.
    async fn settle(watch: &mut Watch) {
        while tokio::time::timeout(DEBOUNCE * 4, next_change(watch)).await.is_ok() {}
    }

    async fn next_change(watch: &mut Watch) {
        watch.changed().await;
        watch.arm();
    }

    #[tokio::test]
    #[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    async fn reading_a_file_is_not_a_change_and_writing_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tls.crt");
        std::fs::write(&file, "first").unwrap();
        let mut watch = Watch::armed(None, std::slice::from_ref(&file), NEVER);
        settle(&mut watch).await;
        std::fs::read(&file).unwrap();
        let noticed = tokio::time::timeout(DEBOUNCE * 4, next_change(&mut watch)).await;
        assert!(noticed.is_err(), "each reading would cause the next one");
        std::fs::write(&file, "second").unwrap();
        tokio::time::timeout(TIMEOUT, next_change(&mut watch)).await.unwrap();
    }

    #[tokio::test]
    #[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    async fn a_directory_that_was_replaced_is_watched_from_the_next_poll_on() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("tls");
        std::fs::create_dir(&directory).unwrap();
        let mut watch = Watch::armed(None, &[directory.join("tls.crt")], NEVER);
        std::fs::remove_dir(&directory).unwrap();
        tokio::time::timeout(TIMEOUT, next_change(&mut watch)).await.unwrap();
        assert!(watch.failed, "there is nothing to watch");
        std::fs::create_dir(&directory).unwrap();
        watch.poll = Duration::ZERO;
        while watch.failed {
            next_change(&mut watch).await;
        }
        watch.poll = NEVER;
        settle(&mut watch).await;
        std::fs::write(directory.join("tls.crt"), "new").unwrap();
        tokio::time::timeout(TIMEOUT, next_change(&mut watch)).await.unwrap();
    }
}
