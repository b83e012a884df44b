//! What a connection is doing, and for how long it may. hyper has one timeout for both the silence before
//! a request, which has to be long, and a header that has begun, which has to be short; so the bytes are
//! watched here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

/// What a connection is doing since when.
#[derive(Clone, Copy, Debug)]
struct State {
    requests: usize,
    in_header: bool,
    since: Instant,
}

/// The activity of one connection, shared by those who cause it and the one who watches it.
#[derive(Clone, Debug)]
pub struct Activity(Arc<watch::Sender<State>>);

/// One request under way; dropping it ends it.
#[derive(Debug)]
pub struct UnderWay(Activity);

/// Why a connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// Nothing was asked for too long.
    Idle,
    /// A header began and was not finished.
    Header,
}

impl Activity {
    /// A connection that just opened.
    pub fn new() -> Self {
        let state = State { requests: 0, in_header: false, since: Instant::now() };
        Self(Arc::new(watch::Sender::new(state)))
    }

    /// A header was read to its end.
    pub fn request(&self) -> UnderWay {
        self.0.send_modify(|state| {
            state.requests += 1;
            state.in_header = false;
        });
        UnderWay(self.clone())
    }

    /// Bytes came in: outside a request, they begin a header.
    fn bytes(&self) {
        self.0.send_if_modified(|state| {
            let begins = state.requests == 0 && !state.in_header;
            if begins {
                *state = State { requests: 0, in_header: true, since: Instant::now() };
            }
            begins
        });
    }

    /// Waits until the connection has been silent for `idle` or in one header for `header`.
    pub async fn expired(&self, idle: Duration, header: Duration) -> Expired {
        let mut changes = self.0.subscribe();
        loop {
            let State { requests, in_header, since } = *changes.borrow_and_update();
            let (bound, expired) = if in_header { (header, Expired::Header) } else { (idle, Expired::Idle) };
            tokio::select! {
                // The sender lives as long as `self`, so this ends with a change only.
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(since + bound), if requests == 0 => return expired,
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| {
            state.requests = state.requests.saturating_sub(1);
            state.since = Instant::now();
        });
    }
}

/// A stream that tells an [`Activity`] of the bytes that come in.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl<S> Watched<S> {
    /// Watches `stream`.
    pub fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.bytes();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
