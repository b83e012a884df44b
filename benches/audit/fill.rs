//! Creates the objects of a cluster in a control plane, with several connections at once.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};
use testkit::client::KeepAlive;
use testkit::cluster::{Cluster, KUBE_SYSTEM, NAMESPACES, NETWORKS, without_server_fields};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, Receiver};

use super::attachments;
use super::plane::Plane;

/// Connections. The apiserver and etcd have only the processors that also run this.
const CONNECTIONS: usize = 16;
/// Objects that are made before a connection is free.
const QUEUE: usize = 64;
/// Objects between two lines about the progress.
const STEP: u32 = 10_000;

const WHEREABOUTS: &str = "/apis/whereabouts.cni.cncf.io/v1alpha1";
const ATTACHMENTS: &str = "/apis/k8s.cni.cncf.io/v1";

/// The objects that no connection has taken yet.
type Queue = Arc<Mutex<Receiver<(String, Value)>>>;

/// Creates all objects.
pub async fn fill(plane: &Plane, cluster: &Cluster) {
    attachments::define(plane);
    let tenants = (0..NAMESPACES).map(|number| format!("tenant-{number:02}"));
    let namespaces = tenants.chain([NETWORKS.to_owned()]).map(|name| json!({ "metadata": { "name": name } }));
    create(plane, "namespaces", namespaces.map(|it| ("/api/v1/namespaces".to_owned(), it))).await;
    let in_namespace = |prefix: &str, namespace: &str, resource: &str| {
        format!("{prefix}/namespaces/{namespace}/{resource}?fieldManager=whereabouts")
    };
    let pools = in_namespace(WHEREABOUTS, KUBE_SYSTEM, "ippools");
    create(plane, "IPPools", cluster.pool_objects().map(|it| (pools.clone(), it))).await;
    let reservations = in_namespace(WHEREABOUTS, KUBE_SYSTEM, "overlappingrangeipreservations");
    let objects = cluster.reservation_objects().map(|it| (reservations.clone(), it));
    create(plane, "OverlappingRangeIPReservations", objects).await;
    let attachments = in_namespace(ATTACHMENTS, NETWORKS, "network-attachment-definitions");
    let objects = cluster.attachment_objects().map(|it| (attachments.clone(), it));
    create(plane, "NetworkAttachmentDefinitions", objects).await;
    let pods = cluster.pod_objects().map(|it| {
        let namespace = it["metadata"]["namespace"].as_str().unwrap().to_owned();
        (in_namespace("/api/v1", &namespace, "pods"), it)
    });
    create(plane, "Pods", pods).await;
}

/// Creates objects, each at its path.
async fn create(plane: &Plane, what: &str, objects: impl Iterator<Item = (String, Value)>) {
    let (started, mut count) = (Instant::now(), 0_u32);
    let (sender, receiver) = mpsc::channel(QUEUE);
    let queue = Arc::new(Mutex::new(receiver));
    let mut workers = Vec::new();
    for _ in 0..CONNECTIONS {
        workers.push(tokio::spawn(work(plane.connect().await, queue.clone())));
    }
    for object in objects {
        sender.send(object).await.unwrap();
        count += 1;
        if count.is_multiple_of(STEP) {
            eprintln!("{count} {what} after {:.0} s", started.elapsed().as_secs_f64());
        }
    }
    drop(sender);
    for worker in workers {
        worker.await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{count} {what} in {seconds:.0} s, {:.0} per second", f64::from(count) / seconds);
}

async fn work(mut connection: KeepAlive, queue: Queue) {
    loop {
        let Some((path, object)) = queue.lock().await.recv().await else { return };
        let status = object.get("status").cloned();
        let (name, body) = (object["metadata"]["name"].clone(), without_server_fields(object).to_string());
        send(&mut connection, "POST", &path, "application/json", body).await;
        // A status is ignored where an object is created; the kubelet writes it.
        if let (Some(status), Some((pods, _))) = (status, path.split_once('?')) {
            let path = format!("{pods}/{}/status?fieldManager=kubelet", name.as_str().unwrap());
            let body = json!({ "status": status }).to_string();
            send(&mut connection, "PATCH", &path, "application/merge-patch+json", body).await;
        }
    }
}

async fn send(connection: &mut KeepAlive, method: &str, path: &str, content_type: &str, body: String) {
    let (status, answer) = connection.send(method, path, content_type, Bytes::from(body)).await;
    assert!(matches!(status, 200 | 201), "{method} {path}: {}", String::from_utf8_lossy(&answer));
}
