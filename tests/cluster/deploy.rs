//! `deploy/` in a control plane: it is accepted as it is, and the right users are sent to the webhook.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::plane::Plane;
use super::process::Ran;
use super::rendered::{OVERLAYS, folder, of_kind, rendered, rendered_beside, rendered_webhooks};

/// A control plane with the namespace of the webhook and nothing that runs in it. Nobody writes a pool there.
pub fn plane() -> &'static Plane {
    static PLANE: OnceLock<Plane> = OnceLock::new();
    PLANE.get_or_init(|| {
        let plane = Plane::start("deploy");
        let [namespace] = of_kind("base", "Namespace").try_into().unwrap();
        plane.kubectl_with(&["apply", "-f", "-"], &namespace.to_string(), &[]).ok();
        plane
    })
}

pub fn tried(plane: &Plane, object: &Value) -> Ran {
    let apply = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
    plane.kubectl_with(&apply, &object.to_string(), &[])
}

/// A pod as the controller of this Deployment would make it.
pub fn pod_of(deployment: &Value) -> Value {
    let mut pod = deployment["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("tried");
    pod["metadata"]["namespace"] = deployment["metadata"]["namespace"].clone();
    pod
}

#[test]
fn every_object_is_accepted_by_the_apiserver_without_a_warning() {
    for overlay in ["base"].iter().chain(&OVERLAYS) {
        let (foreign, ours): (Vec<_>, Vec<_>) = rendered(overlay)
            .into_iter()
            .partition(|object| object["apiVersion"].as_str().unwrap().starts_with("cert-manager.io/"));
        assert_eq!(ours.len(), if *overlay == "self-managed" { 18 } else { 10 }, "{overlay}");
        for object in ours {
            let ran = tried(plane(), &object);
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{overlay}: {object}");
        }
        let issued = matches!(*overlay, "cert-manager" | "observe-cni");
        assert_eq!(foreign.len(), if issued { 4 } else { 0 }, "{overlay}");
        // The CRDs of cert-manager are not here; what can be said without them is in `tests/deploy`.
        for object in foreign {
            let ran = tried(plane(), &object);
            assert!(ran.stderr.contains("no matches for kind"), "{overlay}: {}", ran.stderr);
        }
    }
}

#[test]
fn the_pods_meet_the_restricted_standard_and_fit_their_quota() {
    for overlay in OVERLAYS {
        for deployment in of_kind(overlay, "Deployment") {
            let name = &deployment["metadata"]["name"];
            let mut pod = pod_of(&deployment);
            let ran = tried(plane(), &pod);
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{overlay} {name}");
            pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
            let refused = tried(plane(), &pod).stderr;
            let wanted = "violates PodSecurity \"restricted:latest\"";
            assert!(refused.contains(wanted), "{overlay} {name}: {refused}");
        }
    }
}

#[test]
fn each_overlay_has_its_ca_injected_into_every_configuration() {
    let cert_manager = json!({ "cert-manager.io/inject-ca-from": "ippool-webhook/ippool-webhook" });
    let openshift = json!({ "service.beta.openshift.io/inject-cabundle": "true" });
    for (overlay, wanted) in
        [("cert-manager", &cert_manager), ("observe-cni", &cert_manager), ("openshift", &openshift)]
    {
        let configurations = rendered_webhooks(overlay);
        assert_eq!(configurations.len(), 2, "{overlay}");
        for configuration in configurations {
            assert_eq!(configuration["metadata"]["annotations"], *wanted, "{overlay}");
        }
    }
}

#[test]
fn on_openshift_the_platform_chooses_the_user() {
    let [deployment] = of_kind("openshift", "Deployment").try_into().unwrap();
    let context = &deployment["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(*context, json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } }));
    let [service] = of_kind("openshift", "Service").try_into().unwrap();
    let secret = json!({ "service.beta.openshift.io/serving-cert-secret-name": "ippool-webhook-tls" });
    assert_eq!(service["metadata"]["annotations"], secret);
}

#[test]
fn an_overlay_applied_again_keeps_the_injected_ca() {
    let (plane, folder) = (Plane::start("install"), folder("openshift"));
    let apply = ["apply", "-k", folder.to_str().unwrap()];
    let made = plane.kubectl(&apply).ok();
    assert_eq!(made.lines().filter(|line| line.ends_with(" created")).count(), 10, "{made}");
    let kind = "validatingwebhookconfiguration/ippool-webhook";
    // What the issuer does some time later.
    let inject = r#"[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"CABUNDLE"}]"#;
    let inject = inject.replace("CABUNDLE", &BASE64.encode(&plane.ca));
    plane.kubectl(&["patch", kind, "--type=json", "-p", &inject]).ok();
    let again = plane.kubectl(&apply).ok();
    assert!(!again.contains("created"), "{again}");
    let stored = |what: &str| -> Value {
        let text = plane.kubectl(&["get", what, "-n", "ippool-webhook", "-o", "json"]).ok();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(stored(kind)["webhooks"][0]["clientConfig"]["caBundle"], BASE64.encode(&plane.ca));
    let deployment = stored("deployment/ippool-webhook");
    assert_eq!(deployment["metadata"]["generation"], 1, "no rollout for nothing");
}

/// The image of every container.
pub fn images(objects: &[Value]) -> Vec<&Value> {
    objects.iter().filter_map(|it| it.pointer("/spec/template/spec/containers/0/image")).collect()
}

/// A fenced block of this language in a README, by its place among them.
pub fn example(path: &str, language: &str, place: usize) -> String {
    let text = std::fs::read_to_string(folder("base").join("../..").join(path)).unwrap();
    let block = text.split(&format!("```{language}\n")).nth(place + 1).unwrap();
    let block = block.split("```").next().unwrap();
    // A fence in a list is indented.
    let indent = block.len() - block.trim_start_matches(' ').len();
    block.lines().map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect()
}

#[test]
fn the_example_of_ones_own_settings_renders() {
    let own = example("deploy/README.md", "yaml", 0);
    let objects = rendered_beside(&own, &[("policy.yaml", "enforcement: warn\n")]);
    let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let pod = &find("Deployment")["spec"]["template"]["spec"];
    let image = concat!("registry.example.com/ippool-webhook:", env!("CARGO_PKG_VERSION"));
    assert_eq!(images(&objects), [image; 2], "of the webhook and of what issues certificates");
    let policy = find("ConfigMap");
    assert_eq!(policy["data"], json!({ "policy.yaml": "enforcement: warn\n" }));
    assert_eq!(pod["volumes"][1]["configMap"]["name"], policy["metadata"]["name"], "a rollout follows");
}

#[test]
fn the_example_of_an_issuer_of_ones_own_renders() {
    let objects = rendered_beside(&example("certs/README.md", "yaml", 0), &[]);
    let certificates: Vec<_> = objects.iter().filter(|it| it["kind"] == "Certificate").collect();
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0]["spec"]["issuerRef"]["name"], "company-ca");
    let annotation = "/metadata/annotations/cert-manager.io~1inject-ca-from";
    assert_eq!(objects.iter().filter(|it| it.pointer(annotation).is_some()).count(), 2);
}

#[test]
fn the_example_of_client_certificates_renders() {
    let objects = rendered_beside(&example("certs/apiserver/README.md", "yaml", 1), &[]);
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    let arguments: Vec<_> = pod["containers"][0]["args"].as_array().unwrap().iter().rev().take(2).collect();
    assert_eq!(arguments, ["--client-name=kube-apiserver-kubelet-client", "--client-ca=/client-ca/ca.crt"]);
    let ran = tried(plane(), deployment);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}
