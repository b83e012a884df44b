//! HTTP on one connection, from its first request to its end.

use std::convert::Infallible;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, Version, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::io::{InspectReader, InspectWriter};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::activity::{Activity, CloseReason};
use crate::server::limits::Limits;
use crate::server::shutdown::Shutdown;

/// Serves each request of `stream` with the router that `route` chooses for it, until the peer closes the connection,
/// a bound is passed or the server is closed.
pub async fn serve<S>(
    stream: S,
    activity: &Activity,
    route: impl Fn(&mut Request<Incoming>) -> Router,
    limits: &Limits,
    shutdown: &Shutdown,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|mut request| {
        let router = route(&mut request);
        respond(request, router, activity.clone(), shutdown.clone())
    });
    // Gives up on a peer that reads no response, and reports what passes to `activity`.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limits.write));
    let read = |bytes: &[u8]| activity.read(bytes.len());
    let written = |bytes: &[u8]| activity.transferred(bytes.len());
    let stream = InspectWriter::new(InspectReader::new(Box::pin(stream), read), written);
    let mut http1 = http1::Builder::new();
    // `Activity` times the header. hyper's limit of 100 header lines stays. By default, its buffer would grow to
    // 400 KiB on each connection with long bodies and be no faster.
    http1.header_read_timeout(None).max_header_size(limits.header_bytes).max_buf_size(limits.header_bytes);
    let mut connection = http1.serve_connection(TokioIo::new(stream), service);
    let ended = drive(&mut connection, activity, limits, shutdown).await;
    if ended && activity.lingers() {
        linger(connection.into_parts().io.into_inner().into_inner().into_inner(), activity, limits).await;
    }
}

/// Whether a request names its host once, as RFC 9112, 3.2 requires; with HTTP/1.0 the header may be absent.
pub fn has_one_host<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || hosts == 0 && request.version() == Version::HTTP_10
}

/// Runs `connection` to its end. A peer in the middle of a header, or one that does not read, is cut off; otherwise
/// the requests in progress are finished. Returns whether the last response was sent.
async fn drive<I, A>(
    connection: &mut http1::Connection<I, A>,
    activity: &Activity,
    limits: &Limits,
    shutdown: &Shutdown,
) -> bool
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    A: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible>,
{
    let mut timeout = limits.drain;
    tokio::select! {
        result = &mut *connection => return has_ended(result),
        () = shutdown.closed.cancelled() => {}
        reason = activity.expired(limits.idle, limits.header) => {
            debug!(?reason, "closing a connection");
            match reason {
                CloseReason::Header | CloseReason::Stalled => return false,
                CloseReason::Evicted => timeout = limits.evict,
                CloseReason::Idle => {}
            }
        }
    }
    Pin::new(&mut *connection).graceful_shutdown();
    tokio::select! {
        result = connection => return has_ended(result),
        // hyper waits for the rest of a header that has begun.
        reason = activity.expired(limits.drain, limits.header), if !activity.is_evicted() => {
            debug!(?reason, "dropping a connection");
        }
        () = tokio::time::sleep(timeout) => {
            if !activity.is_evicted() {
                warn!("a connection did not end in time and is dropped");
            }
        }
    }
    false
}

fn has_ended(result: hyper::Result<()>) -> bool {
    result.inspect_err(|error| debug!(%error, "a connection failed")).is_ok()
}

/// Reads and discards until the peer has read its response and closes, or a bound is passed. Closing with unread bytes
/// would send a reset, and the peer would lose the response.
async fn linger(stream: impl AsyncRead + Unpin, activity: &Activity, limits: &Limits) {
    let (mut unread, mut sink) = (stream.take(limits.linger_bytes as u64), tokio::io::sink());
    let evicted = async {
        activity.evicted().await;
        tokio::time::sleep(limits.evict).await;
    };
    tokio::select! {
        _ = tokio::io::copy(&mut unread, &mut sink) => {}
        () = tokio::time::sleep(limits.linger) => {}
        () = evicted => {}
    }
}

/// The response of `router`, whose request is in progress until its last byte was written. While the server drains, each
/// response sends its client to another replica.
async fn respond(
    request: Request<Incoming>,
    router: Router,
    activity: Activity,
    shutdown: Shutdown,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let guard = activity.begin_request();
    let (mut head, body) = router.oneshot(request.map(Body::new)).await?.into_parts();
    if shutdown.draining.is_cancelled() {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // Every body is in memory, in one piece: this neither waits nor copies nor fails.
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    activity.begin_response();
    Ok(Response::from_parts(head, Full::new(Bytes::from_owner(GuardedBytes(bytes, guard)))))
}

/// Bytes of a response, which hyper drops with their guard once they are written.
pub struct GuardedBytes<B, G>(pub B, pub G);

impl<B: AsRef<[u8]>, G> AsRef<[u8]> for GuardedBytes<B, G> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}
