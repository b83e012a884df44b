//! One HTTP request on a connection of its own, for what kubectl does not show: codes, and bodies as sent.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::server::connect;

/// What came back, or why nothing did.
pub type Answer = Result<(u16, String), String>;

/// Sends `request` to `address`, over TLS where there is a configuration for it.
pub fn exchange(address: SocketAddr, tls: Option<ClientConfig>, request: Request<Full<Bytes>>) -> Answer {
    block_on(async {
        let error = |error: std::io::Error| error.to_string();
        match tls {
            Some(tls) => speak(connect(address, tls).await.map_err(error)?, request).await,
            None => speak(TcpStream::connect(address).await.map_err(error)?, request).await,
        }
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let error = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(error)?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(error)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(error)?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
