//! Callers who hold what they can, in turns of a second or two: the server may end their connections whenever it has to,
//! and has to answer everybody else.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use testkit::client::{connect, header};
use testkit::recorded;

use super::Soak;

/// How long they hold it.
const HELD_FOR: Duration = Duration::from_secs(2);
/// More than the server has, and how fast they come: not so fast that the handshake of another is the oldest of them.
const SILENT: usize = 600;
const PACE: Duration = Duration::from_millis(2);
const ANNOUNCED: usize = 8;
const UNREAD: usize = 8;

/// Holds `what` for a while.
async fn hold<T>(soak: &Soak, what: T) {
    soak.attacks.fetch_add(1, Relaxed);
    tokio::time::sleep(HELD_FOR).await;
    drop(what);
}

/// Announces the longest body, again and again, and sends nothing of it.
pub async fn announce(soak: Arc<Soak>) {
    while soak.goes_on() {
        let mut held = Vec::new();
        for _ in 0..ANNOUNCED {
            let mut stream = connect(soak.address, soak.tls.clone()).await.unwrap();
            stream.write_all(header("/validate", 8 << 20).as_bytes()).await.unwrap();
            held.push(stream);
        }
        hold(&soak, held).await;
    }
}

/// Opens more connections than there may be, and says nothing on them.
pub async fn stay_silent(soak: Arc<Soak>) {
    while soak.goes_on() {
        let mut held = Vec::new();
        for _ in 0..SILENT {
            held.push(TcpStream::connect(soak.address).await.unwrap());
            tokio::time::sleep(PACE).await;
        }
        hold(&soak, held).await;
    }
}

/// Sends large reviews one after the other, and reads no answer.
pub async fn read_nothing(soak: Arc<Soak>) {
    let body = recorded(1_000);
    while soak.goes_on() {
        let mut held = Vec::new();
        for _ in 0..UNREAD {
            let mut stream = connect(soak.address, soak.tls.clone()).await.unwrap();
            let request = [header("/mutate", body.len()).as_bytes(), &body].concat();
            // It may be closed before it has sent all.
            let _ = stream.write_all(&request).await;
            held.push(stream);
        }
        hold(&soak, held).await;
    }
}
