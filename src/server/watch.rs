//! Noticing that a file has changed: told by the system at once, and by looking now and then in any case.
//!
//! The *directories* are watched, never the files. A Secret volume swaps a symlink beside them, by which a
//! watch of the file itself ends after the first time. Looking as well covers what no event tells of: a link
//! to somewhere else, a directory that was replaced, a system that is out of watches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tracing::{info, warn};

/// From an event to the look that follows: whoever writes two files one after the other is done by then.
const CALM: Duration = Duration::from_millis(50);

const NOT_WATCHED: &str = "the directory of a certificate cannot be watched, a change is found by looking every \
     few seconds; is it there, and has the node inotify instances and watches left (fs.inotify.max_user_*)?";

/// Wakes whoever waits for a change near some files.
pub struct Watch {
    directories: BTreeSet<PathBuf>,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// Whether the last attempt to watch failed: that is said once, not at every look.
    broken: bool,
    interval: Duration,
}

impl Watch {
    /// `watch` once it watches what has these names now, or a new one of the directories of `files`, with a look every
    /// `interval` besides. It asks the file system, and may block for as long as that does.
    pub fn armed(watch: Option<Self>, files: &[&Path], interval: Duration) -> Self {
        let mut watch = watch.unwrap_or_else(|| Self::of(files, interval));
        watch.arm();
        watch
    }

    fn of(files: &[&Path], interval: Duration) -> Self {
        let directories = files.iter().map(|file| directory(file)).collect();
        let changed = Arc::new(Notify::new());
        let waker = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, changes) {
                waker.notify_one();
            }
        });
        let watcher = watcher.inspect_err(|error| warn!(%error, "{NOT_WATCHED}")).ok();
        Self { directories, changed, watcher, broken: false, interval }
    }

    /// Waits until something happens there, or until it is time to look anyway.
    pub async fn look(&mut self) {
        tokio::select! {
            () = self.changed.notified() => tokio::time::sleep(CALM).await,
            () = tokio::time::sleep(self.interval) => {}
        }
    }

    /// Watches what has these names now. A directory that was replaced would not be watched any more; for one
    /// that was not, nothing changes.
    fn arm(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let watch = |directory: &PathBuf| watcher.watch(directory, RecursiveMode::NonRecursive);
        let armed = self.directories.iter().try_for_each(watch);
        let was_broken = std::mem::replace(&mut self.broken, armed.is_err());
        match armed {
            Err(error) if !was_broken => warn!(%error, "{NOT_WATCHED}"),
            Ok(()) if was_broken => info!("the directories of the certificates are watched again"),
            _ => {}
        }
    }
}

/// Whether an event may mean other content. Looking opens the files, which is an event, too: it must not
/// lead to the next look.
fn changes(event: &Event) -> bool {
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
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Everything that was still to be told of what happened before is over.
    async fn calm(watch: &mut Watch) {
        while tokio::time::timeout(CALM * 4, look(watch)).await.is_ok() {}
    }

    async fn look(watch: &mut Watch) {
        watch.look().await;
        watch.arm();
    }

    #[tokio::test]
    #[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    async fn reading_a_file_is_no_change_and_writing_it_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tls.crt");
        std::fs::write(&file, "first").unwrap();
        let mut watch = Watch::armed(None, &[&file], NEVER);
        calm(&mut watch).await;
        std::fs::read(&file).unwrap();
        let looked = tokio::time::timeout(CALM * 4, look(&mut watch)).await;
        assert!(looked.is_err(), "a look would lead to the next one, for ever");
        std::fs::write(&file, "second").unwrap();
        tokio::time::timeout(PATIENCE, look(&mut watch)).await.unwrap();
    }

    #[tokio::test]
    #[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    async fn a_directory_that_was_replaced_is_watched_from_the_next_look_on() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("tls");
        std::fs::create_dir(&directory).unwrap();
        let mut watch = Watch::armed(None, &[&directory.join("tls.crt")], NEVER);
        std::fs::remove_dir(&directory).unwrap();
        tokio::time::timeout(PATIENCE, look(&mut watch)).await.unwrap();
        assert!(watch.broken, "there is nothing to watch");
        std::fs::create_dir(&directory).unwrap();
        watch.interval = Duration::ZERO;
        while watch.broken {
            look(&mut watch).await;
        }
        watch.interval = NEVER;
        calm(&mut watch).await;
        std::fs::write(directory.join("tls.crt"), "new").unwrap();
        tokio::time::timeout(PATIENCE, look(&mut watch)).await.unwrap();
    }
}
