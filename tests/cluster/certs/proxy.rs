//! The address of a Service, and the server behind it: what kube-proxy does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::http::block_on;

/// Passes connections on until it is dropped.
pub struct Proxy {
    accepted: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// From `address` to `server`.
    pub fn between(address: SocketAddr, server: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        listener.set_nonblocking(true).unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let (stop, stopped) = oneshot::channel();
        thread::spawn(move || {
            block_on(async {
                tokio::select! {
                    () = pass_on(listener, server, count) => (),
                    _ = stopped => (),
                }
            });
        });
        Self { accepted, _stop: stop }
    }

    /// Connections so far. The apiserver makes one when it calls by a configuration it has not called by before.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

async fn pass_on(listener: std::net::TcpListener, server: SocketAddr, count: Arc<AtomicUsize>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (mut caller, _) = listener.accept().await.unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let mut server = TcpStream::connect(server).await?;
            copy_bidirectional(&mut caller, &mut server).await
        });
    }
}
