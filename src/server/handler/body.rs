//! Reading a body under a limit, counted as it arrives, and discarding the body of a rejected request.

use std::hint::black_box;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::memory::{MemoryPermit, Peer};
use super::rejection::Rejection;
use crate::server::limits::Limits;

/// How many bytes are reserved at most before they have arrived. Then the announced length is reserved at once, since
/// growing step by step would copy the body repeatedly.
const FIRST_BYTES: usize = 256 * 1024;

/// A string of twice this length, in bytes, is always found. The longest legitimate one is an escaped annotation of
/// 256 KiB.
const TOKEN_BLOCK_BYTES: usize = 512 * 1024;

/// Free memory beyond what a body or a review needs, in bytes, for allocations that cannot fail gracefully.
const MARGIN_BYTES: usize = 1024 * 1024;

/// How long `body` may be: the length in its header, otherwise the limit; 413 when the header exceeds that.
pub fn announced(body: &Body, limits: &Limits) -> Result<usize, Rejection> {
    let max = limits.max_body_bytes;
    let size = body.size_hint();
    if size.lower() > max as u64 {
        return Err(Rejection::too_large(max));
    }
    Ok(size.exact().and_then(|exact| usize::try_from(exact).ok()).unwrap_or(max))
}

/// Whether the system has `bytes` more and a margin.
pub fn is_available(bytes: usize) -> bool {
    let mut probe = Vec::<u8>::new();
    let available = probe.try_reserve_exact(bytes.saturating_add(MARGIN_BYTES)).is_ok();
    // Keeps the compiler from removing the allocation.
    black_box(&mut probe);
    available
}

/// Whether a string or a number of `body` may be longer than a block, as none in a pool is: a JSON error repeats the
/// value it did not expect. Each block of a legitimate body has a quote near its start, so the search is short.
/// Whitespace may have any length.
pub fn has_long_token(body: &[u8]) -> bool {
    let is_quoteless = |block: &[u8]| {
        let mut quotes = memchr::memchr_iter(b'"', block);
        !quotes.any(|at| at.checked_sub(1).is_some_and(|before| block[before] != b'\\'))
    };
    let is_whitespace = |block: &[u8]| block.iter().all(u8::is_ascii_whitespace);
    body.chunks_exact(TOKEN_BLOCK_BYTES).any(|block| is_quoteless(block) && !is_whitespace(block))
}

pub struct BodyReader<'a> {
    pub peer: &'a Peer,
    pub permit: &'a mut MemoryPermit,
    pub limits: &'a Limits,
}

impl BodyReader<'_> {
    /// Reads all of `body`, which has at most `size` bytes.
    pub async fn read(&mut self, body: &mut Body, size: usize) -> Result<Bytes, Rejection> {
        let Limits { body: timeout, stall, .. } = *self.limits;
        let peer = self.peer;
        tokio::select! {
            biased;
            whole = tokio::time::timeout(timeout, self.read_all(body, size)) => {
                whole.unwrap_or_else(|_| Err(Rejection::body_timed_out(timeout)))
            }
            () = peer.activity.stalled() => Err(Rejection::body_stalled(stall)),
        }
    }

    async fn read_all(&mut self, body: &mut Body, size: usize) -> Result<Bytes, Rejection> {
        let first = self.next(body, 0).await?.unwrap_or_default();
        // Most bodies arrive in one frame, which is not copied.
        if body.is_end_stream() {
            return Ok(first);
        }
        let mut whole = Vec::new();
        self.append(&mut whole, &first, size)?;
        while let Some(data) = self.next(body, whole.len()).await? {
            self.append(&mut whole, &data, size)?;
        }
        Ok(whole.into())
    }

    /// The next frame of `body` after `read` bytes, once its memory is acquired.
    async fn next(&mut self, body: &mut Body, read: usize) -> Result<Option<Bytes>, Rejection> {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Rejection::body_cut())?.into_data() else { continue };
            if data.len() > self.limits.max_body_bytes - read {
                return Err(Rejection::too_large(self.limits.max_body_bytes));
            }
            self.permit.acquire(data.len()).await?;
            return Ok(Some(data));
        }
        Ok(None)
    }

    fn append(&self, whole: &mut Vec<u8>, data: &[u8], size: usize) -> Result<(), Rejection> {
        let needed = whole.len() + data.len();
        if needed > whole.capacity() {
            let wanted = if needed <= FIRST_BYTES { size.min(FIRST_BYTES) } else { size };
            let more = wanted.max(needed) - whole.len();
            if more > FIRST_BYTES && !is_available(more) || whole.try_reserve_exact(more).is_err() {
                return Err(Rejection::allocation_failed());
            }
        }
        whole.extend_from_slice(data);
        Ok(())
    }
}

/// Discards the rest of a body within bounds. Returns whether that was all of it. A client that waits for
/// `100 Continue` has not begun to send it, and is not asked to.
pub async fn discard(body: &mut Body, headers: &HeaderMap, limits: &Limits) -> bool {
    if body.is_end_stream() {
        return true;
    }
    if headers.contains_key(header::EXPECT) {
        return false;
    }
    let reading = async {
        let mut left = limits.discard_bytes;
        while let Some(frame) = body.frame().await {
            left = left.checked_sub(frame.ok()?.data_ref().map_or(0, Bytes::len))?;
        }
        Some(())
    };
    matches!(tokio::time::timeout(limits.discard, reading).await, Ok(Some(())))
}
