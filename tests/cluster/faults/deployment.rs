//! The replicas of the Deployment behind its Service, in a control plane.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::kubelet::is_ready;
use super::load::{Load, WRITERS};
use crate::certs::install::try_out;
use crate::certs::stage::{Mount, Stage, overlay, service_port};
use crate::plane::Plane;
use crate::process::awaited;
use crate::service::{Endpoint, Service};
use crate::webhook::Webhook;

/// What a probe may take where nothing is wrong, on a machine that is busy with other tests.
const PROBE: Duration = Duration::from_secs(5);

/// The running replicas, and the Service before them.
pub struct Deployment {
    pub stage: Stage,
    pub service: Service,
    pub replicas: Vec<Replica>,
    started: usize,
    _mount: Mount,
}

/// A replica that was ready, and got connections from then on.
pub struct Replica {
    pub webhook: Webhook,
    pub endpoint: Arc<Endpoint>,
}

/// Two new replicas that the apiserver calls. A test may leave them in any state.
pub fn deployment() -> MutexGuard<'static, Deployment> {
    static DEPLOYMENT: OnceLock<Mutex<Deployment>> = OnceLock::new();
    let deployment = DEPLOYMENT.get_or_init(|| Mutex::new(Deployment::new()));
    let mut deployment = deployment.lock().unwrap_or_else(PoisonError::into_inner);
    deployment.renew();
    deployment
}

impl Deployment {
    fn new() -> Self {
        let stage = Stage::apply(Plane::start("faults"), overlay(&[]), service_port());
        stage.issue().ok();
        let (mount, service) = (stage.mount(), stage.service());
        Self { stage, service, replicas: Vec::new(), started: 0, _mount: mount }
    }

    fn renew(&mut self) {
        self.stop();
        self.replicas = vec![self.start(), self.start()];
        self.until_called();
    }

    /// Kills all replicas.
    pub fn stop(&mut self) {
        for replica in self.replicas.drain(..) {
            self.service.remove(&replica.endpoint);
        }
    }

    fn until_called(&self) {
        awaited("the webhooks to be in force", || {
            let normalized = try_out(&self.stage, "10.70.0.9/24").1["spec"]["range"] == "10.70.0.0/24";
            (normalized && try_out(&self.stage, "10.70.0.0/33").0 == 422).then_some(())
        });
    }

    /// One more replica.
    pub fn start(&mut self) -> Replica {
        let (program, arguments) = self.stage.container();
        self.start_as(&program, &arguments)
    }

    /// One more replica, which may have `files` open at most.
    pub fn start_with_files(&mut self, files: usize) -> Replica {
        let (program, arguments) = self.stage.container();
        let limited = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        let shell = ["-c".to_owned(), limited, program.to_str().unwrap().to_owned()];
        self.start_as(Path::new("/bin/sh"), &[&shell[..], &arguments].concat())
    }

    fn start_as(&mut self, program: &Path, arguments: &[String]) -> Replica {
        self.started += 1;
        let webhook = self.stage.start(program, arguments, &format!("webhook-{}.log", self.started));
        awaited("a replica to be ready", || is_ready(webhook.admin(), PROBE).then_some(()));
        let endpoint = self.service.add(webhook.address());
        Replica { webhook, endpoint }
    }

    /// The replica with the most connections.
    pub fn busiest(&self) -> usize {
        (0..self.replicas.len()).max_by_key(|it| self.replicas[*it].endpoint.open()).unwrap()
    }

    /// One step of a rollout: a new replica becomes ready, then this one gets SIGTERM. The Service keeps making
    /// connections to it for a while, as endpoints change later than processes.
    pub fn restart(&mut self, number: usize, load: &Load) {
        let new = self.start();
        let mut old = std::mem::replace(&mut self.replicas[number], new);
        old.signal("TERM");
        awaited("it to be unready", || (!is_ready(old.webhook.admin(), PROBE)).then_some(()));
        load.more(WRITERS);
        self.service.remove(&old.endpoint);
        let ended = awaited("it to be drained", || old.webhook.ended());
        assert!(ended.contains("exit status: 0\n"), "{ended}");
    }
}

impl Replica {
    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let process = self.webhook.process().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }
}
