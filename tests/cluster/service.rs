//! A Service: one address for the servers behind it. It does what kube-proxy does, with one difference: a connection
//! that one server refuses goes to the next, as if the endpoint of a dead server were removed at once.

mod endpoint;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub use endpoint::Endpoint;

use crate::http::block_on;

/// Passes connections on until it is dropped.
pub struct Service {
    routes: Arc<Routes>,
    _stop: oneshot::Sender<()>,
}

#[derive(Default)]
struct Routes {
    endpoints: Mutex<Vec<Arc<Endpoint>>>,
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

impl Service {
    /// At `address`, without an endpoint.
    pub fn at(address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        listener.set_nonblocking(true).unwrap();
        let routes = Arc::<Routes>::default();
        let shared = Arc::clone(&routes);
        let (stop, stopped) = oneshot::channel();
        thread::spawn(move || {
            block_on(async {
                tokio::select! {
                    () = pass_on(listener, shared) => (),
                    _ = stopped => (),
                }
            });
        });
        Self { routes, _stop: stop }
    }

    /// Sends connections to `server`, too.
    pub fn add(&self, server: SocketAddr) -> Arc<Endpoint> {
        let endpoint = Arc::new(Endpoint::new(server));
        self.routes.endpoints.lock().unwrap().push(Arc::clone(&endpoint));
        endpoint
    }

    /// Makes no new connections to `endpoint`; those that exist stay.
    pub fn remove(&self, endpoint: &Arc<Endpoint>) {
        self.routes.endpoints.lock().unwrap().retain(|it| !Arc::ptr_eq(it, endpoint));
    }

    /// Connections so far. The apiserver makes one when it calls by a configuration it has not called by before.
    pub fn accepted(&self) -> usize {
        self.routes.accepted.load(Ordering::SeqCst)
    }

    /// Connections that a server refused.
    pub fn refused(&self) -> usize {
        self.routes.refused.load(Ordering::SeqCst)
    }
}

impl Routes {
    /// A connection to the next ready endpoint that takes one.
    async fn connect(&self, number: usize) -> Option<(Arc<Endpoint>, TcpStream)> {
        let mut ready = self.endpoints.lock().unwrap().clone();
        ready.retain(|endpoint| endpoint.is_ready());
        let first = number.checked_rem(ready.len())?;
        ready.rotate_left(first);
        for endpoint in ready {
            match TcpStream::connect(endpoint.server()).await {
                Ok(stream) => return Some((endpoint, stream)),
                Err(_) => self.refused.fetch_add(1, Ordering::SeqCst),
            };
        }
        None
    }
}

async fn pass_on(listener: std::net::TcpListener, routes: Arc<Routes>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (caller, _) = listener.accept().await.unwrap();
        let number = routes.accepted.fetch_add(1, Ordering::SeqCst);
        let routes = Arc::clone(&routes);
        tokio::spawn(async move {
            if let Some((endpoint, server)) = routes.connect(number).await {
                endpoint.relay(caller, server).await;
            }
        });
    }
}
