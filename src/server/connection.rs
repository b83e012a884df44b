//! One connection, from its first request to its end.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::activity::{Activity, Expired, UnderWay, Watched};
use super::lifecycle::Lifecycle;
use super::limits::Limits;

/// What HTTP/2 holds of bodies that nobody has read yet, in bytes for a connection.
const H2_WINDOW_BYTES: u32 = 256 * 1024;
/// Between two pings to a silent HTTP/2 peer.
const H2_PING_EVERY: Duration = Duration::from_secs(30);
/// How long a ping may go unanswered.
const H2_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The protocol of a connection, as ALPN settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, also for those who offer nothing.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Answers each request of `stream` by what `router` gives at that moment, until the peer ends it, a bound
/// is passed or the server closes.
pub async fn serve<S>(
    stream: S,
    protocol: Protocol,
    router: impl Fn() -> Router,
    limits: &Limits,
    life: &Lifecycle,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
    let service = service_fn(|request| answer(request, router(), activity.request(), life.clone()));
    match protocol {
        Protocol::Http1 => {
            let stream = TokioIo::new(Watched::new(stream, activity.clone()));
            drive(http1(limits).serve_connection(stream, service), &activity, limits, life).await;
        }
        // The frames of HTTP/2 come at any time; a header that never ends is idleness there.
        Protocol::Http2 => {
            let connection = http2(limits).serve_connection(TokioIo::new(stream), service);
            drive(connection, &activity, limits, life).await;
        }
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // `Activity` watches the header. hyper's limit of 100 header lines stays. Its buffer would grow to 400 KiB on
    // each connection that sends long bodies, for no more speed.
    builder.header_read_timeout(None).max_header_size(limits.header_bytes).max_buf_size(limits.header_bytes);
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(H2_WINDOW_BYTES)
        .initial_connection_window_size(H2_WINDOW_BYTES)
        .keep_alive_interval(H2_PING_EVERY)
        .keep_alive_timeout(H2_PING_TIMEOUT);
    builder
}

/// Runs `connection` to its end. A caller in the middle of a header is cut off; otherwise it is told of
/// the end, and what is under way is finished.
async fn drive<C>(connection: C, activity: &Activity, limits: &Limits, life: &Lifecycle)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let mut connection = pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return ended(result),
        () = life.closing.cancelled() => {}
        expired = activity.expired(limits.idle, limits.header) => {
            debug!(?expired, "a connection is closed");
            if expired == Expired::Header {
                return;
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        result = connection => ended(result),
        // hyper waits for the rest of a header that began before.
        expired = activity.expired(limits.drain, limits.header) => debug!(?expired, "a connection is dropped"),
        () = tokio::time::sleep(limits.drain) => warn!("a connection did not end in time and is dropped"),
    }
}

fn ended<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        debug!(%error, "a connection broke");
    }
}

/// The answer of `router`. While the server leaves, each answer sends its caller to another replica;
/// HTTP/2 has no such header, there the connection is closed later.
async fn answer(
    request: Request<Incoming>,
    router: Router,
    under_way: UnderWay,
    life: Lifecycle,
) -> Result<Response<Body>, Infallible> {
    let version = request.version();
    let mut response = router.oneshot(request.map(Body::new)).await?;
    if version == Version::HTTP_2 {
        response.headers_mut().remove(header::CONNECTION);
    } else if life.leaving.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    drop(under_way);
    Ok(response)
}
