//! The readiness probe of the kubelet, which decides whether the Service makes connections to a replica.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::deployment::Replica;
use crate::service::Endpoint;

/// When a replica counts as not ready.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub period: Duration,
    pub timeout: Duration,
    /// In a row.
    pub failures: usize,
}

/// Probes replicas until it is dropped.
pub struct Kubelet(#[expect(dead_code, reason = "dropping them is the sign")] Vec<Sender<()>>);

impl Probe {
    /// As a Deployment has it.
    pub fn of(deployment: &Value) -> Self {
        let probe = deployment.pointer("/spec/template/spec/containers/0/readinessProbe").unwrap();
        let number = |name: &str| probe[name].as_u64().unwrap();
        Self {
            period: Duration::from_secs(number("periodSeconds")),
            timeout: Duration::from_secs(number("timeoutSeconds")),
            failures: number("failureThreshold") as usize,
        }
    }
}

impl Kubelet {
    /// Sets each endpoint ready or not as its probe says.
    pub fn watch(replicas: &[Replica], probe: Probe) -> Self {
        Self(replicas.iter().map(|it| watch(it.webhook.admin(), Arc::clone(&it.endpoint), probe)).collect())
    }
}

fn watch(admin: SocketAddr, endpoint: Arc<Endpoint>, probe: Probe) -> Sender<()> {
    let (stop, stopped) = channel();
    thread::spawn(move || {
        let mut failed = 0;
        while stopped.recv_timeout(probe.period) == Err(RecvTimeoutError::Timeout) {
            failed = if is_ready(admin, probe.timeout) { 0 } else { failed + 1 };
            if failed == 0 || failed >= probe.failures {
                endpoint.set_ready(failed == 0);
            }
        }
    });
    stop
}

/// Whether `/readyz` says so within `timeout`.
pub fn is_ready(admin: SocketAddr, timeout: Duration) -> bool {
    ask(admin, timeout).is_ok_and(|status| &status == b"HTTP/1.1 200")
}

fn ask(admin: SocketAddr, timeout: Duration) -> io::Result<[u8; 12]> {
    let mut stream = TcpStream::connect_timeout(&admin, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: kubelet\r\nconnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(status)
}
