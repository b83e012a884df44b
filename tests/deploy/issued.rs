//! Each way to install issues a certificate for the Service into the Secret that the pods mount.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{LABEL, container, documents, file, object, pod, text};

const SERVED_AS: &str = "ippool-webhook.ippool-webhook.svc";

/// The object of this kind and name in a file.
fn find(path: &str, kind: &str, name: &str) -> Value {
    let found = documents(path).into_iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("{path}: no {kind} {name}"))
}

/// The pod that issues and renews, and its container.
fn issuing_pod() -> (Value, Value) {
    let pod = object("overlays/self-managed/deployment.yaml")["spec"]["template"].clone();
    let [container] = pod["spec"]["containers"].as_array().unwrap().as_slice() else { panic!("one") };
    (pod.clone(), container.clone())
}

#[test]
fn the_pod_mounts_the_pair_but_not_the_key_of_the_ca() {
    let tls = pod()["spec"]["volumes"][0].clone();
    let mounted = json!([{ "key": "tls.crt", "path": "tls.crt" }, { "key": "tls.key", "path": "tls.key" }]);
    assert_eq!(tls["secret"]["items"], mounted);
    let mount = json!({ "name": tls["name"], "mountPath": "/tls", "readOnly": true });
    assert_eq!(container()["volumeMounts"][0], mount);
}

#[test]
fn cert_manager_issues_for_the_service_into_the_mounted_secret() {
    let secret = pod()["spec"]["volumes"][0]["secret"]["secretName"].clone();
    let files = ["cert-manager/certificates.yaml", "cert-manager-own-issuer/certificate.yaml"];
    for file in files.map(|file| format!("../certs/{file}")) {
        let leaf = find(&file, "Certificate", "ippool-webhook");
        assert_eq!((&leaf["spec"]["secretName"], &leaf["spec"]["dnsNames"][0]), (&secret, &json!(SERVED_AS)));
        let injected = format!(
            "cert-manager.io/inject-ca-from: {}/ippool-webhook\n",
            leaf["metadata"]["namespace"].as_str().unwrap()
        );
        let kustomization = text(&file.replace(file.rsplit('/').next().unwrap(), "kustomization.yaml"));
        assert!(kustomization.contains(&injected), "{file}");
    }
    let of = |kind: &str, name: &Value| {
        find("../certs/cert-manager/certificates.yaml", kind, name.as_str().unwrap())
    };
    let issuer = of("Issuer", &of("Certificate", &json!("ippool-webhook"))["spec"]["issuerRef"]["name"]);
    let authority = of("Certificate", &json!("ippool-webhook-ca"));
    assert_eq!(issuer["spec"]["ca"]["secretName"], authority["spec"]["secretName"]);
    of("Issuer", &authority["spec"]["issuerRef"]["name"]);
}

#[test]
fn openshift_issues_into_the_mounted_secret() {
    let secret = pod()["spec"]["volumes"][0]["secret"]["secretName"].as_str().unwrap().to_owned();
    let issued = format!("serving-cert-secret-name: {secret}\n");
    assert!(text("overlays/openshift/kustomization.yaml").contains(&issued));
}

#[test]
fn the_secret_of_the_self_managed_overlay_is_empty() {
    let secret = object("overlays/self-managed/secret.yaml");
    assert_eq!(secret["metadata"]["name"], pod()["spec"]["volumes"][0]["secret"]["secretName"]);
    for entry in ["data", "stringData", "type", "immutable"] {
        assert_eq!(
            secret[entry],
            Value::Null,
            "{entry}: applying the manifest again would undo what was issued"
        );
    }
}

#[test]
fn the_issuing_pod_runs_this_release_and_repeats_every_hour() {
    let (_, container) = issuing_pod();
    assert_eq!(container["image"], super::container()["image"]);
    let arguments = json!(["certs", "ensure", "--interval=3600"]);
    assert_eq!(container["args"], arguments, "with the default names of the objects");
}

#[test]
fn the_issuing_pod_takes_its_namespace_from_where_it_runs() {
    let (_, container) = issuing_pod();
    let own = json!({ "fieldRef": { "fieldPath": "metadata.namespace" } });
    assert_eq!(container["env"], json!([{ "name": "IPPOOL_WEBHOOK_NAMESPACE", "valueFrom": own }]));
}

#[test]
fn the_issuing_pod_has_a_token_and_no_other_privilege() {
    let (pod, container) = issuing_pod();
    assert_eq!(container["securityContext"], super::container()["securityContext"]);
    let mut context = super::pod()["spec"]["securityContext"].clone();
    context.as_object_mut().unwrap().remove("fsGroup");
    assert_eq!(pod["spec"]["securityContext"], context);
    let account = object("overlays/self-managed/serviceaccount.yaml");
    assert_eq!(pod["spec"]["serviceAccountName"], account["metadata"]["name"]);
    assert_ne!(pod["spec"]["serviceAccountName"], super::pod()["spec"]["serviceAccountName"]);
    let tokens = [&account["automountServiceAccountToken"], &pod["spec"]["automountServiceAccountToken"]];
    assert_eq!(tokens, [&json!(false), &json!(true)]);
}

/// The kinds of the objects in a folder of manifests, with their rules.
fn roles(folder: &str) -> Vec<(String, Value)> {
    let mut files = Vec::new();
    collect(&file(folder), &mut files);
    let is_yaml = |it: &&PathBuf| it.extension().is_some_and(|it| it == "yaml");
    let texts = files.iter().filter(is_yaml).map(|it| std::fs::read_to_string(it).unwrap());
    let objects = texts.flat_map(|it| serde_saphyr::from_multiple::<Value>(&it).unwrap());
    let role = |it: Value| (it["kind"].as_str().unwrap_or_default().to_owned(), it["rules"].clone());
    objects.map(role).filter(|(kind, _)| kind.ends_with("Role")).collect()
}

#[test]
fn the_only_permissions_are_to_get_and_patch_three_objects_by_name() {
    let rule = |group: &str, resources: Value, name: &str| {
        let verbs = ["get", "patch"];
        json!([{ "apiGroups": [group], "resources": resources, "resourceNames": [name], "verbs": verbs }])
    };
    let configurations = json!(["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]);
    let wanted = [
        ("Role".to_owned(), rule("", json!(["secrets"]), "ippool-webhook-tls")),
        ("ClusterRole".to_owned(), rule("admissionregistration.k8s.io", configurations, "ippool-webhook")),
    ];
    assert_eq!(roles("overlays"), wanted);
    let others =
        ["base", "components/client-certificates", "components/observe-cni", "namespace", "../certs"];
    for folder in others {
        assert_eq!(roles(folder), [], "{folder}");
    }
}

#[test]
fn the_audit_may_list_and_watch_six_kinds_and_nothing_else() {
    let rule = |group: &str, resources: Value| json!({ "apiGroups": [group], "resources": resources, "verbs": ["list", "watch"] });
    let rules = json!([
        rule(
            "whereabouts.cni.cncf.io",
            json!(["ippools", "overlappingrangeipreservations", "nodeslicepools"])
        ),
        rule("k8s.cni.cncf.io", json!(["network-attachment-definitions"])),
        rule("", json!(["nodes", "pods"])),
    ]);
    assert_eq!(roles("components/audit"), [("ClusterRole".to_owned(), rules)]);
}

#[test]
fn the_issuing_pod_has_its_own_label_and_only_tcp_egress() {
    let (pod, _) = issuing_pod();
    let policy = object("overlays/self-managed/networkpolicy.yaml")["spec"].clone();
    assert_eq!(policy["podSelector"]["matchLabels"], pod["metadata"]["labels"]);
    assert_ne!(pod["metadata"]["labels"][LABEL], super::pod()["metadata"]["labels"][LABEL]);
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(
        (&policy["ingress"], &policy["egress"]),
        (&Value::Null, &json!([{ "ports": [{ "protocol": "TCP" }] }]))
    );
}

#[test]
fn the_apiserver_presents_the_certificate_the_component_requires() {
    let kubeconfig = object("../certs/apiserver/kubeconfig.yaml");
    let [user] = kubeconfig["users"].as_array().unwrap().as_slice() else { panic!("one") };
    assert_eq!(user["name"], SERVED_AS, "the apiserver looks for the name of the Service");
    let presented = user["user"]["client-certificate"].as_str().unwrap();
    assert!(presented.ends_with("/apiserver-kubelet-client.crt"), "{presented}");
    let required = text("components/client-certificates/kustomization.yaml");
    assert!(
        required.contains("--client-name=kube-apiserver-kubelet-client\n"),
        "the common name kubeadm gives it"
    );
    let admission = object("../certs/apiserver/admission.yaml");
    let plugins = admission["plugins"].as_array().unwrap();
    assert_eq!(
        plugins.iter().map(|it| &it["name"]).collect::<Vec<_>>(),
        ["MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"]
    );
    assert_eq!(plugins[0]["configuration"], plugins[1]["configuration"]);
}

#[test]
fn the_certs_folder_has_no_private_key() {
    let mut files = Vec::new();
    collect(&file("../certs"), &mut files);
    assert!(files.len() > 6, "{files:?}");
    for file in files {
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(!text.contains("PRIVATE KEY"), "{}", file.display());
        assert!(
            ["md", "yaml"].iter().any(|it| file.extension().is_some_and(|end| end == *it)),
            "{}",
            file.display()
        );
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}
