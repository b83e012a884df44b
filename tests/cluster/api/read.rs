//! Discovery, reading, listing and watching.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Api, GROUP, JSON, assert_status, names, pool};
use crate::guarded;
use crate::plane::Identity;
use crate::process::awaited;

#[test]
fn the_api_has_the_verbs_that_are_tried_here_and_no_subresource() {
    let (code, list) = guarded().0.request("GET", GROUP, JSON, "", Identity::Admin);
    assert_eq!(code, 200);
    let resources = list["resources"].as_array().unwrap();
    let pools: Vec<_> =
        resources.iter().filter(|it| it["name"].as_str().unwrap().starts_with("ippools")).collect();
    let verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
    assert_eq!(pools.len(), 1, "{list}");
    assert_eq!(pools[0]["verbs"], json!(verbs));
}

/// The parameters of the tests here, by what they are for. `shardSelector` is behind a gate that is closed.
const LIST: &str = "allowWatchBookmarks continue fieldSelector labelSelector limit pretty resourceVersion \
    resourceVersionMatch sendInitialEvents shardSelector timeoutSeconds watch";
const WRITE: &str = "dryRun fieldManager fieldValidation force";
const DELETE: &str = "gracePeriodSeconds ignoreStoreReadErrorWithClusterBreakingPotential orphanDependents \
    propagationPolicy";

#[test]
fn the_api_has_the_parameters_that_are_tried_here() {
    let path = "/openapi/v3/apis/whereabouts.cni.cncf.io/v1alpha1";
    let paths = awaited("the apiserver to document the CRD", || {
        let (_, document) = guarded().0.request("GET", path, JSON, "", Identity::Admin);
        document["paths"].get(format!("{GROUP}/ippools")).map(|_| document["paths"].clone())
    });
    let mut documented = BTreeSet::new();
    for (_, path) in paths.as_object().unwrap().iter().filter(|(path, _)| path.contains("/ippools")) {
        let verbs = path.as_object().unwrap().values().map(|verb| &verb["parameters"]);
        let parameters = verbs.chain([&path["parameters"]]).filter_map(|it| it.as_array()).flatten();
        let queries = parameters.filter(|it| it["in"] == "query");
        documented.extend(queries.map(|it| it["name"].as_str().unwrap().to_owned()));
    }
    let tried: BTreeSet<_> =
        [LIST, WRITE, DELETE].iter().flat_map(|it| it.split(' ')).map(str::to_owned).collect();
    assert_eq!(documented, tried);
}

#[test]
fn a_pool_is_read_at_a_version_and_pretty() {
    let api = Api::new();
    let stored = api.made(&pool("10.20.33.0/24", &[]));
    assert_eq!(api.get("/10.20.33.0-24?resourceVersion=0&pretty=true"), (200, stored));
}

#[test]
fn a_watch_begins_with_what_is_there() {
    let api = Api::new();
    api.made(&pool("10.20.34.0/24", &[]));
    let (code, event) = api.get(
        "?watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&\
         allowWatchBookmarks=false&shardSelector=",
    );
    assert_eq!((code, &event["object"]["metadata"]["name"]), (200, &json!("10.20.34.0-24")), "{event}");
    let alone = api.get("?watch=true&sendInitialEvents=true");
    assert_status(&alone, 422, "Invalid", "requires setting resourceVersionMatch");
}

#[test]
fn a_pool_is_listed_in_its_namespace_and_in_all() {
    let (here, there) = (Api::new(), Api::new());
    here.made(&pool("10.20.0.0/24", &["5"]));
    there.made(&pool("10.20.1.0/24", &[]));
    let (code, list) = here.get("");
    assert_eq!((code, names(&list)), (200, vec!["10.20.0.0-24"]));
    assert_eq!(list["kind"], "IPPoolList");
    let (code, list) = guarded().0.request("GET", &format!("{GROUP}/ippools"), JSON, "", Identity::Admin);
    assert_eq!(code, 200);
    assert!(["10.20.0.0-24", "10.20.1.0-24"].iter().all(|it| names(&list).contains(it)), "{list}");
}

#[test]
fn a_list_is_narrowed_paged_and_watched() {
    let api = Api::new();
    let mut labelled = pool("10.20.2.0/24", &[]);
    labelled["metadata"]["labels"] = json!({ "tier": "storage" });
    let stored = api.made(&labelled);
    api.made(&pool("10.20.3.0/24", &[]));
    let listed = |query: &str| {
        let (code, list) = api.get(query);
        assert_eq!(code, 200, "{query}: {list}");
        list
    };
    assert_eq!(names(&listed("?labelSelector=tier%3Dstorage")), ["10.20.2.0-24"]);
    assert_eq!(names(&listed("?fieldSelector=metadata.name%3D10.20.3.0-24")), ["10.20.3.0-24"]);
    let first = listed("?limit=1");
    assert_eq!(names(&first), ["10.20.2.0-24"]);
    let rest = first["metadata"]["continue"].as_str().unwrap();
    assert_eq!(names(&listed(&format!("?limit=1&continue={rest}"))), ["10.20.3.0-24"]);
    let version = stored["metadata"]["resourceVersion"].as_str().unwrap();
    assert_eq!(names(&listed("?resourceVersion=0&pretty=true")).len(), 2);
    let then = format!("?resourceVersion={version}&resourceVersionMatch=Exact&timeoutSeconds=5");
    assert_eq!(names(&listed(&then)), ["10.20.2.0-24"]);
    let watched = format!("?watch=true&timeoutSeconds=1&resourceVersion={version}&allowWatchBookmarks=false");
    let event = listed(&watched);
    assert_eq!(
        (&event["type"], &event["object"]["metadata"]["name"]),
        (&json!("ADDED"), &json!("10.20.3.0-24"))
    );
}

#[test]
fn a_list_with_a_parameter_that_does_not_parse_is_rejected() {
    let api = Api::new();
    assert_status(&api.get("?labelSelector=%3D%3D"), 400, "BadRequest", "");
    assert_status(&api.get("?fieldSelector=spec.range%3D10"), 400, "BadRequest", "field label not supported");
    assert_status(&api.get("?resourceVersion=new"), 400, "BadRequest", "invalid resource version");
    let sometime = api.get("?resourceVersion=1&resourceVersionMatch=Sometime");
    assert_status(&sometime, 422, "Invalid", "Unsupported value: \"Sometime\"");
    assert_status(&api.get("?limit=1&continue=nonsense"), 400, "BadRequest", "continue");
}
