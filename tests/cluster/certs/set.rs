//! A Secret and two configurations under a name of their own, for what is to be refused.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::stage::run_as;
use crate::plane::{Identity, Plane};
use crate::process::Ran;
use crate::rendered::{of_kind, rendered_webhooks};

/// Namespace, Secret, Service and both configurations go by one name. There is no such Service, and no Secret
/// before [`Set::fill`].
pub struct Set<'a> {
    plane: &'a Plane,
    pub name: &'static str,
}

impl<'a> Set<'a> {
    pub fn new(plane: &'a Plane, name: &'static str) -> Self {
        let mut items =
            vec![json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })];
        for mut configuration in rendered_webhooks("base") {
            configuration["metadata"] = json!({ "name": name });
            let service = &mut configuration["webhooks"][0]["clientConfig"]["service"];
            service["name"] = json!(name);
            service["namespace"] = json!(name);
            items.push(configuration);
        }
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        plane.kubectl_with(&["create", "-f", "-"], &list.to_string(), &[]).ok();
        Self { plane, name }
    }

    /// Makes the Secret, of this type, with these entries.
    pub fn fill(&self, kind: &str, entries: &[(&str, &str)]) {
        let data: Value =
            entries.iter().map(|(key, text)| ((*key).to_owned(), json!(BASE64.encode(text)))).collect();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": kind, "data": data,
            "metadata": { "name": self.name, "namespace": self.name },
        });
        self.plane.kubectl_with(&["create", "-f", "-"], &secret.to_string(), &[]).ok();
    }

    /// Applies the Secret of `self-managed` over the one that is there.
    pub fn apply_the_shipped_secret(&self) {
        let [mut secret] = of_kind("self-managed", "Secret").try_into().unwrap();
        secret["metadata"]["name"] = json!(self.name);
        secret["metadata"]["namespace"] = json!(self.name);
        self.plane.kubectl_with(&["apply", "-f", "-"], &secret.to_string(), &[]).ok();
    }

    /// Has both webhooks trust `pem`.
    pub fn trust(&self, pem: &str) {
        let patch = json!([{ "op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": BASE64.encode(pem) }]);
        for kind in ["mutating", "validating"] {
            let configuration = format!("{kind}webhookconfiguration/{}", self.name);
            self.plane.kubectl(&["patch", &configuration, "--type=json", "-p", &patch.to_string()]).ok();
        }
    }

    /// Runs `certs` for these objects as the administrator.
    pub fn certs(&self, arguments: &[&str]) -> Ran {
        self.certs_as(&self.plane.admin_kubeconfig, arguments)
    }

    pub fn certs_as(&self, kubeconfig: &std::path::Path, arguments: &[&str]) -> Ran {
        let name = self.name;
        let published = format!("mutating/{name},validating/{name}");
        let flags = ["--namespace", name, "--secret", name, "--service", name, "--publish-to", &published];
        run_as(kubeconfig, &[&["certs"], arguments, &flags].concat())
    }

    /// A kubeconfig of a service account with these rights (`kubectl create role` and `clusterrole`, from
    /// `--verb` on) on the objects of this set.
    pub fn account(&self, secret: &[&str], configurations: &[&str]) -> PathBuf {
        let token = self.plane.token(self.name, "someone");
        let (name, subject) = (self.name, format!("--serviceaccount={}:someone", self.name));
        let named = format!("--resource-name={name}");
        let make = |what: &[&str]| drop(self.plane.kubectl(&[&["create"], what].concat()).ok());
        if !secret.is_empty() {
            let verbs = format!("--verb={}", secret.join(","));
            make(&["role", name, "-n", name, "--resource=secrets", &named, &verbs]);
            make(&["rolebinding", name, "-n", name, &format!("--role={name}"), &subject]);
        }
        if !configurations.is_empty() {
            let verbs = format!("--verb={}", configurations.join(","));
            let kinds = "--resource=mutatingwebhookconfigurations,validatingwebhookconfigurations";
            make(&["clusterrole", name, kinds, &named, &verbs]);
            make(&["clusterrolebinding", name, &format!("--clusterrole={name}"), &subject]);
        }
        let kubeconfig = self.plane.scratch.join(format!("{name}.kubeconfig"));
        self.plane.write_kubeconfig(&kubeconfig, &json!({ "token": token }));
        kubeconfig
    }

    /// Runs kubectl for an object of this set.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.plane.kubectl(&[arguments, &["-n", self.name]].concat()).ok()
    }

    /// The Secret and both configurations as they are stored; null where one is not.
    pub fn stored(&self) -> [Value; 3] {
        let name = self.name;
        let admission = "/apis/admissionregistration.k8s.io/v1";
        let paths = [
            format!("/api/v1/namespaces/{name}/secrets/{name}"),
            format!("{admission}/mutatingwebhookconfigurations/{name}"),
            format!("{admission}/validatingwebhookconfigurations/{name}"),
        ];
        paths.map(|path| {
            let (code, object) = self.plane.request("GET", &path, "application/json", "", Identity::Admin);
            if code == 404 { Value::Null } else { object }
        })
    }

    /// The certificates (PEM) that both webhooks trust, and an entry of the Secret.
    pub fn bundles_and(&self, entry: &str) -> ([String; 2], String) {
        let text = |it: &Value| String::from_utf8(BASE64.decode(it.as_str().unwrap()).unwrap()).unwrap();
        let [secret, mutating, validating] = self.stored();
        let bundle = |it: &Value| text(&it["webhooks"][0]["clientConfig"]["caBundle"]);
        ([bundle(&mutating), bundle(&validating)], text(&secret["data"][entry]))
    }
}
