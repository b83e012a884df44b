//! Reading a body under a limit, counted as it arrives, and reading on past a refusal.

use std::hint::black_box;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::account::{Held, Peer};
use super::limits::Limits;
use super::rejection::Rejection;

/// What is reserved for a body before more than this has arrived, in bytes. After it the caller is believed in what
/// it announced: growing step by step would copy the body over and over.
const FIRST_BYTES: usize = 256 * 1024;

/// A string as long as two of these blocks, in bytes, is found for certain. The longest that is honest is an annotation
/// of 256 KiB, escaped.
const TOKEN_BLOCK_BYTES: usize = 512 * 1024;

/// Left free for what cannot be refused when a body or a review is given memory, in bytes.
const MARGIN_BYTES: usize = 1024 * 1024;

/// How many bytes `body` may have: what its header says, else the most that is accepted.
///
/// # Errors
///
/// 413 when the header already says more than that.
pub fn announced(body: &Body, limits: &Limits) -> Result<usize, Rejection> {
    let max = limits.max_body_bytes;
    let size = body.size_hint();
    if size.lower() > max as u64 {
        return Err(Rejection::too_large(max));
    }
    Ok(size.exact().and_then(|exact| usize::try_from(exact).ok()).unwrap_or(max))
}

/// Whether the system has `bytes` more, and some for whatever else is going on.
pub fn is_available(bytes: usize) -> bool {
    let mut probe = Vec::<u8>::new();
    let available = probe.try_reserve_exact(bytes.saturating_add(MARGIN_BYTES)).is_ok();
    // Or the compiler would leave the question out.
    black_box(&mut probe);
    available
}

/// Whether a string or a number of `body` may be longer than a block. Nothing in a pool is, and what reads JSON
/// repeats what it did not expect. Each block of an honest body has a quote near its start, which is all that is
/// looked at; whitespace may have any length.
pub fn has_long_token(body: &[u8]) -> bool {
    let is_quoteless = |block: &[u8]| {
        let mut quotes = memchr::memchr_iter(b'"', block);
        !quotes.any(|at| at.checked_sub(1).is_some_and(|before| block[before] != b'\\'))
    };
    let is_blank = |block: &[u8]| block.iter().all(u8::is_ascii_whitespace);
    body.chunks_exact(TOKEN_BLOCK_BYTES).any(|block| is_quoteless(block) && !is_blank(block))
}

/// A body on its way, and what it takes.
pub struct Arriving<'a> {
    /// Who sends it.
    pub peer: &'a Peer,
    /// Where it is counted.
    pub held: &'a mut Held,
    /// How long it may wait for memory.
    pub patience: &'a mut Duration,
    /// The bounds.
    pub limits: &'a Limits,
}

impl Arriving<'_> {
    /// The whole of `body`, which may have `size` bytes.
    ///
    /// # Errors
    ///
    /// 413 past the limit, 408 when it stalls, 400 when it ends early, 503 when there is no memory.
    pub async fn read(&mut self, body: &mut Body, size: usize) -> Result<Bytes, Rejection> {
        let Limits { body: longest, stall, .. } = *self.limits;
        let peer = self.peer;
        tokio::select! {
            biased;
            whole = tokio::time::timeout(longest, self.read_all(body, size)) => {
                whole.unwrap_or_else(|_| Err(Rejection::body_timed_out(longest)))
            }
            () = peer.activity.stalled() => Err(Rejection::body_stalled(stall)),
        }
    }

    async fn read_all(&mut self, body: &mut Body, size: usize) -> Result<Bytes, Rejection> {
        let first = self.next(body, 0).await?.unwrap_or_default();
        // Most are there in one piece, which needs no copy.
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

    /// The next piece of `body`, of which `read` bytes are there, once it is accounted for.
    async fn next(&mut self, body: &mut Body, read: usize) -> Result<Option<Bytes>, Rejection> {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Rejection::body_cut())?.into_data() else { continue };
            if data.len() > self.limits.max_body_bytes - read {
                return Err(Rejection::too_large(self.limits.max_body_bytes));
            }
            self.held.take(data.len(), self.patience).await?;
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

/// Reads what is left of a refused body and throws it away, within bounds; whether that was all of it.
/// A caller that waits for `100 Continue` has not begun, and is not asked to.
pub async fn discard(body: &mut Body, headers: &HeaderMap, limits: &Limits) -> bool {
    if body.is_end_stream() {
        return true;
    }
    if headers.contains_key(header::EXPECT) {
        return false;
    }
    let reading = discard_up_to(body, limits.discard_bytes);
    tokio::time::timeout(limits.discard, reading).await.unwrap_or(false)
}

async fn discard_up_to(body: &mut Body, max: usize) -> bool {
    let mut left = max;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return false };
        left = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_longer_than_two_blocks_is_found_also_with_escaped_quotes() {
        for filler in ["x", "\u{7f}", "\\\"", "\\n"] {
            let string = filler.repeat(2 * TOKEN_BLOCK_BYTES / filler.len());
            assert!(has_long_token(format!("{{\"a\":\"{string}\"}}").as_bytes()), "{filler:?}");
        }
    }

    #[test]
    fn short_strings_and_whitespace_of_any_length_are_no_long_token() {
        let honest = "{\"a\":\"b\"},".repeat(200_000);
        assert!(!has_long_token(honest.as_bytes()));
        assert!(!has_long_token((honest + &" ".repeat(4 * TOKEN_BLOCK_BYTES)).as_bytes()));
        let annotation = format!("{{\"a\":\"{}\"}}", "\\\"".repeat(TOKEN_BLOCK_BYTES / 4));
        assert!(!has_long_token(annotation.as_bytes()));
    }
}
