//! One connection, from its first request to its end.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, Version, header};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::account::Peer;
use super::activity::{Activity, Expired, UnderWay};
use super::lifecycle::Lifecycle;
use super::limits::Limits;
use super::stream::Watched;

/// Answers each request of `stream` by what `router` gives for it at that moment, until the peer ends it, a bound
/// is passed or the server closes.
pub async fn serve<S>(
    stream: S,
    peer: Peer,
    router: impl Fn(&Request<Incoming>) -> Router,
    limits: &Limits,
    life: &Lifecycle,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = peer.activity.clone();
    let service = service_fn(|mut request| {
        let router = router(&request);
        request.extensions_mut().insert(peer.clone());
        answer(request, router, activity.clone(), life.clone())
    });
    let stream = TokioIo::new(Watched::new(stream, activity.clone(), limits));
    drive(http1(limits).serve_connection(stream, service), &activity, limits, life).await;
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // `Activity` watches the header. hyper's limit of 100 header lines stays. Its buffer would grow to 400 KiB on
    // each connection that sends long bodies, for no more speed.
    builder.header_read_timeout(None).max_header_size(limits.header_bytes).max_buf_size(limits.header_bytes);
    builder
}

/// Whether a request names its host as it has to (RFC 9112, 3.2): once; in HTTP/1.0 it need not.
pub fn has_one_host<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || hosts == 0 && request.version() == Version::HTTP_10
}

/// Runs `connection` to its end. A caller in the middle of a header, or one that does not read, is cut off;
/// otherwise it is told of the end, and what is under way is finished.
async fn drive<S, A>(
    connection: http1::Connection<TokioIo<Watched<S>>, A>,
    activity: &Activity,
    limits: &Limits,
    life: &Lifecycle,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    A: HttpService<Incoming, ResBody = Sending, Error = Infallible>,
{
    let mut connection = pin!(connection);
    let mut time = limits.drain;
    tokio::select! {
        result = connection.as_mut() => return ended(result),
        () = life.closing.cancelled() => {}
        expired = activity.expired(limits.idle, limits.header) => {
            debug!(?expired, "a connection is closed");
            match expired {
                Expired::Header | Expired::Stalled => return,
                Expired::Evicted => time = limits.evict,
                Expired::Idle => {}
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    finish(connection, activity, limits, time).await;
}

async fn finish(
    connection: impl Future<Output = hyper::Result<()>>,
    activity: &Activity,
    limits: &Limits,
    time: std::time::Duration,
) {
    tokio::select! {
        result = connection => ended(result),
        // hyper waits for the rest of a header that began before.
        expired = activity.expired(limits.drain, limits.header), if !activity.is_evicted() => {
            debug!(?expired, "a connection is dropped");
        }
        () = tokio::time::sleep(time) => {
            if !activity.is_evicted() {
                warn!("a connection did not end in time and is dropped");
            }
        }
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
    activity: Activity,
    life: Lifecycle,
) -> Result<Response<Sending>, Infallible> {
    let under_way = activity.request();
    let mut response = router.oneshot(request.map(Body::new)).await?;
    if life.leaving.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    activity.sending();
    Ok(response.map(|body| Sending { body, under_way: Some(under_way) }))
}

/// An answer, whose request is under way until its last byte was written.
struct Sending {
    body: Body,
    under_way: Option<UnderWay>,
}

/// Bytes that are being written, and the request they answer.
struct Last {
    bytes: Bytes,
    _under_way: Option<UnderWay>,
}

impl AsRef<[u8]> for Last {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if !self.body.is_end_stream() {
            return Poll::Ready(frame);
        }
        let under_way = self.under_way.take();
        let last = |bytes| Bytes::from_owner(Last { bytes, _under_way: under_way });
        Poll::Ready(frame.map(|frame| Ok(frame?.map_data(last))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
