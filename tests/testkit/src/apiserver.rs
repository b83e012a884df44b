//! A stand-in for an apiserver: plain HTTP on a loopback port, one request on each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};

/// Starts one that answers each request with the code and the object that `answer` makes of its method, its path and its
/// body. Returns its address.
pub fn start(answer: impl Fn(&str, &str, &[u8]) -> (u16, Value) + Send + 'static) -> SocketAddr {
    start_with_queries(move |method, target, body| {
        let path = target.split('?').next().unwrap_or_default();
        answer(method, path, body)
    })
}

/// The same, whose path has the query after it.
pub fn start_with_queries(answer: impl Fn(&str, &str, &[u8]) -> (u16, Value) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap(), &answer)));
    address
}

/// Answers one request, and closes the connection.
fn serve(mut stream: TcpStream, answer: &impl Fn(&str, &str, &[u8]) -> (u16, Value)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let head = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let head: Vec<_> = head.map(|line| line.to_ascii_lowercase()).collect();
    // The client may connect without a request.
    let Some((method, target)) = head.first().and_then(|line| line.split_once(' ')) else { return };
    let path = target.split(' ').next().unwrap();
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let (code, object) = answer(method, path, &body);
    let (object, head) = (object.to_string(), format!("HTTP/1.1 {code} Status\r\nconnection: close\r\n"));
    let length = object.len();
    let head = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + &object).as_bytes()).unwrap();
}

/// The answer that refuses a request.
pub fn status(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code });
    (code, status)
}

/// A kubeconfig for `server`, a URL, without credentials and without a CA.
pub fn kubeconfig(server: &str) -> String {
    let config = json!({
        "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": server } }],
        "users": [{ "name": "c", "user": {} }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
    });
    config.to_string()
}
