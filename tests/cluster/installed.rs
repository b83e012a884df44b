//! The commands of the READMEs, and settings of one's own, as kubectl applies them.

use serde_json::{Value, json};

use super::certs::install::installed;
use super::certs::stage::run_as;
use super::deploy::{example, images, plane, tried};
use super::plane::Plane;
use super::process::awaited;
use super::rendered::{OVERLAYS, folder, rendered, rendered_beside};

/// Definitions of the two kinds of cert-manager that the manifests use, without a schema.
pub fn with_cert_manager(plane: &Plane) {
    let definition = |kind: &str, plural: &str| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{plural}.cert-manager.io") },
            "spec": {
                "group": "cert-manager.io",
                "names": { "kind": kind, "plural": plural },
                "scope": "Namespaced",
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
                }],
            },
        })
    };
    let items = [definition("Certificate", "certificates"), definition("Issuer", "issuers")];
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    plane.kubectl_with(&["apply", "-f", "-"], &list.to_string(), &[]).ok();
    plane.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).ok();
    awaited("kubectl to find cert-manager", || {
        (plane.kubectl(&["get", "certificates,issuers", "-A"]).code == 0).then_some(())
    });
}

/// The generation of every object of an overlay, as it is stored.
fn generations(plane: &Plane, overlay: &str) -> Vec<(String, String)> {
    let columns = "jsonpath={.kind} {.metadata.name} {.metadata.generation}";
    let objects = rendered(overlay).into_iter().filter(|it| it["kind"] != "Namespace");
    let generation = |object: Value| {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let group = object["apiVersion"].as_str().unwrap().split_once('/').map_or("", |(group, _)| group);
        let what = format!("{kind}.{group}/{name}").replace("./", "/");
        (what.clone(), plane.kubectl(&["get", &what, "-n", "ippool-webhook", "-o", columns]).ok())
    };
    objects.map(generation).collect()
}

#[test]
fn an_overlay_applied_twice_has_no_difference_and_no_new_generation() {
    let plane = Plane::start("settles");
    with_cert_manager(&plane);
    for overlay in OVERLAYS {
        let folder = folder(overlay);
        let apply = ["apply", "-k", folder.to_str().unwrap()];
        plane.kubectl(&apply).ok();
        if overlay == "self-managed" {
            // What is issued is in no manifest.
            run_as(&plane.admin_kubeconfig, &["certs", "ensure", "--namespace=ippool-webhook"]).ok();
        }
        let before = generations(&plane, overlay);
        plane.kubectl(&apply).ok();
        assert_eq!(generations(&plane, overlay), before, "{overlay}");
        let diff = plane.kubectl(&["diff", "-k", folder.to_str().unwrap()]);
        assert_eq!((diff.code, diff.stdout.as_str(), diff.stderr.as_str()), (0, "", ""), "{overlay}");
    }
}

/// A kustomization over an overlay, beside a checkout.
fn over(overlay: &str, mut settings: Value) -> Vec<Value> {
    settings["resources"] = json!([format!("../ippool-webhook/deploy/overlays/{overlay}")]);
    rendered_beside(&settings.to_string(), &[])
}

#[test]
fn a_changed_image_is_applied_over_what_is_installed() {
    let plane = Plane::start("another-image");
    with_cert_manager(&plane);
    for overlay in OVERLAYS {
        for tag in ["0.1.0", "0.2.0"] {
            let objects = over(overlay, json!({ "images": [{ "name": "ippool-webhook", "newTag": tag }] }));
            let image = format!("ippool-webhook:{tag}");
            assert!(images(&objects).iter().all(|it| **it == image.as_str()), "{overlay}");
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
            plane.kubectl_with(&["apply", "-f", "-"], &list.to_string(), &[]).ok();
        }
        let path = "jsonpath={.items[*].spec.template.spec.containers[*].image}";
        let stored = plane.kubectl(&["get", "deployments", "-n", "ippool-webhook", "-o", path]).ok();
        assert!(stored.split(' ').all(|it| it == "ippool-webhook:0.2.0"), "{overlay}: {stored}");
    }
}

/// Every map of labels by which an object of this overlay selects pods.
fn selectors(object: &Value) -> Vec<&Value> {
    let spread = "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels";
    let paths = ["/spec/selector/matchLabels", "/spec/podSelector/matchLabels", spread];
    let mut found: Vec<_> = paths.iter().filter_map(|path| object.pointer(path)).collect();
    found.extend((object["kind"] == "Service").then(|| &object["spec"]["selector"]));
    found
}

#[test]
fn labels_and_images_of_a_kustomization_reach_every_object() {
    let settings = json!({
        "labels": [{ "pairs": { "team": "network" }, "includeSelectors": true, "includeTemplates": true }],
        "images": [{ "name": "ippool-webhook", "newName": "registry.example.com/ippool-webhook", "newTag": "1.2.3" }],
    });
    for overlay in OVERLAYS {
        let objects = over(overlay, settings.clone());
        assert!(images(&objects).iter().all(|it| **it == "registry.example.com/ippool-webhook:1.2.3"));
        let pods: Vec<_> =
            objects.iter().filter_map(|it| it.pointer("/spec/template/metadata/labels")).collect();
        assert_eq!(pods.len(), if overlay == "self-managed" { 2 } else { 1 }, "{overlay}");
        for object in &objects {
            assert_eq!(object["metadata"]["labels"]["team"], "network", "{overlay}: {object}");
            for selector in selectors(object) {
                let selects =
                    |pod: &&&Value| selector.as_object().unwrap().iter().all(|(key, it)| pod[key] == *it);
                assert_eq!(pods.iter().filter(selects).count(), 1, "{overlay}: {object}");
            }
            if !object["apiVersion"].as_str().unwrap().starts_with("cert-manager.io/") {
                assert_eq!(tried(plane(), object).code, 0, "{overlay}: {object}");
            }
        }
    }
}

#[test]
fn another_namespace_reaches_certificates_and_injection() {
    let own = example("deploy/README.md", "yaml", 1);
    assert!(own.contains("/overlays/cert-manager\n"), "{own}");
    for overlay in OVERLAYS {
        let objects =
            rendered_beside(&own.replace("/overlays/cert-manager\n", &format!("/overlays/{overlay}\n")), &[]);
        for object in &objects {
            let (kind, metadata) = (object["kind"].as_str().unwrap(), &object["metadata"]);
            match kind {
                "Namespace" => assert_eq!(metadata["name"], "network"),
                "Certificate" if metadata["name"] == "ippool-webhook" => {
                    let served = "ippool-webhook.network.svc";
                    let names = json!([served, format!("{served}.cluster.local")]);
                    assert_eq!(object["spec"]["dnsNames"], names, "{overlay}");
                }
                "RoleBinding" | "ClusterRoleBinding" => {
                    assert_eq!(object["subjects"][0]["namespace"], "network");
                }
                _ => {}
            }
            let injected = metadata["annotations"].get("cert-manager.io/inject-ca-from");
            assert!(injected.is_none_or(|it| it == "network/ippool-webhook"), "{overlay}: {object}");
            for webhook in object["webhooks"].as_array().into_iter().flatten() {
                assert_eq!(webhook["clientConfig"]["service"]["namespace"], "network", "{overlay}");
            }
            assert_ne!(metadata["namespace"], "ippool-webhook", "{overlay} {kind}");
        }
    }
}

/// The arguments of a line that calls kubectl, with the manifests where they are.
fn arguments(line: &str) -> Vec<String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let words = line.strip_prefix("kubectl ").unwrap_or_else(|| panic!("{line}")).split(' ');
    words
        .map(|word| word.replace('\'', "").replace("deploy/overlays", &format!("{root}/deploy/overlays")))
        .collect()
}

fn kubectl(plane: &Plane, line: &str, more: &[&str]) -> super::process::Ran {
    let arguments = arguments(line);
    plane.kubectl(&arguments.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
}

/// The first fence of shell commands after a line.
pub fn commands(path: &str, after: &str) -> String {
    let text = std::fs::read_to_string(folder("base").join("../..").join(path)).unwrap();
    let (_, rest) = text.split_once(after).unwrap_or_else(|| panic!("{path}: {after}"));
    rest.split("```sh\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn the_documented_uninstall_succeeds_and_leaves_no_configuration() {
    let readme = commands("README.md", "Uninstall it");
    assert_eq!(readme, commands("deploy/README.md", "## Uninstall"));
    let plane = Plane::start("uninstall");
    plane.kubectl(&["apply", "-k", folder("self-managed").to_str().unwrap()]).ok();
    for line in readme.lines() {
        // No controller is there that empties a namespace.
        let ran = kubectl(&plane, line, &["--wait=false"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{line}");
    }
    let kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterroles,clusterrolebindings,deployments";
    let left = plane.kubectl(&["get", kinds, "-A", "-o", "name"]).ok();
    assert!(!left.contains("ippool-webhook"), "{left}");
}

#[test]
fn the_documented_install_waits_until_the_probe_is_denied() {
    let installed = installed();
    let plane = &installed.0.plane;
    let install = commands("README.md", "With kustomize");
    let [apply, ready, trusted] = install.lines().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(apply, "kubectl apply -k deploy/overlays/self-managed");
    assert_ne!(kubectl(plane, ready, &["--timeout=1s"]).code, 0, "no pod is ready yet");
    // What the controller writes when both pods are ready.
    let status = json!({ "status": {
        "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
    } });
    let patch =
        ["patch", "deployment", "ippool-webhook", "-n", "ippool-webhook", "--subresource=status", "-p"];
    plane.kubectl(&[&patch[..], &[&status.to_string()]].concat()).ok();
    for line in [ready, trusted] {
        kubectl(plane, line, &[]).ok();
    }
    let probe = commands("README.md", "Check that it works");
    let (line, pool) = probe.split_once(" <<'YAML'\n").unwrap();
    let arguments = arguments(line);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = plane.kubectl_with(&arguments, pool.trim_end_matches("YAML\n"), &[]);
    assert!(ran.code == 1 && ran.stderr.contains("[IPP102]"), "{}", ran.stderr);
}
