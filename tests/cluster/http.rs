//! One HTTP request on a connection of its own, for what kubectl does not show: codes, and bodies as sent.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use testkit::client::connect;

/// What came back, or why nothing did.
pub type Answer = Result<(u16, String), String>;

/// Sends `request` to `address`, over TLS where there is a configuration for it.
pub fn exchange(address: SocketAddr, tls: Option<ClientConfig>, request: Request<Full<Bytes>>) -> Answer {
    block_on(async {
        let error = |error: io::Error| error.to_string();
        match tls {
            Some(tls) => speak(connect(address, tls).await.map_err(error)?, request).await,
            None => speak(TcpStream::connect(address).await.map_err(error)?, request).await,
        }
    })
}

/// Sends `request` over TLS to `address`, which is to prove that it is `name`.
pub fn exchange_with(
    name: &str,
    address: SocketAddr,
    tls: ClientConfig,
    request: Request<Full<Bytes>>,
) -> Answer {
    block_on(async {
        speak(connect_to(name, address, tls).await.map_err(|it| it.to_string())?, request).await
    })
}

/// A TLS connection to `address`, which is to prove that it is `name`.
pub async fn connect_to(
    name: &str,
    address: SocketAddr,
    tls: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(tls)).connect(name, TcpStream::connect(address).await?).await
}

/// Runs what waits for the network.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
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
