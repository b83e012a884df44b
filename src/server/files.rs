//! Reading files that may be anything: a pipe that nobody writes to, a file system that hangs, a file without end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use tracing::error;

/// The longest file of certificates or of a key, in bytes; a bundle of all public CAs has a quarter of it.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The content of `path`.
///
/// # Errors
///
/// When it cannot be read, or is longer than any such file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(content)
}

/// What `work` gives, on a thread of its own; an error when that takes longer than `deadline`.
///
/// # Errors
///
/// Those of `work`, and that it takes too long.
pub fn within<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(deadline).unwrap_or_else(|_| Err(late(deadline)))
}

fn late(deadline: Duration) -> io::Error {
    let seconds = deadline.as_secs_f64();
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("not read within {seconds} s; is it a pipe, or does its file system hang?"),
    )
}

/// What `work` gives, off the threads that serve connections. When it takes longer than `deadline`, that is said
/// once, and `is_late` called; there is never more than one thread that hangs. `None` when the server ends.
pub async fn elsewhere<T: Send + 'static>(
    what: &'static str,
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
    is_late: impl FnOnce(),
) -> Option<T> {
    let mut working = tokio::task::spawn_blocking(work);
    if let Ok(done) = tokio::time::timeout(deadline, &mut working).await {
        return done.ok();
    }
    is_late();
    error!(error = %late(deadline), "{what} cannot be read; what was read last stays in use");
    working.await.ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_an_error() {
        assert!(read(Path::new("/dev/zero")).unwrap_err().to_string().contains("1048576 bytes"));
    }

    #[test]
    fn work_that_hangs_is_given_up_after_the_deadline() {
        let (hold, held) = mpsc::channel::<()>();
        let hang = move || held.recv().map_err(io::Error::other);
        let error = within(Duration::from_millis(20), hang).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(hold);
    }
}
