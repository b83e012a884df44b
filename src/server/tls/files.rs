//! Reading files that may be anything: a pipe without a writer, a file on a file system that hangs, a file without end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// The longest file of certificates or of a key, in bytes; a bundle of all public CAs has a quarter of it.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(content)
}

/// The result of `work`, done on a thread of its own.
pub fn within<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(timeout).unwrap_or_else(|_| Err(timed_out(timeout)))
}

/// The error of a file that could not be read within `timeout`.
pub fn timed_out(timeout: Duration) -> io::Error {
    let seconds = timeout.as_secs_f64();
    let message = format!("not read within {seconds} s; is it a pipe, or does its file system hang?");
    io::Error::new(io::ErrorKind::TimedOut, message)
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
    fn work_that_hangs_is_abandoned_after_the_timeout() {
        let (hold, held) = mpsc::channel::<()>();
        let hang = move || held.recv().map_err(io::Error::other);
        let error = within(Duration::from_millis(20), hang).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(hold);
    }
}
