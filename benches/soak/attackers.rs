//! Clients that hold what they can for seconds at a time. The server may close their connections whenever it has to, and
//! has to serve everybody else.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use testkit::client::{connect, header};
use testkit::recorded;

use super::Soak;

/// How long they hold it.
const HOLD_TIME: Duration = Duration::from_secs(2);
/// More connections than the limit, at a pace at which the handshake of another client is never the oldest.
const SILENT: usize = 600;
const PACE: Duration = Duration::from_millis(2);
const ANNOUNCED: usize = 8;
const UNREAD: usize = 8;

async fn hold<T>(soak: &Soak, held: T) {
    soak.attacks.fetch_add(1, Relaxed);
    tokio::time::sleep(HOLD_TIME).await;
    drop(held);
}

/// Announces the longest body and sends nothing of it.
pub async fn announce(soak: Arc<Soak>) {
    while soak.is_running() {
        let mut held = Vec::new();
        for _ in 0..ANNOUNCED {
            let mut stream = connect(soak.address, soak.tls.clone()).await.unwrap();
            stream.write_all(header("/validate", 8 << 20).as_bytes()).await.unwrap();
            held.push(stream);
        }
        hold(&soak, held).await;
    }
}

/// Opens more connections than the limit, and sends nothing.
pub async fn stay_silent(soak: Arc<Soak>) {
    while soak.is_running() {
        let mut held = Vec::new();
        for _ in 0..SILENT {
            held.push(TcpStream::connect(soak.address).await.unwrap());
            tokio::time::sleep(PACE).await;
        }
        hold(&soak, held).await;
    }
}

/// Sends large reviews and reads no response.
pub async fn read_nothing(soak: Arc<Soak>) {
    let body = recorded(1_000);
    while soak.is_running() {
        let mut held = Vec::new();
        for _ in 0..UNREAD {
            let mut stream = connect(soak.address, soak.tls.clone()).await.unwrap();
            let request = [header("/mutate", body.len()).as_bytes(), &body].concat();
            // The server may close the connection before everything is sent.
            let _ = stream.write_all(&request).await;
            held.push(stream);
        }
        hold(&soak, held).await;
    }
}
