//! Bytes on a connection of the server: it answers with HTTP or hangs up, never with its own failure, and goes on.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ippool_webhook::policy::Policy;
use ippool_webhook::server::{Certificates, Config, Server};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

/// How long a connection may take whose caller has said all it will.
const PATIENCE: Duration = Duration::from_secs(15);

/// A server for all inputs.
struct Running {
    runtime: Runtime,
    address: SocketAddr,
    connector: TlsConnector,
}

/// Sends `bytes` on a connection of its own and holds what comes back to it.
pub fn check(bytes: &[u8]) {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    let running = RUNNING.get_or_init(start);
    let exchange = async { tokio::time::timeout(PATIENCE, running.exchange(bytes)).await };
    let heard = running.runtime.block_on(exchange).expect("the server neither answers nor hangs up");
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.is_empty() || heard.starts_with("HTTP/1."), "{heard}");
    assert!(!heard.starts_with("HTTP/1.1 500"), "{heard}");
}

impl Running {
    /// Writes all of it, says that it was all, and reads to the end; a connection that is reset ends too.
    async fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut stream = self.connector.connect(name, stream).await.expect("the server shakes hands");
        let mut heard = Vec::new();
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut heard).await;
        heard
    }
}

fn start() -> Running {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let certificates = Arc::new(Certificates::from_pem(&cert, &key).expect("a pair"));
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(Server::bind(Config::default(), Policy::default(), certificates));
    let server = server.expect("two free ports");
    let address = server.address();
    runtime.spawn(server.run(std::future::pending()));
    Running { runtime, address, connector: connector(issued.cert.der().clone()) }
}

fn connector(trusted: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
