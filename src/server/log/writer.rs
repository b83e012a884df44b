//! A log writer that never blocks: a bounded queue, a thread that empties it, and a count of the lines that were dropped
//! because the queue was full. `tracing-appender` does not bound lines, and prints to stdout when its queue stays full.

use std::io::{self, Write};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// The longest line, in bytes. Lines about requests are bounded by their fields; this bounds the lines of libraries.
const MAX_LINE_BYTES: usize = 4096;
/// The length of the queue, in lines: at most 4 MiB.
const QUEUE_LINES: usize = 1024;
/// How long the program waits at its end for the queue to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The lines that were dropped because the queue was full.
pub static DROPPED_LINES: LazyLock<Counter> = LazyLock::new(Counter::default);

#[derive(Clone, Debug)]
pub struct LogWriter {
    lines: SyncSender<Line>,
    json: bool,
}

/// Waits for the queue to be written when it is dropped.
#[derive(Debug)]
pub struct FlushGuard {
    lines: SyncSender<Line>,
    flushed: Receiver<()>,
}

/// `None` is the end of the log.
type Line = Option<Vec<u8>>;

impl LogWriter {
    /// Writes lines to `out`, JSON or text.
    pub fn new(out: impl Write + Send + 'static, json: bool) -> (Self, FlushGuard) {
        let (lines, queue) = mpsc::sync_channel(QUEUE_LINES);
        let (done, flushed) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            write_all(&queue, out);
            let _ = done.send(());
        });
        (Self { lines: lines.clone(), json }, FlushGuard { lines, flushed })
    }
}

/// A line that is too long is replaced if `json`, since a part of one cannot be parsed, and otherwise cut.
fn bounded(line: &[u8], json: bool) -> Vec<u8> {
    let length = line.len();
    if length <= MAX_LINE_BYTES {
        return line.to_vec();
    }
    if json {
        return format!("{{\"level\":\"WARN\",\"message\":\"a line was left out\",\"bytes\":{length}}}\n")
            .into();
    }
    let text = String::from_utf8_lossy(&line[..MAX_LINE_BYTES - "…\n".len()]);
    // The lossy conversion replaces a partial character by one of three bytes, which is cut in turn.
    let end = text.floor_char_boundary(MAX_LINE_BYTES - "…\n".len());
    format!("{}…\n", text[..end].trim_end_matches('\u{fffd}')).into()
}

/// A line that cannot be written is lost: there is nowhere else to report it.
fn write_all(queue: &Receiver<Line>, mut out: impl Write) {
    while let Ok(Some(line)) = queue.recv() {
        let _ = out.write_all(&line);
    }
    let _ = out.flush();
}

impl Write for LogWriter {
    /// One call is one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Some(bounded(line, self.json))).is_err() {
            DROPPED_LINES.inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Drop for FlushGuard {
    fn drop(&mut self) {
        let until = Instant::now() + FLUSH_TIMEOUT;
        while self.lines.try_send(None).is_err() {
            if Instant::now() >= until || self.flushed.try_recv().is_ok() {
                return;
            }
            std::thread::sleep(FLUSH_TIMEOUT / 100);
        }
        let left = until.saturating_duration_since(Instant::now());
        if self.flushed.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            DROPPED_LINES.inc();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_line_is_cut_between_characters() {
        for start in ["", "x", "xy"] {
            let line = bounded(format!("{start}{}\n", "€".repeat(2000)).as_bytes(), false);
            let line = String::from_utf8(line).unwrap();
            assert!(line.len() <= MAX_LINE_BYTES && line.ends_with("€…\n"), "{}", line.len());
        }
    }

    #[test]
    fn a_long_json_line_is_replaced() {
        let line = bounded(format!("{{\"a\":\"{}\"}}\n", "x".repeat(5000)).as_bytes(), true);
        let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["bytes"], 5009);
    }
}
