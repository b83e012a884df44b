//! Files that are read again whenever they may have changed.

use std::path::PathBuf;
use std::time::Duration;

use tracing::error;

use super::files;
use super::watch::Watch;
use crate::server::limits::Limits;

/// The content of some files, compared with what was read before: neither the time nor the inode tells of a change.
pub struct Follow<T, R> {
    flags: &'static str,
    files: Vec<PathBuf>,
    read: R,
    last: T,
    timeout: Duration,
    poll: Duration,
    watch: Option<Watch>,
}

impl<T, R> Follow<T, R>
where
    T: Clone + PartialEq + Send + 'static,
    R: Fn() -> T + Clone + Send + 'static,
{
    /// Follows `files`, which `flags` name and `read` reads; `last` is what they held before.
    pub fn new(flags: &'static str, files: Vec<PathBuf>, last: T, limits: &Limits, read: R) -> Self {
        let (timeout, poll) = (limits.file, limits.certificate_poll);
        Self { flags, files, read, last, timeout, poll, watch: None }
    }

    /// Reads the files when they may have changed, at the latest after the poll interval, and returns what is new.
    /// The first call does not wait: a file may have changed before the watch began. `on_timeout` is called when the
    /// files cannot be read in time.
    pub async fn next(&mut self, on_timeout: impl FnOnce()) -> Option<T> {
        if let Some(watch) = &mut self.watch {
            watch.changed().await;
        }
        let (watch, files, read, poll) =
            (self.watch.take(), self.files.clone(), self.read.clone(), self.poll);
        let work = move || (Watch::armed(watch, &files, poll), read());
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
        let error = files::timed_out(self.timeout);
        error!(%error, "{} cannot be read; the last good content stays in use", self.flags);
        working.await.ok()
    }
}
