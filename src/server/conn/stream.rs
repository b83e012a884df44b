//! A stream that reports what passes to an [`Activity`], and gives up on a peer that reads no response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::activity::Activity;
use crate::server::limits::Limits;

/// The size of one read of bytes that are discarded.
const DISCARD_BUFFER_BYTES: usize = 16 * 1024;

/// A stream whose bytes are counted and whose writes have a timeout.
#[derive(Debug)]
pub struct ActivityStream<S> {
    stream: S,
    activity: Activity,
    write_timeout: Duration,
    linger: Duration,
    left_to_discard: usize,
    /// The timeout of a write that is pending.
    writing: Option<Pin<Box<Sleep>>>,
    /// The timeout of the reading after the last response.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<S> ActivityStream<S> {
    pub fn new(stream: S, activity: Activity, limits: &Limits) -> Self {
        let Limits { write, linger, linger_bytes, .. } = *limits;
        Self {
            stream,
            activity,
            write_timeout: write,
            linger,
            left_to_discard: linger_bytes,
            writing: None,
            lingering: None,
        }
    }

    /// `polled`, or an error after the write timeout.
    fn with_timeout<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing = None;
            return polled;
        }
        let timeout = self.write_timeout;
        let writing = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(writing.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read its response")))
    }

    fn written(&self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.activity.transferred(*bytes);
        }
    }
}

impl<S: AsyncRead + Unpin> ActivityStream<S> {
    /// Reads and discards until the peer has read its response and closes, or a bound is passed. Closing with unread
    /// bytes would send a reset, and the peer would lose the response.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger;
        let lingering = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(linger)));
        if lingering.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut buffer = [0; DISCARD_BUFFER_BYTES];
        loop {
            let mut read = ReadBuf::new(&mut buffer);
            let ended = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)).is_err();
            let bytes = read.filled().len();
            if ended || bytes == 0 || bytes > self.left_to_discard {
                return Poll::Ready(());
            }
            self.left_to_discard -= bytes;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ActivityStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.activity.read(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ActivityStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(&polled);
        self.with_timeout(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.with_timeout(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.with_timeout(cx, polled))?;
        }
        if self.activity.lingers() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(&polled);
        self.with_timeout(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
