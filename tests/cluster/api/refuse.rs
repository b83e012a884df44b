//! What the apiserver refuses, and who is told which code.

use serde_json::{Value, json};

use super::{APPLY, Api, GROUP, JSON, JSON_PATCH, MERGE_PATCH, assert_refused, assert_status, pool};
use crate::guarded;
use crate::plane::Identity;

#[test]
fn a_body_that_is_not_a_pool_is_a_bad_request() {
    let api = Api::new();
    assert_status(&api.send("POST", "", JSON, "{"), 400, "BadRequest", "");
    let mut other = pool("10.20.25.0/24", &[]);
    other["kind"] = json!("Pod");
    assert_status(&api.create("", &other), 422, "Invalid", "must be IPPool");
    let elsewhere = api.send("POST", "", "text/plain", "10.20.25.0/24");
    assert_eq!(elsewhere.0, 415, "{elsewhere:?}");
}

#[test]
fn what_is_not_there_is_not_found() {
    let api = Api::new();
    api.made(&pool("10.20.26.0/24", &[]));
    assert_eq!(api.get("/10.20.26.0-24/status").0, 404);
    let absent = format!("{GROUP}/namespaces/absent/ippools");
    let body = pool("10.20.26.0/24", &[]).to_string();
    let answer = guarded().0.request("POST", &absent, JSON, &body, Identity::Admin);
    assert_status(&answer, 404, "NotFound", "namespaces \"absent\" not found");
    let newer = absent.replace("v1alpha1", "v1");
    assert_eq!(guarded().0.request("GET", &newer, JSON, "", Identity::Admin).0, 404);
    let everywhere = guarded().0.request("POST", &format!("{GROUP}/ippools"), JSON, &body, Identity::Admin);
    assert_eq!(everywhere.0, 404);
    assert_status(&api.send("PUT", "", JSON, &body), 400, "BadRequest", "name must be provided");
}

#[test]
fn who_cannot_be_authenticated_is_told_401() {
    let api = Api::new().by(Identity::Token("nobody"));
    assert_status(&api.get(""), 401, "Unauthorized", "Unauthorized");
    assert_status(&api.create("", &pool("10.20.27.0/33", &[])), 401, "Unauthorized", "Unauthorized");
}

#[test]
fn who_may_not_is_told_403_before_any_rule_speaks() {
    let api = Api::new();
    api.made(&pool("10.20.28.0/24", &[]));
    let stranger = guarded().0.token("default", "stranger").leak();
    for identity in [Identity::Anonymous, Identity::Token(stranger)] {
        let api = api.by(identity);
        let rest = "/10.20.28.0-24";
        let answers = [
            api.get(""),
            api.get(rest),
            api.create("", &pool("10.20.29.0/33", &[])),
            api.send("PUT", rest, JSON, &pool("10.20.28.0/33", &[]).to_string()),
            api.send("PATCH", rest, MERGE_PATCH, "{}"),
            api.send("PATCH", rest, JSON_PATCH, "[]"),
            api.send("PATCH", &format!("{rest}?fieldManager=one"), APPLY, "{}"),
            api.delete(rest, &Value::Null),
            api.delete("", &Value::Null),
        ];
        for answer in answers {
            assert_status(&answer, 403, "Forbidden", "cannot ");
        }
    }
}

#[test]
fn a_service_account_that_may_is_told_403_where_a_person_is_told_422() {
    let api = Api::new();
    let robot = guarded().0.token("default", "robot").leak();
    let grant =
        ["create", "rolebinding", "robot", "--clusterrole=cluster-admin", "--serviceaccount=default:robot"];
    guarded().0.kubectl(&[&grant[..], &["-n", &api.namespace]].concat()).ok();
    let bad = pool("10.20.30.0/30", &["4", "one"]);
    let answer = api.by(Identity::Token(robot)).create("", &bad);
    assert_refused(&answer, 403, &["IPP206", "IPP202"]);
    assert_eq!(answer.1["reason"], "Forbidden");
    assert!(answer.1["message"].as_str().unwrap().contains("denied the request"), "{}", answer.1);
    assert_refused(&api.create("", &bad), 422, &["IPP206", "IPP202"]);
}

#[test]
fn the_plugin_is_never_denied() {
    let api = Api::new();
    api.made(&pool("10.20.31.0/24", &["5"]));
    let plugin = api.by(Identity::Token(guarded().0.token("kube-system", "whereabouts").leak()));
    let (code, mut stored) = plugin.get("/10.20.31.0-24");
    assert_eq!(code, 200);
    stored["spec"]["allocations"]["300"] = json!({ "id": "c", "podref": "default/web-9" });
    let (code, stored) = plugin.send("PUT", "/10.20.31.0-24", JSON, &stored.to_string());
    assert_eq!((code, &stored["spec"]["allocations"]["300"]["id"]), (200, &json!("c")), "{stored}");
    assert_eq!(plugin.delete("/10.20.31.0-24", &Value::Null).0, 200);
}
