//! Every verb and every parameter of the IPPool API with the webhook registered, as raw requests: what kubectl
//! hides are the codes, and bodies that it would not send.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::guarded;
use super::plane::Identity;
use super::pools::{JSON, JSON_PATCH, MERGE_PATCH, pool};

mod delete;
mod options;
mod read;
mod refuse;
mod write;

const GROUP: &str = "/apis/whereabouts.cni.cncf.io/v1alpha1";
const APPLY: &str = "application/apply-patch+yaml";

/// A namespace of its own, and the requests a test makes in it.
struct Api {
    namespace: String,
    identity: Identity<'static>,
}

impl Api {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let namespace = format!("api-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        guarded().0.kubectl(&["create", "namespace", &namespace]).ok();
        Self { namespace, identity: Identity::Admin }
    }

    /// The same namespace, asked as somebody else.
    fn by(&self, identity: Identity<'static>) -> Self {
        Self { namespace: self.namespace.clone(), identity }
    }

    /// A request for `rest`, what follows the resource: a name, a query, or both.
    fn send(&self, method: &str, rest: &str, content_type: &str, body: &str) -> (u16, Value) {
        let path = format!("{GROUP}/namespaces/{}/ippools{rest}", self.namespace);
        guarded().0.request(method, &path, content_type, body, self.identity)
    }

    fn get(&self, rest: &str) -> (u16, Value) {
        self.send("GET", rest, JSON, "")
    }

    fn create(&self, query: &str, pool: &Value) -> (u16, Value) {
        self.send("POST", query, JSON, &pool.to_string())
    }

    /// Options in the body outrank those in the query, which then count for nothing.
    fn delete(&self, rest: &str, options: &Value) -> (u16, Value) {
        let body = if options.is_null() { String::new() } else { options.to_string() };
        self.send("DELETE", rest, JSON, &body)
    }

    /// A pool that is there; what is stored of it.
    fn made(&self, pool: &Value) -> Value {
        let (code, stored) = self.create("", pool);
        assert_eq!(code, 201, "{stored}");
        stored
    }
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|it| it["metadata"]["name"].as_str().unwrap()).collect()
}

/// A refusal of this webhook: the code, and the rule at each of the causes.
#[track_caller]
fn assert_refused(answer: &(u16, Value), code: u16, rules: &[&str]) {
    let (found, status) = answer;
    assert_eq!((*found, status["kind"].as_str()), (code, Some("Status")), "{status}");
    let message = status["message"].as_str().unwrap();
    let named: Vec<_> = message.split(" [IPP").skip(1).map(|it| format!("IPP{}", &it[..3])).collect();
    assert_eq!(named, rules, "{status}");
}

/// A refusal of the apiserver, which the webhook has no part in.
#[track_caller]
fn assert_status(answer: &(u16, Value), code: u16, reason: &str, message: &str) {
    let (found, status) = answer;
    assert_eq!((*found, status["reason"].as_str()), (code, Some(reason)), "{status}");
    assert!(status["message"].as_str().unwrap().contains(message), "{status}");
}
