//! One connection, from its first request to its end.

use std::convert::Infallible;
use std::pin::pin;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::activity::{Activity, Expired, UnderWay, Watched};
use super::lifecycle::Lifecycle;
use super::limits::Limits;

/// Answers each request of `stream` by what `router` gives at that moment, until the peer ends it, a bound
/// is passed or the server closes.
pub async fn serve<S>(stream: S, router: impl Fn() -> Router, limits: &Limits, life: &Lifecycle)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
    let service = service_fn(|request| answer(request, router(), activity.request(), life.clone()));
    let stream = TokioIo::new(Watched::new(stream, activity.clone()));
    drive(http1(limits).serve_connection(stream, service), &activity, limits, life).await;
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // `Activity` watches the header. hyper's limit of 100 header lines stays. Its buffer would grow to 400 KiB on
    // each connection that sends long bodies, for no more speed.
    builder.header_read_timeout(None).max_header_size(limits.header_bytes).max_buf_size(limits.header_bytes);
    builder
}

/// Runs `connection` to its end. A caller in the middle of a header is cut off; otherwise it is told of
/// the end, and what is under way is finished.
async fn drive<S, A>(
    connection: http1::Connection<TokioIo<Watched<S>>, A>,
    activity: &Activity,
    limits: &Limits,
    life: &Lifecycle,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    A: HttpService<Incoming, ResBody = Body, Error = Infallible>,
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

fn ended(result: hyper::Result<()>) {
    if let Err(error) = result {
        debug!(%error, "a connection broke");
    }
}

/// The answer of `router`. While the server leaves, each answer sends its caller to another replica.
async fn answer(
    request: Request<Incoming>,
    router: Router,
    under_way: UnderWay,
    life: Lifecycle,
) -> Result<Response<Body>, Infallible> {
    let mut response = router.oneshot(request.map(Body::new)).await?;
    if life.leaving.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    drop(under_way);
    Ok(response)
}
