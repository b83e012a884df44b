//! Reading a body under a limit, and reading on past a refusal.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::limits::Limits;
use super::rejection::Rejection;

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

/// The whole body.
///
/// # Errors
///
/// 413 past the limit, 408 when it stalls, 400 when it ends early.
pub async fn read(body: &mut Body, capacity: usize, limits: &Limits) -> Result<Bytes, Rejection> {
    let stalled = || Rejection::body_stalled(limits.body.as_secs_f64());
    let reading = read_up_to(body, capacity, limits.max_body_bytes);
    tokio::time::timeout(limits.body, reading).await.unwrap_or_else(|_| Err(stalled()))
}

async fn read_up_to(body: &mut Body, capacity: usize, max: usize) -> Result<Bytes, Rejection> {
    let mut whole = BytesMut::with_capacity(capacity);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Rejection::body_cut())?.into_data() else { continue };
        if data.len() > max - whole.len() {
            return Err(Rejection::too_large(max));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
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
