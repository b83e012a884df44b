//! A control plane: etcd and kube-apiserver on the loopback, with the CRDs and the RBAC of whereabouts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{self, exchange};
use super::process::{Leashed, Ran, awaited, command};
use super::tools::tools;
use testkit::client::{KeepAlive, client};
use testkit::pki::{Ca, Pair};

/// Starts before a port that is taken counts as a failure.
const ATTEMPTS: usize = 3;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// The administrator, by client certificate.
    Admin,
    /// Nobody: no certificate and no token.
    Anonymous,
    /// The bearer of a token; see [`Plane::token`]. Text that is not a token makes a 401.
    Token(&'a str),
}

/// What the apiserver of a control plane is told besides, once its directory and its CA are there.
pub type More<'a> = &'a dyn Fn(&Path, &Ca) -> Vec<String>;

/// A running control plane; everything of it is killed when it is dropped.
pub struct Plane {
    /// `https://127.0.0.1:port`
    pub url: String,
    /// The CA of every certificate in it, PEM.
    pub ca: String,
    /// The kubeconfig of the administrator, whose namespace is kube-system.
    pub admin_kubeconfig: PathBuf,
    /// A directory of its own, emptied when it starts and left for those who look for the cause.
    pub scratch: PathBuf,
    address: SocketAddr,
    authority: Ca,
    admin: Pair,
    // In the order they are to go: an apiserver without its etcd writes pages of complaints.
    apiserver: Leashed,
    etcd: Leashed,
    // What etcd allocates in advance would add up to gigabytes, and tells nothing about a cause.
    _data: TempDir,
}

impl Plane {
    /// Starts one under a name of its own, and waits until it serves IPPools.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &|_, _| Vec::new())
    }

    /// Starts one whose apiserver is told something besides.
    pub fn start_with(name: &str, more: More<'_>) -> Self {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster").join(name);
        // A port that was free when it was asked for may be taken by the time it is used.
        let taken = |error: &String| error.contains("address already in use");
        let mut started = Self::start_in(&scratch, more);
        for _ in 1..ATTEMPTS {
            if started.as_ref().err().is_some_and(taken) {
                started = Self::start_in(&scratch, more);
            }
        }
        let plane = started.unwrap_or_else(|error| panic!("control plane {name}: {error}"));
        plane.install();
        plane
    }

    fn start_in(scratch: &Path, more: More<'_>) -> Result<Self, String> {
        let _ = std::fs::remove_dir_all(scratch);
        std::fs::create_dir_all(scratch.join("tmp")).unwrap();
        let authority = Ca::root();
        let admin = write_secrets(scratch, &authority);
        let (address, store) = (free(), format!("http://{}", free()));
        let data = tempfile::tempdir_in(scratch).unwrap();
        let arguments = etcd_arguments(data.path(), &store);
        let etcd = Leashed::start(&tools().etcd, &arguments, &scratch.join("etcd.log"));
        let mut arguments = apiserver_arguments(scratch, address, &store);
        arguments.extend(more(scratch, &authority));
        let apiserver = Leashed::start(&tools().apiserver, &arguments, &scratch.join("kube-apiserver.log"));
        let mut plane = Self {
            url: format!("https://{address}"),
            ca: authority.pem.clone(),
            admin_kubeconfig: scratch.join("admin.kubeconfig"),
            scratch: scratch.to_owned(),
            address,
            authority,
            admin,
            apiserver,
            etcd,
            _data: data,
        };
        plane.until_ready()?;
        let user = json!({ "client-certificate": "admin.crt", "client-key": "admin.key" });
        plane.write_kubeconfig(&plane.admin_kubeconfig, &user);
        Ok(plane)
    }

    fn until_ready(&mut self) -> Result<(), String> {
        let tls = client(&self.ca, Some(&self.admin));
        let what = "kube-apiserver to be ready";
        // Without etcd the apiserver would wait on, so that etcd is watched as well.
        awaited(what, || match self.etcd.ended().or_else(|| self.apiserver.ended()) {
            Some(ended) => Some(Err(format!("{what}: {ended}"))),
            None => {
                let answer = exchange(self.address, Some(tls.clone()), get(&self.url, "/readyz"));
                answer.is_ok_and(|(code, _)| code == 200).then_some(Ok(()))
            }
        })
    }

    /// The CRDs and the RBAC as the pinned release of whereabouts ships them. Its pods never run: there is
    /// neither a scheduler nor a kubelet.
    fn install(&self) {
        let manifests = tools().whereabouts_dir.join("doc/crds");
        self.kubectl(&["apply", "-f", manifests.to_str().unwrap()]).ok();
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).ok();
    }

    /// Writes a kubeconfig for `user`, the entry's `user` part; relative paths are the scratch directory's.
    pub fn write_kubeconfig(&self, path: &Path, user: &Value) {
        self.write_kubeconfig_in("kube-system", path, user);
    }

    /// The same with another namespace.
    pub fn write_kubeconfig_in(&self, namespace: &str, path: &Path, user: &Value) {
        let cluster = json!({ "server": self.url, "certificate-authority": self.scratch.join("ca.crt") });
        let context = json!({ "cluster": "test", "user": "user", "namespace": namespace });
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "test", "cluster": cluster }],
            "users": [{ "name": "user", "user": user }],
            "contexts": [{ "name": "test", "context": context }],
            "current-context": "test",
        });
        std::fs::write(path, config.to_string()).unwrap();
    }

    /// A kept connection to the apiserver, as the administrator.
    #[allow(dead_code, reason = "for measurements")]
    pub async fn connect(&self) -> KeepAlive {
        KeepAlive::connect(self.address, client(&self.ca, Some(&self.admin))).await
    }

    /// A certificate of this control plane's CA for localhost and 127.0.0.1.
    pub fn certificate(&self, name: &str) -> Pair {
        self.authority.pair_with(name, on_loopback)
    }

    /// A certificate of this control plane's CA to show to a server.
    pub fn client(&self, name: &str) -> Pair {
        for_client(&self.authority, name)
    }

    /// A token of a service account, which is made if it is not there.
    pub fn token(&self, namespace: &str, account: &str) -> String {
        let made = self.kubectl(&["create", "serviceaccount", account, "-n", namespace]);
        assert!(made.code == 0 || made.stderr.contains("already exists"), "{}", made.stderr);
        let token = self.kubectl(&["create", "token", account, "-n", namespace, "--duration=2h"]).ok();
        token.trim().to_owned()
    }

    /// Runs kubectl as the administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.kubectl_with(arguments, "", &[])
    }

    /// Runs kubectl with this on stdin and this in its environment; `KUBECONFIG` in it is another identity.
    pub fn kubectl_with(&self, arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) -> Ran {
        let mut command = command(&tools().kubectl);
        // What kubectl learnt of one control plane it keeps below HOME under its port, where the next may be.
        command.env("HOME", &self.scratch).env("TMPDIR", self.scratch.join("tmp"));
        command.env("KUBECONFIG", &self.admin_kubeconfig);
        command.args(arguments).envs(environment.iter().copied()).current_dir(&self.scratch);
        Ran::of(command, stdin)
    }

    /// Asks the API; the code and the body, which is null where it is not JSON.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &str,
        identity: Identity<'_>,
    ) -> (u16, Value) {
        let (certificate, token) = match identity {
            Identity::Admin => (Some(&self.admin), None),
            Identity::Anonymous => (None, None),
            Identity::Token(token) => (None, Some(token)),
        };
        let (mut parts, ()) = get(&self.url, path).map(|_| ()).into_parts();
        parts.method = method.parse().unwrap();
        parts.headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        if let Some(token) = token {
            parts.headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let request = Request::from_parts(parts, Full::new(Bytes::from(body.to_owned())));
        let answer: http::Answer = exchange(self.address, Some(client(&self.ca, certificate)), request);
        let (code, text) = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        (code, serde_json::from_str(&text).unwrap_or_default())
    }
}

/// A GET of `path` from the server at `url`.
pub fn get(url: &str, path: &str) -> Request<Full<Bytes>> {
    let host = url.split("//").last().unwrap();
    Request::get(path).header(HOST, host).body(Full::default()).unwrap()
}

/// A certificate whose common name is `name`, to show to a server.
pub fn for_client(ca: &Ca, name: &str) -> Pair {
    ca.pair_with(name, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
}

/// Certificates and keys, where the programs look for them; what the administrator shows.
fn write_secrets(scratch: &Path, authority: &Ca) -> Pair {
    let write = |name: &str, text: &str| std::fs::write(scratch.join(name), text).unwrap();
    let server = authority.pair_with("kube-apiserver", on_loopback);
    let masters = |params: &mut CertificateParams| {
        params.distinguished_name.push(DnType::OrganizationName, "system:masters");
    };
    let admin = authority.pair_with("admin", masters);
    let accounts = KeyPair::generate().unwrap();
    write("ca.crt", &authority.pem);
    for (name, pair) in [("kube-apiserver", &server), ("admin", &admin)] {
        write(&format!("{name}.crt"), &pair.cert);
        write(&format!("{name}.key"), &pair.key);
    }
    write("service-accounts.key", &accounts.serialize_pem());
    write("service-accounts.pub", &accounts.public_key_pem());
    admin
}

fn on_loopback(params: &mut CertificateParams) {
    params.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
}

/// An address of the loopback that nobody listens on at the moment.
pub fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A part of the loopback for the control plane at this port alone.
fn network(port: u16) -> Ipv4Addr {
    let [high, low] = port.to_be_bytes();
    Ipv4Addr::new(127, high, low, 0)
}

fn etcd_arguments(data: &Path, store: &str) -> Vec<String> {
    let peer = format!("http://{}", free());
    vec![
        format!("--data-dir={}", data.display()),
        "--unsafe-no-fsync".into(), // all of it is thrown away
        // In bytes; a measurement stores more than the default of 2 GiB.
        format!("--quota-backend-bytes={}", 8_u64 << 30),
        format!("--listen-client-urls={store}"),
        format!("--advertise-client-urls={store}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
    ]
}

fn apiserver_arguments(scratch: &Path, address: SocketAddr, store: &str) -> Vec<String> {
    let file = |name: &str| scratch.join(name).display().to_string();
    vec![
        format!("--etcd-servers={store}"),
        format!("--bind-address={}", address.ip()),
        format!("--secure-port={}", address.port()),
        format!("--cert-dir={}", file("kube-apiserver")),
        format!("--tls-cert-file={}", file("kube-apiserver.crt")),
        format!("--tls-private-key-file={}", file("kube-apiserver.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--service-account-key-file={}", file("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", file("service-accounts.key")),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        "--authorization-mode=RBAC".into(),
        // On the loopback, so that the apiserver reaches what the tests put behind a Service.
        format!("--service-cluster-ip-range={}/24", network(address.port())),
        // It would wait for the `default` service accounts, which a controller makes; there is none.
        "--disable-admission-plugins=ServiceAccount".into(),
        // The DaemonSet of whereabouts asks for it.
        "--allow-privileged=true".into(),
    ]
}
