//! One server of a Service, and what is in flight on the connections to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A request is longer than this many bytes; the encrypted alert that ends a TLS connection is not.
const ALERT_BYTES: usize = 24;
/// A connection counts as in flight until this long after it was made: the session tickets of TLS look like a response.
const HANDSHAKE: Duration = Duration::from_secs(1);
/// The longest a caller may take to notice that its server has gone.
const CLOSE: Duration = Duration::from_secs(5);
/// Read at once, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// A server behind a Service.
pub struct Endpoint {
    server: SocketAddr,
    ready: AtomicBool,
    made: AtomicUsize,
    lost: AtomicUsize,
    connections: Mutex<HashMap<usize, Connection>>,
}

struct Connection {
    since: Instant,
    asked: bool,
}

impl Connection {
    fn is_settled(&self) -> bool {
        self.since.elapsed() >= HANDSHAKE
    }

    fn is_in_flight(&self) -> bool {
        self.asked || !self.is_settled()
    }
}

impl Endpoint {
    pub fn new(server: SocketAddr) -> Self {
        let (made, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { server, ready: AtomicBool::new(true), made, lost, connections: Mutex::default() }
    }

    pub fn server(&self) -> SocketAddr {
        self.server
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    /// Whether new connections go to it.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
    }

    /// Connections to it so far.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    /// Connections to it at the moment.
    pub fn open(&self) -> usize {
        self.connections().len()
    }

    /// Whether every connection is past its handshake, so that [`Self::in_flight`] is exact.
    pub fn is_settled(&self) -> bool {
        self.connections().values().all(Connection::is_settled)
    }

    /// Requests that it has not answered yet.
    pub fn in_flight(&self) -> usize {
        self.connections().values().filter(|it| it.is_in_flight()).count()
    }

    /// Requests in flight on connections that it ended.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<usize, Connection>> {
        self.connections.lock().unwrap()
    }

    /// Notes that `bytes` were sent by the caller of this connection.
    fn sent(&self, number: usize, bytes: usize) {
        if bytes > ALERT_BYTES {
            self.connections().entry(number).and_modify(|it| it.asked = true);
        }
    }

    /// Passes a connection on until one side ends it.
    pub async fn relay(&self, mut caller: TcpStream, mut server: TcpStream) {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        self.connections().insert(number, Connection { since: Instant::now(), asked: true });
        if self.carry(number, &mut caller, &mut server).await.is_err() {
            drop(server);
            self.close(number, &mut caller).await;
            let lost = self.connections().get(&number).is_some_and(Connection::is_in_flight);
            self.lost.fetch_add(usize::from(lost), Ordering::SeqCst);
        }
        self.connections().remove(&number);
    }

    /// Carries bytes both ways; an error where the server ended the connection.
    async fn carry(&self, number: usize, caller: &mut TcpStream, server: &mut TcpStream) -> Result<(), ()> {
        let (mut up, mut down) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
        loop {
            tokio::select! {
                read = caller.read(&mut up) => {
                    let Some(bytes) = some(read) else { return Ok(()) };
                    self.sent(number, bytes);
                    server.write_all(&up[..bytes]).await.map_err(drop)?;
                }
                read = server.read(&mut down) => {
                    let bytes = some(read).ok_or(())?;
                    self.connections().entry(number).and_modify(|it| it.asked = false);
                    if caller.write_all(&down[..bytes]).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Tells the caller that the server has gone, and counts what it sent before it knew.
    async fn close(&self, number: usize, caller: &mut TcpStream) {
        let mut rest = vec![0; BUFFER_BYTES];
        let _ = caller.shutdown().await;
        while let Ok(Some(bytes)) = timeout(CLOSE, caller.read(&mut rest)).await.map(some) {
            self.sent(number, bytes);
        }
    }
}

/// How much was read; nothing where the connection has ended.
fn some(read: std::io::Result<usize>) -> Option<usize> {
    read.ok().filter(|bytes| *bytes > 0)
}
