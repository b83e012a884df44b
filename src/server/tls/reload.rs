//! Files that are read again when they may have changed: after an event of the file system, and by polling.
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
use tracing::{error, info, warn};

use super::pem_files;
use crate::server::limits::Limits;

/// From an event to the reading of the files: a writer of two files has finished both by then.
const DEBOUNCE: Duration = Duration::from_millis(50);

const NOT_WATCHED: &str = "the directory of a certificate cannot be watched, so a change is found by polling every \
     few seconds; does it exist, and has the node inotify instances and watches left (fs.inotify.max_user_*)?";

/// The content of some files, compared with what was read before: neither the time nor the inode tells of a change.
pub struct Reloader<T, R> {
    flags: &'static str,
    files: Vec<PathBuf>,
    read: R,
    last: T,
    timeout: Duration,
    poll: Duration,
    watch: Option<Watch>,
}

impl<T, R> Reloader<T, R>
where
    T: Clone + PartialEq + Send + 'static,
    R: Fn() -> T + Clone + Send + 'static,
{
    /// Reads `files`, which `flags` name, with `read`; `last` is what they held before.
    pub fn new(flags: &'static str, files: Vec<PathBuf>, last: T, limits: &Limits, read: R) -> Self {
        let (timeout, poll) = (limits.file, limits.certificate_poll);
        Self { flags, files, read, last, timeout, poll, watch: None }
    }

    /// Reads the files when they may have changed, at the latest after the poll interval, and returns what is new.
    /// The first call does not wait: a file may have changed before the watch began. `on_timeout` is called when the
    /// files cannot be read in time.
    pub async fn next(&mut self, on_timeout: impl FnOnce()) -> Option<T> {
        if let Some(watch) = &self.watch {
            tokio::select! {
                () = watch.changed.notified() => tokio::time::sleep(DEBOUNCE).await,
                () = tokio::time::sleep(self.poll) => {}
            }
        }
        let (watch, files, read) = (self.watch.take(), self.files.clone(), self.read.clone());
        let work = move || {
            let mut watch = watch.unwrap_or_else(|| Watch::new(&files));
            watch.arm();
            (watch, read())
        };
        let Some((watch, found)) = self.off_the_runtime(work, on_timeout).await else {
            return std::future::pending().await;
        };
        self.watch = Some(watch);
        if found == self.last {
            return None;
        }
        self.last = found.clone();
        Some(found)
    }

    /// The result of `work`, done off the threads that serve connections. A timeout is logged once, and at most one
    /// thread hangs. `None` when the runtime ends.
    async fn off_the_runtime<W: Send + 'static>(
        &self,
        work: impl FnOnce() -> W + Send + 'static,
        on_timeout: impl FnOnce(),
    ) -> Option<W> {
        let mut working = tokio::task::spawn_blocking(work);
        if let Ok(done) = tokio::time::timeout(self.timeout, &mut working).await {
            return done.ok();
        }
        on_timeout();
        let error = pem_files::timed_out(self.timeout);
        error!(%error, "{} cannot be read; the last good content stays in use", self.flags);
        working.await.ok()
    }
}

/// Reports events in some directories.
struct Watch {
    directories: BTreeSet<PathBuf>,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// Whether the last attempt to watch failed, which is logged once.
    failed: bool,
}

impl Watch {
    fn new(files: &[PathBuf]) -> Self {
        let directories = files.iter().map(|file| directory(file).to_owned()).collect();
        let changed = Arc::new(Notify::new());
        let waker = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, is_change) {
                waker.notify_one();
            }
        });
        let watcher = watcher.inspect_err(|error| warn!(%error, "{NOT_WATCHED}")).ok();
        Self { directories, changed, watcher, failed: false }
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
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

fn directory(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
